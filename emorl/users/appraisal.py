"""How a reply is appraised: one value and one reason per component, and what they add up to.

After the appraisal theories of emotion (Lazarus 1991; Scherer 2001; Ellsworth & Scherer 2003): is it about me and my
story (relevance), does it serve what I need (goal congruence), can I do something with it (coping potential), and does
it respect me (norms). No component rewards positive words: a good reply to a sad person carries sad words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from emorl.dialogue import Component
from emorl.scenario import Scenario
from emorl.users.encoder import Encoder
from emorl.users.listener import Listener, Verdict, heard
from emorl.users.signals import clip, ill_formed, intention, invented, parroting, ramp, understanding
from emorl.users.text import finished_part

TABLES = "tables:7"
"""Version of every constant that shapes an appraisal; part of the user's fingerprint."""

WEIGHTS: Mapping[str, float] = {
    "understood": 0.10,
    "sense": 0.80,
    "intention": 0.15,
    "faithful": 0.10,
    "warmth": 0.10,
    "help": 0.10,
    "respect": 0.10,
    "timing": 0.10,
    "honesty": 0.10,
    "form": 1.00,
}
"""What a full component is worth, before the persona's own factor."""

UNMET, MET = 0.3, 0.5
"""Sum of weighted components at which a user does not feel met at all, and fully: gains saturate there."""
UNMET_BY_WORDS, MET_BY_WORDS = 0.05, 0.20
"""The same without a listener, whose *sense* is most of the sum."""
NOT_MINE = 0.1
"""Below this understanding a reply counts less and less, whatever else it does: it could have been said to anyone."""
WOUNDS = {"respect": 0.6, "help": 0.6, "warmth": 0.6, "faithful": 0.6, "honesty": 0.6}
"""How deep each full injury goes, in [0, 1]."""
INSULTS, INSULTED = ("respect", "help", "warmth"), 0.4
"""Injuries that are meant or feel so, and how deep they go before the user answers them as such: being mistaken about my story
or promising too much hurts as well, but nobody answers it with "how dare you"."""
SUSPECT, SURE = 0.6, 0.95
"""The listener's probability at which the user begins to take a reply amiss, and is sure."""


@dataclass(frozen=True)
class Said:
    """What the user has just said, and the details in it."""

    words: str
    particulars: tuple[str, ...]
    known: str
    """Everything the user has told so far."""


@dataclass(frozen=True)
class Appraisal:
    """The components, and what they add up to."""

    components: tuple[Component, ...]
    met: float
    """How far the user feels met, in [0, 1]."""
    hurt: float
    """How deep the injuries go, in [0, 1]."""
    insulted: bool
    """The reply went against me, what I need or what I feel."""
    misread: bool
    """The reply got the story or the feeling wrong."""


def appraise(
    scenario: Scenario, said: Said, reply: str, truncated: bool, encoder: Encoder, listener: Listener | None
) -> Appraisal:
    """Appraise one reply. Nothing after the last complete sentence earns anything."""
    whole = reply.strip()
    kept = finished_part(whole)
    verdict = listener.judge(heard(scenario.emotion, said.words), kept) if listener and kept else None
    parts = [*_of_story(scenario, said, kept, encoder, verdict), *_of_manner(scenario, said, kept, verdict)]
    cost, why = ill_formed(whole, truncated)
    parts.append(Component("form", round(-cost, 4) + 0.0, why or "reads as a finished reply"))
    return weigh(parts, scenario.persona.weights)


def _of_story(scenario: Scenario, said: Said, reply: str, encoder: Encoder, verdict: Verdict | None) -> list[Component]:
    value, taken = understanding(encoder, said.particulars, reply, said.words)
    copied = parroting(reply, said.words)
    bland = _taken_amiss(verdict.share("stock")) if verdict else 0.0
    value *= 1.0 - bland
    why = f"took up: {'; '.join(taken)}" if taken and value > 0 else "took up nothing of what I said"
    why = "only hands my own words back" if copied > 0.5 else "that could be said to anyone" if bland > 0.5 else why
    out = [Component("understood", round(value, 4), why)]
    cost, strange = invented(reply, said.known)
    if verdict:
        out.append(Component("sense", round(verdict.sense, 4), _sense_reason(verdict.sense)))
        twisted = verdict.share("wrong_person", "invented", "nonsense", "elsewhere")
        told = "that is not what happened" if twisted > SUSPECT else "true to what I told"
        out.append(_amiss("faithful", min(1.0, twisted + cost), f"I never mentioned {strange}" if cost > 0.3 else told))
    else:
        out.append(Component("faithful", round(-cost, 4), f"I never mentioned {strange}" if cost else "true to what I told"))
    return out


def _of_manner(scenario: Scenario, said: Said, reply: str, verdict: Verdict | None) -> list[Component]:
    value, done = intention(scenario, reply)
    need = f"I needed to {scenario.intention.replace('_', ' ')}"
    out = [Component("intention", round(value, 4), f"it {_list(done)}" if done else need)]
    if verdict is None:
        return out
    judged = (
        ("warmth", ("wrong_feeling",), "that is not how I feel", "the tone fits how I feel"),
        ("help", ("harm", "collude"), "that would do harm", "nothing in it would harm"),
        ("respect", ("contempt", "minimise", "calm_down"), "it talks down to me", "it takes me seriously"),
        ("timing", ("lecture", "false_cheer"), "too early, or too cheerful, for that", "it does not rush me"),
        ("honesty", ("flattery", "promise"), "flattery, or a promise nobody can keep", "it does not oversell"),
    )
    for name, kinds, bad, good in judged:
        share = verdict.share(*kinds)
        out.append(_amiss(name, share, bad if share > SUSPECT else good))
    return out


def _amiss(name: str, share: float, why: str) -> Component:
    """A component that can only cost: 0 up to `SUSPECT`, -1 from `SURE` on."""
    return Component(name, round(-_taken_amiss(share), 4) + 0.0, why)


def _taken_amiss(share: float) -> float:
    """How sure the user is, in [0, 1], that a reply is of a kind to which the listener gives this probability."""
    return ramp(share, SUSPECT, SURE)


def weigh(parts: Sequence[Component], persona: Mapping[str, float]) -> Appraisal:
    """Add up the components under a persona's weights."""
    value = {c.name: c.value for c in parts}
    total = sum(WEIGHTS[name] * persona.get(name, 1.0) * v for name, v in value.items())
    low, high = (UNMET, MET) if "sense" in value else (UNMET_BY_WORDS, MET_BY_WORDS)
    met = ramp(total, low, high) * ramp(value["understood"], 0.0, NOT_MINE)
    wounds = {name: depth * persona.get(name, 1.0) * -value.get(name, 0.0) for name, depth in WOUNDS.items()}
    insulted = sum(wounds[name] for name in INSULTS) >= INSULTED
    misread = min(value.get("faithful", 0.0), value.get("warmth", 0.0)) < -0.4
    return Appraisal(tuple(parts), round(met, 4), hurt=round(clip(sum(wounds.values())), 4), insulted=insulted, misread=misread)


def _sense_reason(sense: float) -> str:
    return "it makes sense to me" if sense > 0.6 else "it half makes sense to me" if sense > 0.35 else "it makes no sense to me"


def _list(done: frozenset[str]) -> str:
    said = {
        "ask": "asks me",
        "step": "offers a step",
        "share": "shares my joy",
        "side": "calls the wrong a wrong",
        "turn": "shows me another side",
        "steady": "steadies me",
        "name": "names what I feel",
    }
    return " and ".join(said[d] for d in sorted(done))
