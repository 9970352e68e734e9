"""What a reward says about a file of dialogues, before any training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import StatisticsError, correlation, fmean, stdev

from emorl.dialogue import Dialogue
from emorl.records import from_dict, loads, text_lines
from emorl.rewards.base import Reward
from emorl.rewards.form import words


@dataclass(frozen=True)
class Summary:
    """One reward over many dialogues."""

    name: str
    scored: int
    """Dialogues with a score."""
    unscored: int
    """Dialogues without: failed ones."""
    mean: float | None
    sd: float | None
    """Standard deviation (n - 1); `None` below two scores."""
    length_r: float | None
    """Pearson correlation of the score with the words per reply, in [-1, 1]; `None` where either does not vary. Far from 0
    it warns that training may move the length instead of what the reward is meant to measure."""


def read_dialogues(path: str | Path) -> Iterator[Dialogue]:
    """The dialogues of a JSON-lines file: one `Dialogue` on each line, or an object that holds one as `dialogue`, as the
    lines of a run's rollouts.jsonl may."""
    for where, line in text_lines(path):
        data = loads(line, where=where)
        yield from_dict(Dialogue, data["dialogue"] if isinstance(data, dict) and "dialogue" in data else data, where=where)


def summarise(reward: Reward, dialogues: Sequence[Dialogue]) -> Summary:
    """Mean, spread, number unscored and correlation with length of one reward.

    >>> from emorl.rewards import final_emotion
    >>> summarise(final_emotion, []).mean is None
    True
    """
    scores = [reward.score(d) for d in dialogues]
    pairs = [(score, _words_per_reply(d)) for score, d in zip(scores, dialogues, strict=True) if score is not None]
    values = [score for score, _ in pairs]
    return Summary(
        reward.name,
        len(values),
        len(scores) - len(values),
        fmean(values) if values else None,
        stdev(values) if len(values) > 1 else None,
        _correlation(values, [length for _, length in pairs]),
    )


def _words_per_reply(dialogue: Dialogue) -> float:
    return fmean(len(words(turn.reply)) for turn in dialogue.turns)


def _correlation(x: Sequence[float], y: Sequence[float]) -> float | None:
    try:
        return correlation(x, y)
    except StatisticsError:  # fewer than two, or one of them is constant
        return None
