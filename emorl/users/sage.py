"""How feelings move in SAGE (arXiv 2505.02847) and RLVER (arXiv 2507.03112), and the replay of SAGE's published dialogues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emorl.records import RecordError, loads, text_lines

CEILING = 100.0


@dataclass(frozen=True)
class Rules:
    """How an emotion on the 0-100 scale moves, and when it ends the talk."""

    name: str
    start: float | None
    """Where every talk starts; `None`: at its scenario's own level."""
    most: float | None
    """The most that one reply can move it; `None`: no limit."""
    leaves_below: float = 10.0
    """Whoever has sunk below this, from above or from a start below it, walks out."""

    def moved(self, emotion: float, change: float) -> float:
        """The emotion after a change: the change clipped, the sum capped at 100 from above and not from below, as published."""
        if self.most is not None:
            change = max(-self.most, min(self.most, change))
        return min(CEILING, emotion + change)


OWN = Rules("own", start=None, most=10.0)
"""The default: SAGE's steps from the scenario's own level."""
SAGE = Rules("sage", start=40.0, most=10.0)
RLVER = Rules("rlver", start=30.0, most=None)
RULES = {rules.name: rules for rules in (OWN, SAGE, RLVER)}


def replay(record: Mapping[str, Any], rules: Rules = SAGE) -> list[tuple[float, float]]:
    """(recomputed, published) emotion at each of the user's turns of one published dialogue.

    Each is recomputed from the emotion *recomputed* before it, so that one wrong step shows in all that follow.
    """
    out: list[tuple[float, float]] = []
    emotion = rules.start if rules.start is not None else float(record["history"][0]["emotion-point"])
    for turn in record["history"]:
        if turn["role"] != "user":
            continue
        if "planning" in turn:  # the first words answer nothing
            emotion = rules.moved(emotion, int(turn["planning"]["change"]))
        out.append((emotion, float(turn["emotion-point"])))
    return out


def published(path: str | Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, record) of each dialogue of a `*_result.jsonl`. Raises `RecordError` for a file of another kind."""
    for where, line in text_lines(path):
        record = loads(line, where=where)
        if not isinstance(record, dict) or "history" not in record:
            raise RecordError("is no SAGE dialogue", where=where, field="history", remedy="Give a *_result.jsonl of SAGE's.")
        yield where, record
