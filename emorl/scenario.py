"""What a conversation is about: `Scenario`, the hidden record that a simulated user acts out."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from emorl.records import require

SCHEMA_VERSION = 1
NEUTRAL = 40.0
"""The point of the 0-100 emotion scale that is neither good nor bad."""

Emotion = Literal[
    "grief",
    "justified_anger",
    "unjust_anger",
    "anxiety",
    "panic",
    "shame",
    "loneliness",
    "overwhelm",
    "disappointment",
    "joy",
    "unstated",
]
STATED: tuple[Emotion, ...] = tuple(e for e in get_args(Emotion) if e != "unstated")
"""The feelings that have a name; "unstated" is for scenarios that give none, such as RLVER's published profiles."""
Intention = Literal["be_heard", "be_steadied", "be_backed", "decide", "act", "see_clearly", "repair", "celebrate"]
Belief = Literal["nothing", "wrong", "right"]


@dataclass(frozen=True)
class Claim:
    """A question of fact that the user may bring up, and what the user believes about it."""

    question: str
    gold: tuple[str, ...]
    """Accepted answers; the first is the canonical one."""
    wrong: tuple[str, ...]
    """Plausible wrong answers; the first is the one the user believes when `belief` is "wrong"."""
    statement: str
    """How the user says it inside the talk."""
    belief: Belief
    source: str
    """Where the fact comes from."""

    def __post_init__(self) -> None:
        require(bool(self.gold), "gold", "is empty", "Give at least one accepted answer.")
        require(bool(self.wrong), "wrong", "is empty", "Give at least one plausible wrong answer.")


@dataclass(frozen=True)
class Persona:
    """Who is speaking."""

    name: str
    age: int
    """Years, 5-110."""
    register: str
    """How this person speaks, in a few words: "plain, short sentences"."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Temperament: a factor in [0.5, 2] on each appraisal component; components left out have 1. Hidden from the policy."""

    def __post_init__(self) -> None:
        require(5 <= self.age <= 110, "age", f"is {self.age}", "Give years between 5 and 110.")
        for name, weight in self.weights.items():
            require(0.5 <= weight <= 2.0, f"weights.{name}", f"is {weight}", "Give a factor between 0.5 and 2.")


@dataclass(frozen=True)
class Disclosure:
    """Something the user reveals once they feel understood."""

    text: str
    """The user's own words."""
    particulars: tuple[str, ...]
    """The details in `text` that a listener would take up."""


@dataclass(frozen=True)
class Voice:
    """What this person says in reaction to being treated one way or another, in their own words."""

    repeat: tuple[str, ...]
    """Not taken in: says the point again."""
    correct: tuple[str, ...]
    """Misunderstood: puts the facts right."""
    hurt: tuple[str, ...]
    """Treated with contempt, blamed, belittled or pushed."""
    withdraw: tuple[str, ...]
    """Closes up."""
    thanks: tuple[str, ...]
    """Has had what they needed."""
    leave: tuple[str, ...]
    """Walks out."""


@dataclass(frozen=True)
class Difficulty:
    """How hard this user is to reach; each in [0, 1]."""

    patience: float
    """1: stays through bad replies; 0: leaves at the first."""
    openness: float
    """1: opens up to a reply that half meets them; 0: only to one that meets them well."""
    resistance: float
    """1: a good reply moves the emotion little; 0: fully."""

    def __post_init__(self) -> None:
        for name in ("patience", "openness", "resistance"):
            value = getattr(self, name)
            require(0.0 <= value <= 1.0, name, f"is {value}", "Give a number between 0 and 1.")


@dataclass(frozen=True)
class Scenario:
    """A person with a story, a feeling, and something they need. Only `opening` is shown to the policy."""

    id: str
    emotion: Emotion
    level: float
    """Emotion at the start, `e_0`, 0-100; 40 is neutral."""
    life_area: str
    situation: str
    """The story in the third person: what happened, to whom, who did what."""
    opening: str
    """The user's first message."""
    particulars: tuple[str, ...]
    """Details of `opening` that a listener would take up."""
    intention: Intention
    helps: tuple[str, ...]
    """Things that would help if said to this person, as sentences addressed to them."""
    hurts: tuple[str, ...]
    """Things that would hurt if said to this person, as sentences addressed to them."""
    disclosures: tuple[Disclosure, ...]
    voice: Voice
    persona: Persona
    difficulty: Difficulty
    apt_path: tuple[tuple[float, float], ...] | None
    """Bands `(lo, hi)` for the emotion after reply 1, 2, …; the last one holds. `None`: no path (an LLM user only)."""
    belief_attachment: float = 0.3
    """What a correction of the user's belief costs, in [0, 1]; never zero by default (zero is for sweeps)."""
    claims: tuple[Claim, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        require(bool(self.id), "id", "is empty", "Give every scenario a unique id.")
        require(bool(self.opening.strip()), "opening", "is empty", "Write the user's first message.")
        require(0.0 <= self.level <= 100.0, "level", f"is {self.level}", "Give an emotion between 0 and 100.")
        attachment, version = f"is {self.belief_attachment}", f"is {self.schema_version}"
        require(0.0 <= self.belief_attachment <= 1.0, "belief_attachment", attachment, "Give a number between 0 and 1.")
        require(self.schema_version == SCHEMA_VERSION, "schema_version", version, f"This emorl reads version {SCHEMA_VERSION}.")
        for i, (lo, hi) in enumerate(self.apt_path or ()):
            require(0.0 <= lo < hi <= 100.0, f"apt_path[{i}]", f"is ({lo}, {hi})", "Give 0 <= lo < hi <= 100.")
        require(self.apt_path is None or bool(self.apt_path), "apt_path", "is empty", "Give at least one band, or null for none.")

    def band(self, k: int) -> tuple[float, float]:
        """The band for the emotion after reply `k` (k >= 1). Raises `ValueError` where the scenario has no path."""
        if self.apt_path is None:
            raise ValueError(f"scenario {self.id!r} has no apt_path; give it one, or use a reward that needs none (FinalEmotion)")
        if k < 1:
            raise ValueError(f"bands are numbered from 1, got {k}")
        return self.apt_path[min(k, len(self.apt_path)) - 1]


def scenario_seed(scenario_id: str, visit: int = 0) -> int:
    """Seed of persona, difficulty and hidden goal: by (scenario, visit), hence shared by all siblings of a group."""
    return zlib.crc32(f"{scenario_id}/{visit}".encode())
