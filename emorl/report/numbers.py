"""The numbers behind the curves, computed from the rollouts themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, stdev

from emorl.dialogue import Dialogue
from emorl.runfolder import Rollout

Point = tuple[float, float]
"""(optimizer step, value)."""
Value = Callable[[Rollout], float | None]


def reward_names(rollouts: Iterable[Rollout]) -> list[str]:
    """Names of the rewards, in order of first appearance."""
    return list(dict.fromkeys(name for rollout in rollouts for name in rollout.rewards))


def reward(name: str) -> Value:
    """The value of one reward."""
    return lambda rollout: rollout.rewards.get(name)


def weighted(rollout: Rollout) -> float | None:
    """The weighted sum that the trainer saw."""
    return rollout.weighted


def failed(rollout: Rollout) -> float:
    """1 for a failed dialogue, else 0."""
    return float(rollout.dialogue.status == "failed")


def last_emotion(rollout: Rollout) -> float | None:
    """`e_T` of a scored dialogue, 0-100."""
    return None if failed(rollout) else rollout.dialogue.emotions[-1]


def ended(*stops: str) -> Value:
    """1 where a scored dialogue stopped in one of these ways, else 0."""
    return lambda rollout: None if failed(rollout) else float(rollout.dialogue.stop in stops)


def words_per_reply(rollout: Rollout) -> float | None:
    """Mean number of words of the visible replies, split at white space."""
    return fmean(len(turn.reply.split()) for turn in rollout.dialogue.turns) if rollout.dialogue.turns else None


def by_step(rollouts: Iterable[Rollout]) -> dict[int, list[Rollout]]:
    """Step -> its rollouts, steps ascending."""
    steps: dict[int, list[Rollout]] = defaultdict(list)
    for rollout in rollouts:
        steps[rollout.step].append(rollout)
    return dict(sorted(steps.items()))


def groups(rollouts: Iterable[Rollout]) -> dict[tuple[int, str, int], list[Rollout]]:
    """(step, scenario id, seed) -> the siblings: the same person on the same day, met by several samples of one policy."""
    found: dict[tuple[int, str, int], list[Rollout]] = defaultdict(list)
    for rollout in rollouts:
        dialogue: Dialogue = rollout.dialogue
        found[rollout.step, dialogue.scenario.id, dialogue.seed].append(rollout)
    return dict(sorted(found.items()))


def _values(rollouts: Iterable[Rollout], value: Value) -> list[float]:
    return [v for v in map(value, rollouts) if v is not None]


def mean_curve(rollouts: Iterable[Rollout], value: Value) -> list[Point]:
    """Mean per step over the dialogues that have a value; steps without any are left out."""
    return [(step, fmean(values)) for step, some in by_step(rollouts).items() if (values := _values(some, value))]


def group_means(rollouts: Iterable[Rollout], value: Value) -> list[Point]:
    """One point per group: the mean of its siblings."""
    return [(key[0], fmean(values)) for key, some in groups(rollouts).items() if (values := _values(some, value))]


def spread_curve(rollouts: Iterable[Rollout], value: Value) -> list[Point]:
    """Within-group spread per step: the mean over the groups of the standard deviation (n - 1) over siblings.

    Groups with fewer than two values have no spread and are left out.
    """
    steps: dict[int, list[float]] = defaultdict(list)
    for (step, _, _), some in groups(rollouts).items():
        if len(values := _values(some, value)) > 1:
            steps[step].append(stdev(values))
    return [(step, fmean(deviations)) for step, deviations in steps.items()]


@dataclass(frozen=True)
class Change:
    """From the first quarter of the steps to the last; `error` is the standard error of `late - early` over groups."""

    early: float
    late: float
    error: float | None
    """`None` where either end has fewer than two groups."""
    steps: int
    """Steps at each end."""


def change(rollouts: Sequence[Rollout], value: Value) -> Change | None:
    """How a value moved; `None` below two steps.

    Groups are taken as independent, which flatters the error where the same scenarios come again and again.
    """
    means = group_means(rollouts, value)
    steps = sorted({step for step, _ in means})
    if len(steps) < 2:
        return None
    n = max(1, len(steps) // 4)
    early = [v for step, v in means if step <= steps[n - 1]]
    late = [v for step, v in means if step >= steps[-n]]
    enough = min(len(early), len(late)) > 1
    error = sqrt(stdev(early) ** 2 / len(early) + stdev(late) ** 2 / len(late)) if enough else None
    return Change(fmean(early), fmean(late), error, n)


def thinned(points: Sequence[Point], most: int = 160) -> tuple[list[Point], int]:
    """At most about `most` points, each the mean of as many neighbours as is returned beside them (1: untouched)."""
    size = -(-len(points) // most) or 1
    bins = [points[i : i + size] for i in range(0, len(points), size)]
    return [(fmean(x for x, _ in some), fmean(y for _, y in some)) for some in bins] if size > 1 else list(points), size


def paired(rollouts: Iterable[Rollout], value: Value) -> Change | None:
    """From the first held-out measurement to the last, over the scenarios met at both; `steps`: measurements.

    `None` below two measurements, or where they share no scenario.
    """
    met: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for rollout in rollouts:
        if rollout.phase == "eval" and (v := value(rollout)) is not None:
            met[rollout.step][rollout.dialogue.scenario.id].append(v)
    held_out = {step: {scenario: fmean(values) for scenario, values in some.items()} for step, some in met.items()}
    if len(held_out) < 2:
        return None
    first, last = held_out[min(held_out)], held_out[max(held_out)]
    shared = sorted(set(first) & set(last))
    if not shared:
        return None
    moved = [last[key] - first[key] for key in shared]
    error = stdev(moved) / sqrt(len(moved)) if len(moved) > 1 else None
    return Change(fmean(first[key] for key in shared), fmean(last[key] for key in shared), error, len(held_out))
