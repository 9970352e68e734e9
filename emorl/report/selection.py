"""Which dialogues the page shows: enough for the best and the worst ten of the last steps, for each emotion on its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from emorl.report import numbers
from emorl.report.numbers import Value
from emorl.report.run import Run
from emorl.runfolder import Rollout

TEN = 10
LAST = 40
"""The last steps are as few as hold this many dialogues."""
FAILED = 20
"""Failed dialogues shown at most: the latest ones, of the whole run."""


@dataclass(frozen=True)
class Shown:
    """One dialogue on the page."""

    rollout: Rollout
    score: float | None
    """What ranks it; `None` for a failed dialogue."""


@dataclass(frozen=True)
class Selection:
    """The dialogues of one phase."""

    phase: str
    talks: Sequence[Shown]
    """Scored ones from best to worst, then failed ones from the latest."""
    counts: Counter[str]
    """Emotion -> scored dialogues in the last steps, of which the shown ones are a part."""
    steps: tuple[int, int]
    """First and last of the last steps."""


def ranking(run: Run) -> tuple[str, Value]:
    """What ranks the dialogues, with its name: the total, else the first reward that has values, else the last emotion."""
    candidates = [("total reward", numbers.weighted), *((n, numbers.reward(n)) for n in numbers.reward_names(run.rollouts))]
    for name, value in candidates:
        if any(value(r) is not None for r in run.rollouts):
            return name, value
    return "emotion at the end", numbers.last_emotion


def select(run: Run, phase: str, value: Value) -> Selection | None:
    """The dialogues of a phase to show; `None` where the run has none."""
    rollouts = [r for r in run.rollouts if r.phase == phase]
    if not rollouts:
        return None
    last = _last(rollouts, 1 if phase == "eval" else LAST)
    scored = [Shown(r, score) for r in last if (score := value(r)) is not None and not numbers.failed(r)]
    scored.sort(key=lambda shown: -(shown.score or 0.0))
    failures = [Shown(r, None) for r in reversed(rollouts) if numbers.failed(r)]
    counts: Counter[str] = Counter(shown.rollout.dialogue.scenario.emotion for shown in scored)
    steps = sorted({r.step for r in last})
    return Selection(phase, [*_ends(scored, counts), *failures[:FAILED]], counts, (steps[0], steps[-1]))


def _last(rollouts: Sequence[Rollout], enough: int) -> list[Rollout]:
    """The rollouts of as few last steps as hold `enough`."""
    last: list[Rollout] = []
    for some in reversed(numbers.by_step(rollouts).values()):
        last = some + last
        if len(last) >= enough:
            break
    return last


def _ends(ranked: Sequence[Shown], emotions: Iterable[str]) -> list[Shown]:
    """Those among the ten at either end, of all or of their own emotion; the order stays."""
    lists = [list(range(len(ranked)))]
    lists += [[i for i in lists[0] if ranked[i].rollout.dialogue.scenario.emotion == emotion] for emotion in emotions]
    kept = {i for some in lists for i in (*some[:TEN], *some[-TEN:])}
    return [shown for i, shown in enumerate(ranked) if i in kept]
