"""The recipe as `accelerate launch` starts it: two processes on a CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.recipes.conftest import RECIPES, metrics, small


@pytest.mark.slow
def test_two_processes(tmp_path: Path, tiny_model: str) -> None:
    folder = tmp_path / "run"
    options = {
        "supervised_epochs": 0.1,
        "eval_strategy": "steps",
        "eval_steps": 1,
        "save_strategy": "steps",
        "save_steps": 1,
        "per_device_eval_batch_size": 1,
        "load_best_model_at_end": "true",
        "beta": 0.04,
    }
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(RECIPES / "accelerate" / "cpu_2.yaml")]
    line = [*launch, str(RECIPES / "grpo_emotion.py"), *small(folder, tiny_model, **options)]
    environment = os.environ | {"DS_ACCELERATOR": "cpu"}
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]

    assert {p.name for p in (folder / "checkpoint-2").glob("rng_state_*.pth")} == {"rng_state_0.pth", "rng_state_1.pth"}
    assert (folder / "policy" / "model.safetensors").is_file() and (folder / "report.html").is_file()
    # Only the first process speaks and writes.
    for once in ("supervised stage: ", "grpo 2/2 · reward", "run folder: "):
        assert done.stdout.count(once) == 1, once
    lines = metrics(folder)
    assert [line["step"] for line in lines if "reward" in line] == [1, 2]
    assert [line["step"] for line in lines if "eval_reward" in line] == [1, 2]
    rollouts = [json.loads(line) for line in (folder / "rollouts.jsonl").read_text().splitlines()]
    for step in (0, 1):
        talks = [line["dialogue"] for line in rollouts if line["step"] == step and line["phase"] == "train"]
        assert [talk["sibling"] for talk in talks] == [0, 1] * 4
        assert len({talk["scenario"]["id"] for talk in talks}) == 4
    assert [line["phase"] for line in rollouts].count("eval") == 2 * 2
