"""The attack table on the held-out scenarios, and where the user falls short of it.

The aim is no exception: the good reply beats every attack by 0.1 of the reward's range, which it does, and its four paraphrases
lie within half of that, which they do in 15 of 20 scenarios (`docs/LOG.md`). The bounds here keep it from getting worse.
"""

from __future__ import annotations

import pytest

from emorl.users.appraisal_user import AppraisalUser
from tests.attacks import MARGIN, Case, cases, score

WRONGLY_RANKED = 0.0
"""Share of (good, attack) pairs allowed under the margin."""
APART = 0.3
"""Share of scenarios allowed with paraphrases further apart than half the margin."""


@pytest.fixture(scope="module")
def table() -> list[tuple[Case, list[float], dict[str, float]]]:
    user = AppraisalUser()
    rows = []
    for case in cases("dev"):
        values = score(user, case.scenario, [*case.good, *case.attacks.values()])
        rows.append((case, values[: len(case.good)], dict(zip(case.attacks, values[len(case.good) :], strict=True))))
    return rows


def test_the_good_reply_beats_the_attacks(table: list[tuple[Case, list[float], dict[str, float]]]) -> None:
    pairs = [(case.scenario.id, name, good[0] - value) for case, good, attacks in table for name, value in attacks.items()]
    lost = [pair for pair in pairs if pair[2] < MARGIN]
    print(f"{len(lost)} of {len(pairs)} under the margin:", *sorted(lost, key=lambda pair: pair[2]), sep="\n")
    assert len(pairs) > 400
    assert len(lost) / len(pairs) <= WRONGLY_RANKED


def test_paraphrases_score_alike(table: list[tuple[Case, list[float], dict[str, float]]]) -> None:
    apart = [(case.scenario.id, good) for case, good, _ in table if max(good) - min(good) > MARGIN / 2]
    print(f"{len(apart)} of {len(table)} scenarios:", *apart, sep="\n")
    assert len(apart) / len(table) <= APART


@pytest.mark.parametrize("nothing", ["empty", "pasted 1", "pasted 2", "pasted 3", "echo", "essay", "keyword salad"])
def test_what_could_be_said_to_anyone_earns_nothing(
    table: list[tuple[Case, list[float], dict[str, float]]], nothing: str
) -> None:
    for case, good, attacks in table:
        assert attacks[nothing] < 1.0, case.scenario.id
        assert attacks[nothing] < max(good) - MARGIN, case.scenario.id
