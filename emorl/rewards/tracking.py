"""A reward for knowing what the user feels."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from emorl.dialogue import Dialogue
from emorl.rewards.base import Reward
from emorl.scenario import STATED

LABELS: tuple[str, ...] = STATED

TRACKING_PROMPT = (
    "Before you answer, think between <think> and </think>. In your thoughts write one line that says what the user feels now, "
    "with probabilities, for example:\nfeels: grief 0.7, loneliness 0.2, shame 0.1\nUse these words: " + ", ".join(LABELS) + "."
)
"""What to append to the system prompt so that the policy knows the format."""

_LINE = re.compile(r"^[ \t]*feels[ \t]*:(.*)$", re.IGNORECASE | re.MULTILINE)
_ENTRY = re.compile(r"([a-z][a-z _-]*?)[ \t]*[:=]?[ \t]*(\d+(?:\.\d+)?|\.\d+)[ \t]*%?", re.IGNORECASE)


def read_feels(think: str) -> Mapping[str, float] | None:
    """The distribution stated in a think block: label -> probability, summing to 1; `None` where it is unreadable.

    The format is one line, `feels:` and then labels with weights, separated by commas; any case, `_` or a space inside a
    label, percentages allowed. The weights are divided by their sum and labels left out have 0. Unreadable are: no such
    line or more than one, an unknown label or one named twice, anything that is not a weight, weights that are all 0.

    >>> read_feels("He misses her.\\nfeels: grief 75%, justified anger 25%")
    {'grief': 0.75, 'justified_anger': 0.25}
    """
    lines = _LINE.findall(think)
    if len(lines) != 1:
        return None
    weights: dict[str, float] = {}
    for part in lines[0].strip().rstrip(".,").split(","):
        entry = _ENTRY.fullmatch(part.strip())
        if entry is None:
            return None
        label = re.sub(r"[ -]+", "_", entry[1].strip().lower())
        if label not in LABELS or label in weights:
            return None
        weights[label] = float(entry[2])
    total = sum(weights.values())
    if not (math.isfinite(total) and total > 0):
        return None
    return {label: weight / total for label, weight in weights.items()}


def brier(stated: Mapping[str, float], truth: str) -> float:
    """Brier score of a distribution against the true label, in [0, 2], 0 best: the sum over labels of `(p - 1[truth])^2`.

    >>> round(brier({"grief": 0.7, "shame": 0.3}, "grief"), 2)
    0.18
    """
    return sum((stated.get(label, 0.0) - (label == truth)) ** 2 for label in {*stated, truth})


@dataclass(frozen=True, kw_only=True)
class EmotionTracking(Reward):
    """How well the policy's thoughts say what the user feels, in [0, 1]: the mean over the replies given of

        1 - brier / 2,   brier = sum over labels of (p_label - 1[label is the scenario's emotion])^2

    The distribution stands in the think block (`read_feels` has the format, `TRACKING_PROMPT` tells the policy).
    Unreadable scores 0, the worst, and never `None`: else a policy could choose not to be scored. The score is proper:
    its mean is greatest where the policy states what it believes. A uniform guess over the ten labels scores 0.55.
    `None`, does not apply, where the scenario names no feeling.
    Source: Brier (1950), "Verification of forecasts expressed in terms of probability".

    >>> round(1 - brier({"grief": 0.7, "shame": 0.3}, "grief") / 2, 2)
    0.91
    """

    name: str = "emotion_tracking"

    def _score(self, dialogue: Dialogue) -> float | None:
        truth = dialogue.scenario.emotion
        if truth not in LABELS:
            return None
        stated = [read_feels(turn.think) for turn in dialogue.turns]
        return sum(0.0 if p is None else 1.0 - brier(p, truth) / 2.0 for p in stated) / len(stated)
