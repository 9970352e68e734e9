"""What the user says next, from appraisals made by hand."""

from __future__ import annotations

import pytest

from emorl.dialogue import Component
from emorl.scenarios import load
from emorl.users.appraisal import WOUNDS, Appraisal, weigh
from emorl.users.speech import Talk, answer, said

EVERYONE = [*load("train"), *load("dev")]
MET = Appraisal((), met=1.0, hurt=0.0, insulted=False, misread=False)
UNMET = Appraisal((), met=0.0, hurt=0.0, insulted=False, misread=False)
HURT = Appraisal((), met=0.0, hurt=0.8, insulted=True, misread=False)
MISREAD = Appraisal((), met=0.1, hurt=0.6, insulted=False, misread=True)
OVERDONE = Appraisal((), met=0.0, hurt=0.6, insulted=False, misread=False)


def start(index: int = 0) -> Talk:
    return Talk(EVERYONE[index], 0, EVERYONE[index].level)


@pytest.mark.parametrize(
    ("appraisal", "moods"),
    [(UNMET, ["repeat"]), (HURT, ["hurt"]), (MISREAD, ["correct"]), (OVERDONE, ["repeat", "withdraw"])],
    ids=["unmet", "hurt", "misread", "overdone"],
)
def test_the_line_suits_the_treatment(appraisal: Appraisal, moods: list[str]) -> None:
    for index, scenario in enumerate(EVERYONE):
        words, _, ending = answer(start(index), appraisal)
        fitting = [line for mood in moods for line in getattr(scenario.voice, mood)]
        assert ending == "walked_out" or words in fitting, scenario.id


@pytest.mark.parametrize(
    ("injury", "insulted", "misread"),
    [
        ("respect", True, False),
        ("help", True, False),
        ("warmth", True, True),
        ("faithful", False, True),
        ("honesty", False, False),
    ],
)
def test_every_injury_hurts_and_not_every_one_is_an_insult(injury: str, insulted: bool, misread: bool) -> None:
    parts = [Component("understood", 1.0, ""), Component("sense", 1.0, ""), Component(injury, -1.0, "")]
    appraisal = weigh(parts, {})
    assert appraisal.hurt == WOUNDS[injury]
    assert (appraisal.insulted, appraisal.misread) == (insulted, misread)


def test_understood_the_user_opens_up_in_order_and_is_satisfied() -> None:
    for index, scenario in enumerate(EVERYONE):
        talk, heard = start(index), []
        for _ in range(5):
            words, talk, ending = answer(talk, MET)
            heard.append(words)
            if ending:
                break
        assert ending == "satisfied", scenario.id
        assert heard[-1] in scenario.voice.thanks
        assert heard[:-1] == [d.text for d in scenario.disclosures[: len(heard) - 1]]


def test_a_disclosure_is_what_the_next_reply_answers() -> None:
    talk = start()
    words, talk, _ = answer(talk, MET)
    now = said(talk)
    assert now.words.endswith(words)
    assert now.particulars == talk.scenario.disclosures[0].particulars


def test_hurt_again_and_again_the_user_leaves_sooner_without_patience() -> None:
    stays = {}
    for index, scenario in enumerate(EVERYONE):
        talk, turns, ending = start(index), 0, None
        while ending is None and turns < 20:
            _, talk, ending = answer(talk, HURT)
            turns += 1
        assert ending == "walked_out", scenario.id
        stays[scenario.difficulty.patience] = turns
    assert stays[max(stays)] > stays[min(stays)]
