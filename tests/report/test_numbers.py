"""The numbers behind the curves, against numpy and by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pytest

from emorl.dialogue import Dialogue, Turn
from emorl.report import numbers
from emorl.report.scale import ticks
from emorl.runfolder import Rollout
from tests.scripted_user import make_scenario


def rollout(
    score: float | None,
    *,
    step: int = 0,
    scenario: int = 0,
    seed: int = 0,
    phase: Literal["train", "eval"] = "train",
    **changes: Any,
) -> Rollout:
    turns = (Turn("one two three", 40.0, 10.0),)
    dialogue = Dialogue(make_scenario(scenario), turns, 1, "turn_limit", seed=seed, **changes)
    return Rollout(step, phase, {"a": score}, score, dialogue)


def values(curve: Sequence[numbers.Point]) -> dict[float, Any]:
    return dict(curve)


def test_spread_is_the_mean_over_groups_of_the_sd_over_siblings() -> None:
    # Two groups at step 0 that differ by scenario, one more by seed; the group means differ widely and must not count.
    table: dict[tuple[int, int], Sequence[float]] = {(0, 0): (0.1, 0.4, 0.2), (1, 0): (5.0, 5.5, 7.0), (0, 1): (-3.0, -3.1)}
    rollouts = [rollout(x, scenario=s, seed=seed) for (s, seed), xs in table.items() for x in xs]
    expected = np.mean([np.std(xs, ddof=1) for xs in table.values()])
    assert values(numbers.spread_curve(rollouts, numbers.weighted)) == {0: pytest.approx(expected)}


def test_spread_leaves_out_single_siblings_and_missing_scores() -> None:
    rollouts = (
        [rollout(x) for x in (1.0, 3.0, None)] + [rollout(9.0, scenario=1), rollout(None, scenario=1)] + [rollout(1.0, step=2)]
    )
    assert values(numbers.spread_curve(rollouts, numbers.reward("a"))) == {0: pytest.approx(np.std([1.0, 3.0], ddof=1))}


def test_siblings_of_different_steps_are_different_groups() -> None:
    rollouts = [rollout(x, step=step) for step, x in ((0, 0.0), (0, 0.0), (1, 9.0), (1, 9.0))]
    assert numbers.spread_curve(rollouts, numbers.weighted) == [(0, 0.0), (1, 0.0)]


def test_means_leave_out_what_has_no_score_but_failures_count_all() -> None:
    failed = rollout(None, status="failed", failure="timed out")
    rollouts = [rollout(0.2), rollout(0.4), failed]
    assert values(numbers.mean_curve(rollouts, numbers.weighted)) == {0: pytest.approx(0.3)}
    assert values(numbers.mean_curve(rollouts, numbers.failed)) == {0: pytest.approx(1 / 3)}
    assert numbers.last_emotion(failed) is None
    assert numbers.mean_curve([failed], numbers.weighted) == []


def test_change_compares_the_quarters_at_the_ends() -> None:
    scores = {
        0: (0.0, 0.2),
        1: (0.2, 0.4),
        2: (9.0, 9.0),
        3: (9.0, 9.0),
        4: (9.0, 9.0),
        5: (9.0, 9.0),
        6: (1.0, 1.4),
        7: (1.2, 2.0),
    }
    rollouts = [rollout(x, step=step, scenario=i) for step, xs in scores.items() for i, x in enumerate(xs)]
    change = numbers.change(rollouts, numbers.weighted)
    early, late = (0.0, 0.2, 0.2, 0.4), (1.0, 1.4, 1.2, 2.0)
    assert change is not None and change.steps == 2
    assert change.early == pytest.approx(np.mean(early))
    assert change.late == pytest.approx(np.mean(late))
    assert change.error == pytest.approx(np.sqrt(np.var(early, ddof=1) / 4 + np.var(late, ddof=1) / 4))
    assert numbers.change(rollouts[:2], numbers.weighted) is None


def test_paired_compares_only_scenarios_met_at_both_ends() -> None:
    first, last = {0: 0.1, 1: 0.5, 2: 9.0}, {0: 0.4, 1: 0.6}
    rollouts = [rollout(x, step=0, scenario=s, phase="eval") for s, x in first.items()]
    # Another seed: a visit at another time meets the same scenario.
    rollouts += [rollout(x, step=8, scenario=s, seed=8, phase="eval") for s, x in last.items()]
    change = numbers.paired(rollouts, numbers.weighted)
    assert change is not None
    assert change.late - change.early == pytest.approx(0.2)
    assert change.error == pytest.approx(np.std([0.3, 0.1], ddof=1) / np.sqrt(2))
    assert numbers.paired(rollouts[:3], numbers.weighted) is None


def test_thinning_keeps_the_mean_and_says_how_much() -> None:
    points = [(float(i), float(i % 7)) for i in range(1000)]
    thin, size = numbers.thinned(points, most=100)
    assert (len(thin), size) == (100, 10)
    assert np.mean([y for _, y in thin]) == pytest.approx(np.mean([y for _, y in points]))
    assert numbers.thinned(points[:5]) == (points[:5], 1)
    assert numbers.thinned([]) == ([], 1)


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (-3.0, -3.0), (0.41, 0.43), (-0.4, 0.0), (1e-6, 3e-6), (0.0, 12345.0)])
def test_ticks_span_the_values_and_rise(low: float, high: float) -> None:
    found = ticks(low, high)
    assert found[0] <= low and found[-1] >= high and 2 <= len(found) <= 8
    assert all(a < b for a, b in pairwise(found))
