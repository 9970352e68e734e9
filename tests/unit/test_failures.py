"""When failures are too many."""

from __future__ import annotations

import json

import pytest

from emorl.failures import FailureRate


def test_verdicts_follow_the_thresholds() -> None:
    watch = FailureRate(minimum=20, window=100)
    assert watch.update(["down"] * 19) == "fine"  # too few to judge
    assert watch.update(["down"]) == "stop"
    watch = FailureRate(minimum=20, window=100)
    assert watch.update([""] * 95 + ["down"] * 5) == "fine"  # exactly 5 %
    assert watch.update(["down"]) == "warn"
    assert watch.update(["down"] * 14) == "warn"  # exactly 20 %
    assert watch.rate == 0.20
    assert watch.update(["down"]) == "stop"


def test_old_failures_are_forgotten() -> None:
    watch = FailureRate(minimum=10, window=50)
    assert watch.update(["down"] * 10) == "stop"
    assert watch.update([""] * 50) == "fine"
    assert watch.rate == 0.0


def test_the_reason_names_what_fails() -> None:
    watch = FailureRate()
    watch.update(["", "timed out", "timed out", "off schema"])
    assert watch.reason() == "3 of the last 4 dialogues failed (75%): 2 x timed out; 1 x off schema"


def test_state_round_trips_and_a_stopped_run_starts_afresh() -> None:
    watch, other = FailureRate(minimum=4), FailureRate(minimum=4)
    watch.update([""] * 9 + ["down"])
    other.load_state_dict(json.loads(json.dumps(watch.state_dict())))
    assert other.reason() == watch.reason() and other.update([]) == "warn"
    watch.update(["down"] * 10)
    other.load_state_dict(watch.state_dict())
    assert other.rate == 0.0


def test_thresholds_are_checked() -> None:
    with pytest.raises(ValueError, match="warn <= stop"):
        FailureRate(warn=0.5, stop=0.2)
