"""The recipe as its users run it: options in, a run folder out; on the tiny model and the lexical user."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

RECIPES = Path(__file__).parents[2] / "recipes"
sys.path.insert(0, str(RECIPES))

Run = Callable[..., Path]


def flags(**options: Any) -> list[str]:
    """Options as a command line; a list becomes several words."""
    line = []
    for name, value in options.items():
        line += [f"--{name}", *(str(v) for v in (value if isinstance(value, list) else [value]))]
    return line


def small(output_dir: Path, model: str, **changes: Any) -> list[str]:
    """The command line of a run of two steps on a CPU, a second each."""
    options: dict[str, Any] = {
        "model_name_or_path": model,
        "output_dir": output_dir,
        "user.backend": "lexical",
        "scenario_limit": 4,
        "eval_limit": 2,
        "use_cpu": "true",
        "bf16": "false",
        "gradient_checkpointing": "false",
        "per_device_train_batch_size": 4,
        "num_generations": 2,
        "per_device_eval_batch_size": 2,
        "num_generations_eval": 1,
        "max_completion_length": 160,
        "turn_tokens": 16,
        "max_steps": 2,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "constant",
        "save_strategy": "no",
        "report_to": "none",
    }
    return flags(**(options | changes))


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl."""
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """TrainingArguments and presets leave marks in the environment (mixed precision); take them away again."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def run(tmp_path: Path, tiny_model: str) -> Run:
    """Run the recipe in this process; returns the run folder. Keyword arguments are options."""
    import grpo_emotion

    def go(name: str = "run", **changes: Any) -> Path:
        return grpo_emotion.main(small(tmp_path / name, tiny_model, **changes))

    return go
