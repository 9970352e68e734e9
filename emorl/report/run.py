"""Reading a run folder: what is there, and in plain words what is not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emorl.records import RecordError, from_dict, loads, text_lines
from emorl.runfolder import Rollout

Scalars = Mapping[str, float]


@dataclass(frozen=True)
class Run:
    """All that the page shows."""

    name: str
    rollouts: Sequence[Rollout]
    metrics: Mapping[int, Scalars]
    """Optimizer step -> the finite scalars logged there, steps ascending."""
    config: Mapping[str, Any] | None
    """Dotted key -> value; `None` where config.yaml is absent or could not be read."""
    notes: Sequence[str] = field(default=())
    """What is missing or was left out, and why."""

    def setting(self, *names: str) -> Any:
        """The first configured value whose dotted key is, or ends in, one of `names`; `None` where there is none."""
        for name in names:
            for key, value in (self.config or {}).items():
                if key == name or key.endswith(f".{name}"):
                    return value
        return None


def read(run_dir: str | Path) -> Run:
    """Read a run folder.

    Raises `FileNotFoundError` where there is no such folder and `RecordError` where it holds no rollouts and no metrics,
    or a line that cannot be read (the last one excepted: a run that was interrupted leaves it half written).
    """
    folder = Path(run_dir)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder; give a run folder, the one that holds rollouts.jsonl")
    notes: list[str] = []
    rollouts = [_rollout(where, line) for where, line in _lines(folder / "rollouts.jsonl", notes)]
    metrics = _metrics(folder / "metrics.jsonl", notes)
    if not rollouts and not metrics:
        raise RecordError(
            "holds no rollouts and no metrics",
            where=str(folder),
            remedy="Give a run folder with a rollouts.jsonl or metrics.jsonl that is not empty.",
        )
    config = _config(folder / "config.yaml", notes)
    return Run(folder.resolve().name, rollouts, metrics, config, notes)


def _lines(path: Path, notes: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    if not path.is_file():
        notes.append(f"There is no {path.name}: what is drawn from it is missing below.")
        return
    count, cut = _shape(path)
    if not count:
        notes.append(f"{path.name} is empty: what is drawn from it is missing below.")
    try:
        for where, line in text_lines(path):
            data = loads(line, where=where)
            if not isinstance(data, dict):
                raise RecordError("is not an object", where=where, remedy="Put one JSON object on each line.")
            yield where, data
    except RecordError as err:
        if not (cut and err.where == f"{path}, line {count}"):
            raise
        notes.append(f"The last line of {path.name} breaks off in the middle (an interrupted run?) and was left out.")


def _shape(path: Path) -> tuple[int, bool]:
    """Number of lines, and whether the last one lacks its line end."""
    count, ended = 0, True
    with path.open("rb") as lines:
        for line in lines:
            count, ended = count + 1, line.endswith(b"\n")
    return count, not ended


def _rollout(where: str, line: Mapping[str, Any]) -> Rollout:
    if not isinstance(line.get("dialogue"), dict):
        raise RecordError("missing", where=where, field="dialogue", remedy="Add 'dialogue' (a Dialogue).")
    # Only the dialogue is needed: a file of dialogues that nobody scored is worth reading too.
    defaults = {"step": line["dialogue"].get("step", 0), "phase": "train", "rewards": {}, "weighted": None}
    return from_dict(Rollout, defaults | {key: line[key] for key in (*defaults, "dialogue") if key in line}, where=where)


def _metrics(path: Path, notes: list[str]) -> dict[int, dict[str, float]]:
    """TRL logs training and evaluation of one step on two lines; here they are one."""
    metrics: dict[int, dict[str, float]] = {}
    dropped: set[str] = set()
    for where, line in _lines(path, notes):
        step = line.get("step")
        if not isinstance(step, int):
            raise RecordError("missing or no whole number", where=where, field="step", remedy="Add 'step', optimizer steps made.")
        for key, value in line.items():
            if key != "step" and _is_number(value):
                metrics.setdefault(step, {})[key] = float(value)
            elif key != "step":
                dropped.add(key)
    if dropped:
        notes.append("Not finite numbers at some steps, so with gaps below: " + ", ".join(sorted(dropped)) + ".")
    return dict(sorted(metrics.items()))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _config(path: Path, notes: list[str]) -> dict[str, Any] | None:
    if not path.is_file():
        notes.append("There is no config.yaml: settings are not shown, and reasons that depend on them are guesses.")
        return None
    try:
        import yaml  # comes with the trainers; the page can do without
    except ImportError:
        notes.append("config.yaml was not read: PyYAML is not installed here.")
        return None
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as err:
        notes.append(f"config.yaml could not be read: {str(err).splitlines()[0]}.")
        return None
    return dict(_flat("", data)) if isinstance(data, dict) else {}


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), item)
    else:
        yield prefix, value
