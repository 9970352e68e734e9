"""The numbers of each reward, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorl.dialogue import Dialogue, Stop, Turn
from emorl.records import RecordError
from emorl.rewards import EmotionTracking, EmotionTrajectory, FinalEmotion, LengthRepetitionGuard, ThinkFormat
from emorl.rewards.tracking import LABELS, TRACKING_PROMPT, brier, read_feels
from emorl.think import split_think
from tests.scripted_user import make_scenario

PATH = ((25.0, 45.0), (30.0, 50.0))


def talk(*emotions: float, planned: int | None = None, stop: Stop = "turn_limit", **scenario: Any) -> Dialogue:
    turns = tuple(Turn("I hear you.", e, 0.0) for e in emotions)
    return Dialogue(make_scenario(**({"apt_path": PATH} | scenario)), turns, planned or len(turns), stop)


@pytest.mark.parametrize(
    ("dialogue", "expected"),
    [
        (talk(35.0, 40.0), 1.0),  # inside both bands
        (talk(25.0, 50.0), 1.0),  # the edges belong to the band
        (talk(20.0), 0.8),  # 5 below 25: 1 - 5/25
        (talk(20.0, 60.0), (0.8 + 0.6) / 2),  # 5 below 25, then 10 above 50
        (talk(100.0, 0.0), 0.0),  # 55 above and 30 below: both at the floor
        (talk(35.0, 40.0, 55.0), (1 + 1 + 0.8) / 3),  # the last band holds: 5 above 50
        (talk(35.0, planned=4, stop="walked_out"), 0.25),  # three missing turns score 0
        (talk(35.0, planned=4, stop="policy_ended"), 0.25),
        (talk(35.0, planned=4, stop="token_limit"), 0.25),
        (talk(45.0, planned=4, stop="satisfied"), 1.0),  # keeps 45, inside every later band
        (talk(27.5, planned=3, stop="satisfied"), (1 + 0.9 + 0.9) / 3),  # keeps 27.5, which is 2.5 below 30
    ],
)
def test_emotion_trajectory(dialogue: Dialogue, expected: float) -> None:
    assert EmotionTrajectory().score(dialogue) == pytest.approx(expected, abs=1e-12)


def test_emotion_trajectory_prefers_the_apt_path_to_the_happiest_and_takes_a_tolerance() -> None:
    grief = make_scenario(apt_path=((20.0, 30.0),))
    apt, happiest = (Dialogue(grief, (Turn("…", e, 0.0),), 1, "turn_limit") for e in (30.0, 95.0))
    assert EmotionTrajectory().score(apt) == 1.0
    assert EmotionTrajectory().score(happiest) == 0.0
    assert EmotionTrajectory(tolerance=130.0).score(happiest) == 0.5
    with pytest.raises(RecordError, match="tolerance"):
        EmotionTrajectory(tolerance=0.0)


def test_final_emotion_is_the_level_at_the_end() -> None:
    assert FinalEmotion().score(talk(10.0, 62.5)) == 0.625
    assert FinalEmotion().score(talk(62.5, 10.0, planned=5, stop="walked_out")) == 0.1


@pytest.mark.parametrize(
    ("think", "expected"),
    [
        ("feels: grief 1", 1.0),
        ("feels: grief 0.7, shame 0.2, joy 0.1", 1 - (0.09 + 0.04 + 0.01) / 2),
        ("feels: shame 1", 0.0),  # sure and wrong: brier 2
        ("feels: grief 50%, unjust anger 50%", 0.75),
        ("So.\n  Feels: Grief 3, joy 1.\nI will ask.", 1 - (0.0625 + 0.0625) / 2),
        ("feels: " + ", ".join(f"{label} 0.1" for label in LABELS), 0.55),
        ("", 0.0),
        ("I feel it is grief", 0.0),
        ("feels: rage 1", 0.0),
        ("feels: grief", 0.0),
        ("feels: grief 0", 0.0),
        ("feels: grief -1, joy 2", 0.0),
        ("feels: grief 0.5, grief 0.5", 0.0),
        ("feels: grief 1\nfeels: shame 1", 0.0),
        ("feels: grief " + "9" * 400, 0.0),
    ],
)
def test_emotion_tracking(think: str, expected: float) -> None:
    dialogue = Dialogue(make_scenario(0), (Turn("I hear you.", 30.0, 0.0, think=think),), 3, "walked_out")
    assert dialogue.scenario.emotion == "grief"
    assert EmotionTracking().score(dialogue) == pytest.approx(expected, abs=1e-12)


def test_emotion_tracking_is_the_mean_over_replies_and_its_prompt_is_readable() -> None:
    turns = tuple(Turn("I hear you.", 30.0, 0.0, think=t) for t in ("feels: grief 1", "nothing", "feels: shame 1"))
    assert EmotionTracking().score(Dialogue(make_scenario(0), turns, 3, "turn_limit")) == pytest.approx(1 / 3)
    assert read_feels(TRACKING_PROMPT) == pytest.approx({"grief": 0.7, "loneliness": 0.2, "shame": 0.1})


DISTRIBUTIONS = st.lists(st.integers(0, 50), min_size=3, max_size=3).filter(any).map(lambda n: [x / sum(n) for x in n])


@given(DISTRIBUTIONS, DISTRIBUTIONS)
def test_brier_is_proper(belief: list[float], stated: list[float]) -> None:
    labels = LABELS[:3]

    def expected(p: list[float]) -> float:
        return sum(b * brier(dict(zip(labels, p, strict=True)), truth) for b, truth in zip(belief, labels, strict=True))

    assert expected(belief) <= expected(stated) + 1e-12


@pytest.mark.parametrize(
    ("text", "think", "reply", "well_formed"),
    [
        ("<think>a</think>b", "a", "b", 1.0),
        (" <think>\na\n</think>\n\nb ", "a", "b", 1.0),
        ("a</think>b", "a", "b", 1.0),  # the template wrote the opening tag
        ("b", "", "b", 0.0),
        ("<think></think>b", "", "b", 0.0),
        ("<think>a</think>", "a", "", 0.0),
        ("<think>a", "<think>a", "", 0.0),
        ("b<think>a", "<think>a", "b", 0.0),
        ("b<think>a</think>c", "b<think>a", "c", 0.0),
        ("<think>a</think>b<think>c</think>d", "a</think>b<think>c", "d", 0.0),
        ("<think>a</think>b<think>c", "a<think>c", "b", 0.0),
        ("<think><think>a</think>b", "<think>a", "b", 0.0),
    ],
)
def test_think_format(text: str, think: str, reply: str, well_formed: float) -> None:
    assert split_think(text) == (think, reply)
    turn = Turn(reply, 30.0, 0.0, think=think)
    assert ThinkFormat().score(Dialogue(make_scenario(), (turn,), 1, "turn_limit")) == well_formed


@given(st.lists(st.sampled_from(["<think>", "</think>", "secret ", "said "]), max_size=8).map("".join))
def test_no_tag_ever_reaches_the_user(text: str) -> None:
    _, reply = split_think(text)
    assert "think>" not in reply


def said(*replies: str) -> Dialogue:
    return Dialogue(make_scenario(), tuple(Turn(r, 30.0, 0.0) for r in replies), len(replies), "turn_limit")


@pytest.mark.parametrize(
    ("dialogue", "expected"),
    [
        (said("one two three four"), 0.0),
        (said("one two three"), -0.25),  # L = (4 - 3) / 4
        (said(""), -1.0),
        (said("a b c d e f g h i j k l"), -0.5),  # 12 words: L = (12 - 8) / 8
        (said("a b c d e f g h i j k l m n o p q"), -1.0),  # 17 words: L = 9/8, cut at 1
        (said("go home go home go"), -0.5),  # bigrams: go home, home go, and both again: R = 2/4
        (said("one two three four", "one two three five"), -1 / 3),  # second reply: 2 of 3 bigrams are old
        (said("one two three four", "ONE, two… three four!"), -0.5),  # all old: R = 1
        (said("it's a late hour", "it’s a late hour"), -0.5),  # either apostrophe
    ],
)
def test_length_repetition_guard(dialogue: Dialogue, expected: float) -> None:
    guard = LengthRepetitionGuard(min_words=4, max_words=8, ngram=2)
    assert guard.score(dialogue) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("bad", [{"min_words": 0}, {"min_words": 9, "max_words": 8}, {"ngram": 0}])
def test_length_repetition_guard_refuses_bad_windows(bad: dict[str, Any]) -> None:
    with pytest.raises(RecordError):
        LengthRepetitionGuard(**bad)
