"""What the user says next, from appraisals made by hand."""

from __future__ import annotations

import pytest

from emorl.scenarios import load
from emorl.users.appraisal import Appraisal
from emorl.users.speech import Talk, answer, said

EVERYONE = [*load("train"), *load("dev")]
MET = Appraisal((), met=1.0, hurt=0.0, misread=False)
UNMET = Appraisal((), met=0.0, hurt=0.0, misread=False)
HURT = Appraisal((), met=0.0, hurt=0.8, misread=False)
MISREAD = Appraisal((), met=0.1, hurt=0.2, misread=True)


def start(index: int = 0) -> Talk:
    return Talk(EVERYONE[index], 0, EVERYONE[index].level)


@pytest.mark.parametrize(
    ("appraisal", "mood"), [(UNMET, "repeat"), (HURT, "hurt"), (MISREAD, "correct")], ids=["unmet", "hurt", "misread"]
)
def test_the_line_suits_the_treatment(appraisal: Appraisal, mood: str) -> None:
    for index, scenario in enumerate(EVERYONE):
        words, _, ending = answer(start(index), appraisal)
        assert ending == "walked_out" or words in getattr(scenario.voice, mood), scenario.id


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
