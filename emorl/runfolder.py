"""A run's files: `rollouts.jsonl` (every dialogue with its rewards) and `metrics.jsonl` (every logged scalar).

    rollouts.jsonl  {"step": 3, "phase": "train", "rewards": {"final_emotion": 0.41}, "weighted": 0.41, "dialogue": {…}}
    metrics.jsonl   {"step": 4, "loss": 0.02, "rewards/final_emotion/mean": 0.4, …}

A rollout's step is the number of optimizer steps that its policy had made, so training rollouts of step s become
metrics of step s + 1.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from emorl.dialogue import Dialogue
from emorl.records import to_dict

Phase = Literal["train", "eval"]


@dataclass(frozen=True)
class Rollout:
    """One line of `rollouts.jsonl`."""

    step: int
    """Optimizer steps made by the policy that spoke."""
    phase: Phase
    rewards: Mapping[str, float | None]
    weighted: float | None
    """Sum of the rewards by weight, in reward units, over those that are not `None`; `None` where all are."""
    dialogue: Dialogue


class RunFolder:
    """Appends to a run's two files. Only the process that is `main` writes; on all others every method does nothing."""

    def __init__(self, path: str | Path, *, main: bool = True) -> None:
        self.path, self.main = Path(path), main
        self.rollouts, self.metrics = self.path / "rollouts.jsonl", self.path / "metrics.jsonl"
        # What an earlier run left here ends at these offsets, in bytes.
        self._earlier = {file: file.stat().st_size if main and file.exists() else 0 for file in (self.rollouts, self.metrics)}
        if main:
            self.path.mkdir(parents=True, exist_ok=True)

    def begin(self, step: int) -> None:
        """Call when training begins. `step` 0: a new run; an earlier run's files are moved to `*.old.jsonl`.

        `step` > 0: resumed from the checkpoint of that step; whatever was written after it is dropped, since it will be
        written again: metrics and evaluations of later steps, training rollouts of this and later steps, and a line that
        was cut off in the middle.
        """
        if not self.main:
            return
        if step == 0:
            for file in (self.rollouts, self.metrics):
                self._set_aside(file)
            return
        _rewrite(self.rollouts, lambda line: line["step"] < step + (line["phase"] == "eval"))
        _rewrite(self.metrics, lambda line: line["step"] <= step)

    def add_rollouts(self, rollouts: Iterable[Rollout]) -> None:
        """Append one line for each."""
        self._append(self.rollouts, (to_dict(rollout) for rollout in rollouts))

    def add_metrics(self, step: int, logs: Mapping[str, Any]) -> None:
        """Append the scalars of `logs`; a NaN or an infinity becomes null, what is no number is left out."""
        scalars = {key: _finite(value) for key, value in logs.items() if value is None or isinstance(value, int | float)}
        self._append(self.metrics, [{"step": step} | scalars])

    def _append(self, file: Path, lines: Iterable[Mapping[str, Any]]) -> None:
        if not self.main:
            return
        with open(file, "a", encoding="utf-8") as out:
            out.writelines(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines)

    def _set_aside(self, file: Path) -> None:
        earlier, self._earlier[file] = self._earlier[file], 0
        if not earlier:
            return
        content = file.read_bytes()
        file.with_suffix(".old.jsonl").write_bytes(content[:earlier])
        _replace(file, content[earlier:])


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _rewrite(file: Path, keep: Callable[[Mapping[str, Any]], bool]) -> None:
    """Keep the lines that `keep` wants, and drop what follows the last line end (a write that was interrupted)."""
    if file.exists():
        *whole, _ = file.read_bytes().split(b"\n")
        _replace(file, b"".join(line + b"\n" for line in whole if keep(json.loads(line))))


def _replace(file: Path, content: bytes) -> None:
    """Write in one step, so that a crash leaves the old or the new file and nothing between."""
    draft = file.with_suffix(".tmp")
    draft.write_bytes(content)
    os.replace(draft, file)
