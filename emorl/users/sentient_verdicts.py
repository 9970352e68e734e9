"""What `SentientUser` asks its model for, and how it tells the model who it is."""

from __future__ import annotations

from typing import Literal

from emorl.llm import Verdict
from emorl.scenario import Scenario


class Feeling(Verdict):
    """What a reply did to the person: SAGE's five steps, the change last."""

    meaning: str
    aims: str
    activity: str
    feeling: str
    change: int
    """Points of emotion, meant to lie in -10 to 10; what lies outside is kept as the raw change and clipped in the update."""


class Speech(Verdict):
    """What the person says next."""

    analysis: str
    draft: str
    words: str
    leaving: Literal["no", "satisfied", "fed_up"]


def persona_of(scenario: Scenario) -> str:
    """Who speaks, as a text."""
    who, hard = scenario.persona, scenario.difficulty
    traits = [
        (hard.patience > 0.6, "You put up with a lot before you go."),
        (hard.patience < 0.4, "You lose patience soon."),
        (hard.openness > 0.6, "You open up easily."),
        (hard.openness < 0.4, "You open up late."),
        (hard.resistance > 0.6, "Words hardly move you."),
    ]
    told = [text for holds, text in traits if holds]
    return " ".join([f"{who.name}, {who.age}. Way of speaking: {who.register}.", *told])


def scene_of(scenario: Scenario) -> str:
    """The story, with what is told late, what would help and what would hurt."""
    parts = [scenario.situation]
    lists = {
        "What you have not told yet, and tell one by one once you feel understood:": [d.text for d in scenario.disclosures],
        "Words of this kind would help you:": scenario.helps,
        "Words of this kind would hurt you:": scenario.hurts,
    }
    for heading, items in lists.items():
        if items:
            parts.append("\n".join([heading, *(f"- {item}" for item in items)]))
    return "\n\n".join(parts)
