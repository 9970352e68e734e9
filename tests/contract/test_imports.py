"""The core stays light: importing it pulls in no trainer and nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "trl", "numpy", "rich", "tyro", "openai", "datasets", "deepspeed", "openrlhf", "accelerate"}
CORE = ["emorl", "emorl.scenario", "emorl.dialogue", "emorl.scenarios", "emorl.scenarios.check", "emorl.rewards"]
CORE += ["emorl.rewards.summary", "emorl.rollout", "emorl.users", "emorl.users.base", "emorl.integrations.openrlhf.reward"]


def imported_by(module: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); import {module}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize("module", CORE)
def test_core_imports_nothing_heavy(module: str) -> None:
    found = imported_by(module)
    assert "emorl" in found
    assert not found & HEAVY


def test_the_command_line_waits_with_what_is_heavy() -> None:
    assert not imported_by("emorl.cli") & (HEAVY - {"tyro", "rich"})  # tyro itself draws with rich


def test_the_denylist_would_notice() -> None:
    assert "numpy" in imported_by("numpy")
