"""Progress as plain lines with an estimate of the time left, readable in a terminal and in a log file."""

from __future__ import annotations

import time
import warnings
from typing import Any

import datasets
from accelerate import PartialState
from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback, ProgressCallback
from transformers.utils import logging


class ProgressLines(TrainerCallback):
    """One line per logged step: `grpo 3/12 · reward 0.61 · 21 s a step · about 3 min left`.

    The estimate is the mean over the steps of this run so far, with the evaluations between them; an evaluation before the
    first step does not count.
    """

    def __init__(self, name: str, shown: tuple[str, ...]) -> None:
        self.name, self.shown = name, shown
        self.begun, self.first = 0.0, 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.begun, self.first = 0.0, state.global_step
        say(f"{self.name}: {state.max_steps - state.global_step} steps; the first one tells how long they take")

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.begun = self.begun or time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if not logs or "train_runtime" in logs:
            return
        where = f"{self.name} {state.global_step}/{state.max_steps}"
        if any(key.startswith("eval_") for key in logs):
            reward = logs.get("eval_reward")
            say(f"{where} · held out · reward {'none' if reward is None else f'{reward:.3f}'}")
            return
        values = "".join(f" · {key} {float(logs[key]):.3g}" for key in self.shown if logs.get(key) is not None)
        each = (time.monotonic() - self.begun) / max(1, state.global_step - self.first)
        left = about(each * (state.max_steps - state.global_step))
        say(f"{where}{values} · {each:.{0 if each >= 10 else 1}f} s a step · {left} left")


def about(seconds: float) -> str:
    """A duration as people say it: "about 40 s", "about 3 min"."""
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"


def say(text: str) -> None:
    """Print on the main process only."""
    if PartialState().is_main_process:
        print(text, flush=True)


def quiet(trainer: Any) -> None:
    """Drop the host's own bars and printed dictionaries; `ProgressLines` says it in words."""
    for callback in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(callback)


def quiet_libraries() -> None:
    """No bars for what takes a moment, and no warnings of TRL about transformers that a user can do nothing about."""
    logging.disable_progress_bar()
    datasets.disable_progress_bars()
    warnings.filterwarnings("ignore", message=".*gradient_checkpointing", category=FutureWarning)
