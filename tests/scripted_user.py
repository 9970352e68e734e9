"""A simulated user for tests: deterministic, with fails and endings on order, and a scenario to act out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emorl.dialogue import Component
from emorl.scenario import Claim, Difficulty, Disclosure, Persona, Scenario, Voice
from emorl.users.base import Ending, Reaction, Reply

_LINES = ("Nobody listens to me at work.", "I am still angry.", "What should I do?", "Thank you, that helps.")


class ScriptedUser:
    """Emotion moves by `warmth` for each letter of `letters` in the reply, up to 10 a turn, and down by 5 without any.

    `endings` maps a turn (from 1) to how the talk ends there, for the scenarios in `ends` (all of them by default);
    talks of the scenarios in `fails` fail at turn `fails_at`. All of it is a function of scenario, seed and replies.
    """

    def __init__(
        self,
        *,
        letters: str = "ae",
        warmth: float = 0.5,
        fails: Sequence[str] = (),
        fails_at: int = 1,
        fails_when: str | None = None,
        endings: Mapping[int, Ending] | None = None,
        ends: Sequence[str] | None = None,
        words: str | None = None,
        needs_apt_path: bool = False,
        name: str = "scripted/1",
    ) -> None:
        self.letters, self.warmth = letters, warmth
        self.fails, self.fails_at, self.fails_when = tuple(fails), fails_at, fails_when
        self.endings, self.ends = dict(endings or {}), ends
        self.words, self._needs_apt_path, self.name = words, needs_apt_path, name
        self.heard: list[str] = []
        """Every reply that reached the user, in order."""
        self.truncated: list[bool] = []
        self.resets: list[tuple[str, int]] = []
        """(scenario id, seed) of every talk begun."""

    @property
    def fingerprint(self) -> str:
        return self.name

    @property
    def needs_apt_path(self) -> bool:
        return self._needs_apt_path

    def reset(self, scenarios: Sequence[Scenario], seeds: Sequence[int], siblings: Sequence[int] | None = None) -> list[Any]:
        self.resets += [(s.id, seed) for s, seed in zip(scenarios, seeds, strict=True)]
        return [{"id": s.id, "emotion": s.level, "turn": 0, "seed": seed} for s, seed in zip(scenarios, seeds, strict=True)]

    def react(self, states: Sequence[Any], replies: Sequence[Reply]) -> list[Reaction]:
        return [self._react(state, reply) for state, reply in zip(states, replies, strict=True)]

    def _react(self, state: Mapping[str, Any], reply: Reply) -> Reaction:
        self.heard.append(reply.text)
        self.truncated.append(reply.truncated)
        turn = state["turn"] + 1
        if turn == self.fails_at and (
            state["id"] in self.fails or (self.fails_when is not None and self.fails_when in reply.text)
        ):
            return Reaction(0.0, 0.0, "", (), None, failure=f"scripted failure at turn {turn}")
        hits = sum(reply.text.count(letter) for letter in self.letters)
        change = min(10.0, self.warmth * hits) if hits else -5.0
        emotion = min(100.0, max(0.0, state["emotion"] + change))
        ending = self.endings.get(turn) if self.ends is None or state["id"] in self.ends else None
        words = self.words if self.words is not None else _LINES[(state["seed"] + turn) % len(_LINES)]
        parts = (Component("letters", max(-1.0, min(1.0, change / 10.0)), f"{hits} of {self.letters!r}"),)
        return Reaction(emotion, change, words, parts, {**state, "emotion": emotion, "turn": turn}, ending)

    def state_dict(self) -> dict[str, Any]:
        return {"name": self.name}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state["name"] != self.name:
            raise ValueError(f"the state is of {state['name']!r}, this user is {self.name!r}")


def make_scenario(i: int = 0, **changes: Any) -> Scenario:
    """A complete small scenario; the same `i` is the same scenario. `changes` replace fields."""
    things = ("the dog", "the kitchen", "my sister", "the exam", "my boss", "the bus")
    thing = things[i % len(things)]
    fields: dict[str, Any] = {
        "id": f"test-{i}",
        "emotion": ("grief", "anxiety", "loneliness", "shame")[i % 4],
        "level": 30.0,
        "life_area": "home",
        "situation": f"Something happened with {thing} and nobody asked about it.",
        "opening": f"I feel sad about {thing} today, number {i}.",
        "particulars": (thing,),
        "intention": "be_heard",
        "helps": (f"It makes sense that {thing} weighs on you.",),
        "hurts": (f"Just forget about {thing}.",),
        "disclosures": (Disclosure(f"It began with {thing} last May.", ("last May",)),),
        "voice": Voice(
            ("I said it hurts.",), ("No, that is not it.",), ("That hurt.",), ("Never mind.",), ("Thank you.",), ("I am going.",)
        ),
        "persona": Persona(name="Ada", age=30 + i % 50, register="plain, short sentences"),
        "difficulty": Difficulty(patience=0.5, openness=0.5, resistance=0.5),
        "apt_path": ((25.0, 45.0), (30.0, 50.0)),
        "claims": (
            Claim(
                "What is the capital of Burundi?",
                ("Gitega",),
                ("Bujumbura",),
                "Bujumbura is the capital.",
                "wrong",
                "common knowledge",
            ),
        ),
    }
    return Scenario(**(fields | changes))
