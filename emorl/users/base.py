"""The protocol of simulated users: batched, functional in the state of each talk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from emorl.dialogue import Component
from emorl.scenario import Scenario

Ending = Literal["satisfied", "walked_out"]


@dataclass(frozen=True)
class Reply:
    """What the policy said. Thoughts never reach the user, so they are not here."""

    text: str
    truncated: bool = False
    """Cut off by a token limit."""


@dataclass(frozen=True)
class Reaction:
    """What a reply did to the user."""

    emotion: float
    """After the reply, 0-100."""
    change: float
    """Raw change, before clipping."""
    words: str
    """What the user says next; the last words where `ending` is set."""
    components: tuple[Component, ...]
    state: Any
    """The state to hand to the next `react`; opaque to callers, JSON-serialisable."""
    ending: Ending | None = None
    """Set where the user ends the talk."""
    failure: str = ""
    """Why the user could not react; then all else is meaningless and the dialogue is failed."""


class User(Protocol):
    """A simulated user: a pure function of scenario, seed and replies, so that siblings and resumed runs agree."""

    @property
    def fingerprint(self) -> str:
        """Backend, weights' hash, tables' version: runs with different fingerprints are not comparable."""
        ...

    @property
    def needs_apt_path(self) -> bool:
        """Whether scenarios without an `apt_path` must be refused at start."""
        ...

    def reset(self, scenarios: Sequence[Scenario], seeds: Sequence[int], siblings: Sequence[int] | None = None) -> list[Any]:
        """The state of each new talk, before the first reply.

        `siblings`: the place of each talk in its group (`None`: all 0). Whatever a user is, it is by scenario and seed alone;
        only the sampling noise of a user that samples may differ among siblings.
        """
        ...

    def react(self, states: Sequence[Any], replies: Sequence[Reply]) -> list[Reaction]:
        """React to one reply in each talk. Order and composition of the batch do not matter."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs to go on with the very same user."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore; raises `ValueError` where the state is of another user."""
        ...
