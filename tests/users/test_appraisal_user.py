"""The embedded user: deterministic, independent of the batch, never content with nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emorl.records import to_dict
from emorl.scenario import Scenario
from emorl.scenarios import load
from emorl.users import make
from emorl.users.appraisal import Appraisal
from emorl.users.appraisal_user import AppraisalUser
from emorl.users.base import Reaction, Reply
from emorl.users.speech import Talk
from tests.attacks import MARGIN, cases, score

GOOD = {case.scenario.id: case.good[0] for case in cases("train")}
EVERYONE = [*load("train"), *load("dev")]


@pytest.fixture(scope="module")
def user() -> AppraisalUser:
    return AppraisalUser()


@pytest.fixture(scope="module")
def lexical() -> AppraisalUser:
    return AppraisalUser(backend="lexical")


def talk(user: AppraisalUser, scenario: Scenario, replies: list[str], seed: int = 0) -> list[Reaction]:
    (state,) = user.reset([scenario], [seed])
    reactions = []
    for reply in replies:
        (reaction,) = user.react([state], [Reply(reply)])
        reactions.append(reaction)
        state = reaction.state
        if reaction.ending:
            break
    return reactions


def test_same_seed_same_talk_whatever_the_batch(user: AppraisalUser) -> None:
    scenarios = list(load("train")[:4])
    replies = [Reply(GOOD[s.id]) for s in scenarios]
    together = user.react(user.reset(scenarios, [1, 2, 3, 4]), replies)
    backwards = user.react(user.reset(scenarios[::-1], [4, 3, 2, 1]), replies[::-1])
    alone = [user.react(user.reset([s], [i + 1]), [r])[0] for i, (s, r) in enumerate(zip(scenarios, replies, strict=True))]
    assert together == backwards[::-1] == alone
    again = AppraisalUser()
    assert again.fingerprint == user.fingerprint
    assert again.react(again.reset(scenarios, [1, 2, 3, 4]), replies) == together


@pytest.mark.parametrize("nothing", ["", "Okay."])
def test_an_emotion_that_is_not_met_leaves_its_band_within_two_turns(lexical: AppraisalUser, nothing: str) -> None:
    for scenario in EVERYONE:
        felt = [r.emotion for r in talk(lexical, scenario, [nothing, nothing])]
        outside = [not lo <= e <= hi for e, (lo, hi) in zip(felt, map(scenario.band, (1, 2)), strict=False)]
        assert any(outside), scenario.id


def test_fully_met_the_emotion_goes_to_the_middle_of_the_band(lexical: AppraisalUser) -> None:
    for scenario in EVERYONE:
        lo, hi = scenario.band(1)
        change = lexical._change(Talk(scenario, 0, scenario.level), Appraisal((), 1.0, 0.0, insulted=False, misread=False))
        assert lo <= scenario.level + change <= hi, scenario.id


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(max_size=120), min_size=1, max_size=5), st.integers(0, 9))
def test_any_replies_keep_the_invariants(replies: list[str], seed: int) -> None:
    user = make("appraisal", backend="lexical")
    scenario = EVERYONE[seed]
    for reaction in talk(user, scenario, replies, seed):
        assert 0.0 <= reaction.emotion <= 100.0
        assert reaction.words or reaction.ending
        assert all(-1.0 <= c.value <= 1.0 and c.reason for c in reaction.components)
        json.dumps(to_dict(reaction.state))


def test_nobody_says_the_same_twice(lexical: AppraisalUser) -> None:
    for scenario in EVERYONE:
        said = [r.words for r in talk(lexical, scenario, ["Hm. I do not know about that, really."] * 8) if r.words]
        assert len(said) == len(set(said)), scenario.id


def test_the_pure_python_backend_says_so() -> None:
    assert "lexical" in make("appraisal", backend="lexical").fingerprint
    with pytest.raises(ValueError, match="minilm"):
        make("appraisal", backend="bert")
    with pytest.raises(ValueError, match="appraisal"):
        make("nobody")


def test_by_words_alone_a_good_reply_beats_one_to_anybody_and_one_that_is_no_reply(lexical: AppraisalUser) -> None:
    """What needs no understanding; a sneer in the right words fools it, as its documentation says."""
    plain = ("pasted 1", "pasted 2", "pasted 3", "echo", "essay", "generic cheer", "empty", "repeated", "1,000 words", "cut off")
    gains = []
    for case in cases("train"):
        good, *rest = score(lexical, case.scenario, [case.good[0], *(case.attacks[name] for name in plain)])
        gains += [good - value for value in rest]
    assert sum(gain < MARGIN for gain in gains) <= 0.01 * len(gains)


def test_a_checkpoint_of_another_user_is_refused(user: AppraisalUser, lexical: AppraisalUser) -> None:
    user.load_state_dict(user.state_dict())
    with pytest.raises(ValueError, match="same user"):
        lexical.load_state_dict(user.state_dict())


def test_the_user_opens_up_when_understood_and_is_hurt_when_despised(user: AppraisalUser) -> None:
    opened = hurt = 0
    for case in cases("train")[:12]:
        (kind,) = user.react(user.reset([case.scenario], [0]), [Reply(case.good[0])])
        (cruel,) = user.react(user.reset([case.scenario], [0]), [Reply(case.attacks["contempt 1"])])
        opened += kind.words == case.scenario.disclosures[0].text or kind.ending == "satisfied"
        hurt += cruel.emotion < kind.emotion
    assert hurt == 12
    assert opened >= 8
