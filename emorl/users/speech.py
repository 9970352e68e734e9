"""What the user says next: opens up, repeats, corrects, is hurt, withdraws, thanks, leaves — in the scenario's own words."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from emorl.scenario import Scenario
from emorl.users.appraisal import Appraisal, Said
from emorl.users.base import Ending


@dataclass(frozen=True)
class Talk:
    """Where a talk stands. Everything the user needs to go on, as plain data."""

    scenario: Scenario
    seed: int
    emotion: float
    turn: int = 0
    opened: int = 0
    """Disclosures made so far."""
    strain: float = 0.0
    """Grows with being unmet and with injury; at 1 the user leaves."""
    spoken: tuple[str, ...] = ()
    """Lines used, so that nobody says the same twice."""
    last: str = ""
    """The previous reply, to notice a repeated one."""


def said(talk: Talk) -> Said:
    """What the next reply answers: the opening, or the last disclosure with the opening before it."""
    told = [talk.scenario.opening, *(d.text for d in talk.scenario.disclosures[: talk.opened])]
    if not talk.opened:
        return Said(told[0], talk.scenario.particulars, _known(talk, told))
    latest = talk.scenario.disclosures[talk.opened - 1]
    return Said(f"{told[0]} {latest.text}", latest.particulars, _known(talk, told))


def _known(talk: Talk, told: list[str]) -> str:
    return " ".join([*told, *talk.scenario.particulars, talk.scenario.persona.name, *talk.spoken])


def answer(talk: Talk, appraisal: Appraisal) -> tuple[str, Talk, Ending | None]:
    """(words, the talk after them, whether the user ends it). Pure: the same talk and appraisal give the same words."""
    scenario, hard = talk.scenario, talk.scenario.difficulty
    tolerance = 0.9 + 1.6 * hard.patience
    strain = max(0.0, talk.strain + (0.9 * appraisal.hurt + 0.35 * (1 - appraisal.met) - 0.3 * appraisal.met) / tolerance)
    after = replace(talk, strain=strain)
    if strain >= 1.0:
        return _say(after, "leave", "walked_out")
    if appraisal.insulted:
        return _say(after, "hurt")
    if appraisal.misread and appraisal.met < 0.6:
        return _say(after, "correct")
    if appraisal.met >= 0.5 + 0.3 * (1 - hard.openness):
        enough = 1 + round(2 * hard.resistance)
        if talk.opened >= min(enough, len(scenario.disclosures)):
            return _say(after, "thanks", "satisfied")
        return scenario.disclosures[talk.opened].text, replace(after, opened=talk.opened + 1), None
    return _say(after, "repeat" if strain < 0.5 else "withdraw")


_NEXT = {"repeat": "withdraw", "correct": "withdraw", "hurt": "withdraw"}


def _say(talk: Talk, mood: str, ending: Ending | None = None) -> tuple[str, Talk, Ending | None]:
    """A line of this mood not yet used; where none is left, the user closes up, and at last leaves."""
    lines = [line for line in getattr(talk.scenario.voice, mood) if line not in talk.spoken]
    if not lines:
        if mood in ("thanks", "leave"):
            return "", talk, ending
        return _say(talk, _NEXT[mood]) if mood in _NEXT else _say(talk, "leave", "walked_out")
    line = random.Random(f"{talk.seed}/{talk.scenario.id}/{talk.turn}/{mood}").choice(lines)
    return line, replace(talk, spoken=(*talk.spoken, line)), ending
