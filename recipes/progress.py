"""Progress as plain lines with an estimate of the time left, readable in a terminal and in a log file."""

from __future__ import annotations

import time
from typing import Any

from transformers import TrainerCallback
from transformers.trainer_callback import PrinterCallback, ProgressCallback


class ProgressLines(TrainerCallback):
    """One line per logged step: `grpo 3/12 · reward 0.61 · 21 s a step · about 3 min left`.

    The estimate is the mean of the steps of this run so far, evaluations included, so it does not start before the first.
    """

    def __init__(self, name: str, shown: tuple[str, ...]) -> None:
        self.name, self.shown = name, shown
        self.begun, self.first = 0.0, 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.begun, self.first = time.monotonic(), state.global_step
        if state.is_world_process_zero:
            print(f"{self.name}: {state.max_steps - state.global_step} steps; the first one tells how long they take", flush=True)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        done = state.global_step - self.first
        if not state.is_world_process_zero or not logs or "train_runtime" in logs:
            return
        values = " · ".join(f"{key} {float(logs[key]):.3g}" for key in self.shown if logs.get(key) is not None)
        if any(key.startswith("eval_") for key in logs):
            print(
                f"{self.name} {state.global_step}/{state.max_steps} · held out · reward {logs.get('eval_reward', 0.0):.3f}",
                flush=True,
            )
            return
        each = (time.monotonic() - self.begun) / max(1, done)
        left = each * (state.max_steps - state.global_step)
        print(
            f"{self.name} {state.global_step}/{state.max_steps} · {values} · {each:.0f} s a step · {about(left)} left", flush=True
        )


def about(seconds: float) -> str:
    """A duration as people say it: "about 40 s", "about 3 min"."""
    return f"about {seconds:.0f} s" if seconds < 90 else f"about {seconds / 60:.0f} min"


def quiet(trainer: Any) -> None:
    """Drop the host's own bars and printed dictionaries; `ProgressLines` says it in words."""
    for callback in (ProgressCallback, PrinterCallback):
        trainer.remove_callback(callback)
