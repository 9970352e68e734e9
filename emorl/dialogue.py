"""What was said and felt: `Dialogue`, the record that rewards read and run folders keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from emorl.records import require
from emorl.scenario import SCHEMA_VERSION, Scenario

Stop = Literal["satisfied", "walked_out", "policy_ended", "turn_limit", "token_limit"]
Status = Literal["scored", "failed"]


@dataclass(frozen=True)
class Component:
    """One part of the user's appraisal of a reply."""

    name: str
    value: float
    """In [-1, 1] before the persona's weight: below 0 hurts, above 0 helps."""
    reason: str
    """Why, in words a person can check against the reply."""

    def __post_init__(self) -> None:
        require(-1.0 <= self.value <= 1.0, "value", f"is {self.value}", "Give a number between -1 and 1.")


@dataclass(frozen=True)
class Turn:
    """One reply of the policy and what it did to the user."""

    reply: str
    """What the user saw."""
    emotion: float
    """The user's emotion after the reply, `e_k`, 0-100."""
    change: float
    """The raw change of emotion, before clipping to 0-100."""
    words: str = ""
    """What the user said then, last words included; empty where nobody answered any more."""
    think: str = ""
    """The policy's private thoughts; the user never sees them."""
    components: tuple[Component, ...] = ()
    truncated: bool = False
    """The reply was cut off by a token limit."""

    def __post_init__(self) -> None:
        require(0.0 <= self.emotion <= 100.0, "emotion", f"is {self.emotion}", "Give an emotion between 0 and 100.")


@dataclass(frozen=True)
class Dialogue:
    """One whole conversation. Token ids, masks and log-probabilities stay with the trainer."""

    scenario: Scenario
    turns: tuple[Turn, ...]
    planned_turns: int
    """The number of replies the talk was planned for, >= 1; scores are means over these."""
    stop: Stop
    status: Status = "scored"
    failure: str = ""
    """Why a failed dialogue failed; empty for a scored one."""
    user: str = ""
    """Fingerprint of the simulated user: backend, weights, tables."""
    policy: str = ""
    step: int = 0
    """Optimizer step of the policy."""
    seed: int = 0
    """Seed of persona, difficulty and hidden goal: shared by all siblings of a group."""
    sibling: int = 0
    """Place in the group."""
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        require(self.planned_turns >= 1, "planned_turns", f"is {self.planned_turns}", "Plan at least one reply.")
        many = f"has {len(self.turns)} of {self.planned_turns} planned"
        require(len(self.turns) <= self.planned_turns, "turns", many, "Plan for every turn.")
        told = (self.status == "failed") == bool(self.failure)
        require(told, "failure", "does not agree with status", "A failed dialogue, and no other, says why.")
        require(self.status == "failed" or bool(self.turns), "turns", "is empty", "A scored dialogue has at least one turn.")
        version = f"is {self.schema_version}"
        require(self.schema_version == SCHEMA_VERSION, "schema_version", version, f"This emorl reads version {SCHEMA_VERSION}.")

    @property
    def truncated(self) -> bool:
        """Whether any reply was cut off."""
        return any(turn.truncated for turn in self.turns)

    @property
    def emotions(self) -> tuple[float, ...]:
        """`(e_0, e_1, …)`: the start, then the emotion after each reply."""
        return (self.scenario.level, *(turn.emotion for turn in self.turns))

    def planned_emotions(self) -> tuple[float | None, ...]:
        """Emotion after each *planned* reply. A satisfied user keeps the last emotion;
        after a walk-out, a token limit, or where the policy ended the talk unasked, the missing turns are `None`
        (they score 0)."""
        felt: list[float | None] = [turn.emotion for turn in self.turns]
        missing = self.planned_turns - len(felt)
        keeps = self.stop == "satisfied"
        return tuple(felt + [felt[-1] if keeps and felt else None] * missing)
