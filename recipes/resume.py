"""Which checkpoint a run goes on from."""

from __future__ import annotations

from pathlib import Path

from emorl.integrations.trl.callbacks import STATE_FILE


def is_checkpoint(folder: str | Path) -> bool:
    """Whether `folder` is a whole checkpoint: the kit's state is written last, so an interrupted save lacks it."""
    return Path(folder, STATE_FILE).is_file() and Path(folder, "trainer_state.json").is_file()


def last_checkpoint(output_dir: str | Path) -> Path | None:
    """The newest whole checkpoint of a run folder."""
    steps = {path.name.removeprefix("checkpoint-"): path for path in Path(output_dir).glob("checkpoint-*") if is_checkpoint(path)}
    newest = max((int(step) for step in steps if step.isdigit()), default=None)
    return None if newest is None else steps[str(newest)]


def checkpoint(resume: str, output_dir: str | Path) -> Path | None:
    """The checkpoint that `resume` (auto, never, or a folder) means; `None`: start anew."""
    if resume == "never":
        return None
    return last_checkpoint(output_dir) if resume == "auto" else Path(resume)
