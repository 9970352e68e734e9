"""`SentientUser`: a language model that plays the user, by SAGE's steps of reasoning (arXiv 2505.02847, section 3)."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from emorl.dialogue import Component
from emorl.llm import Client, LLMFailure, Prompt, Request
from emorl.scenario import Scenario
from emorl.users.base import Ending, Reaction, Reply
from emorl.users.sage import CEILING, OWN, Rules
from emorl.users.sentient_verdicts import Feeling, Speech, persona_of, scene_of

PROMPTS = Path(__file__).parent / "prompts"
Hardness = Literal["vanilla", "challenging"]


@dataclass(frozen=True)
class SentientTalk:
    """Where a talk stands, as plain data."""

    scenario: Scenario
    seed: int
    sibling: int
    emotion: float
    turn: int = 0
    said: tuple[tuple[str, str], ...] = ()
    """(speaker, words) from the opening on; speakers are "you" and "assistant"."""


class SentientUser:
    """Two calls for each reply: what it does to the person (five steps, the change of emotion last), and what they say then.

    Persona, story and difficulty come from the scenario and are shared by all siblings of a group; the server's sampling noise is
    seeded by sibling. A call that fails for good fails its dialogue, with the reason. Which model plays decides the scores
    (SAGE: the same policy at 32 or 52), hence the fingerprint: never compare across models.

    Args:
        client: the server and how to treat it.
        hardness: "vanilla", or "challenging", who tells little and is moved only by what truly fits.
        language: what the user thinks and speaks in.
        rules: how the emotion moves: `sage.OWN`, `SAGE` or `RLVER`.
        temperature, max_tokens: of each call.
    """

    needs_apt_path = False

    def __init__(
        self,
        client: Client,
        *,
        hardness: Hardness = "vanilla",
        language: str = "English",
        rules: Rules = OWN,
        temperature: float = 0.7,
        max_tokens: int = 1024,
    ) -> None:
        if hardness not in ("vanilla", "challenging"):
            raise ValueError(f"hardness {hardness!r} is unknown; use 'vanilla' or 'challenging'")
        self.client, self.language, self.rules = client, language, rules
        self.temperature, self.max_tokens = temperature, max_tokens
        self._feel, self._speak = Prompt.read(PROMPTS / "feel.txt"), Prompt.read(PROMPTS / "speak.txt")
        self._manner = Prompt.read(PROMPTS / f"{hardness}.txt")
        prompts = Prompt(self._feel.text + self._speak.text + self._manner.text).hash
        self._fingerprint = f"sentient:{client.server.model}+{hardness}+{language}+{rules.name}+T{temperature:g}+{prompts}"

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def reset(
        self, scenarios: Sequence[Scenario], seeds: Sequence[int], siblings: Sequence[int] | None = None
    ) -> list[SentientTalk]:
        """A fresh talk per scenario."""
        return [
            SentientTalk(s, seed, sibling, s.level if self.rules.start is None else self.rules.start, said=(("you", s.opening),))
            for s, seed, sibling in zip(scenarios, seeds, siblings or [0] * len(scenarios), strict=True)
        ]

    def react(self, states: Sequence[SentientTalk], replies: Sequence[Reply]) -> list[Reaction]:
        """One reaction per talk, all talks at once as far as the server's concurrency allows."""
        return self.client.run(self._react_all(states, replies))

    async def _react_all(self, states: Sequence[SentientTalk], replies: Sequence[Reply]) -> list[Reaction]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.react_async(s, r)) for s, r in zip(states, replies, strict=True)]
        return [task.result() for task in tasks]

    async def react_async(self, talk: SentientTalk, reply: Reply) -> Reaction:
        """One reaction, for free-running rollouts. Raises `LLMSetupError`."""
        try:
            return await self._react(talk, reply)
        except LLMFailure as failure:
            return Reaction(talk.emotion, 0.0, "", (), talk, failure=str(failure))

    async def _react(self, talk: SentientTalk, reply: Reply) -> Reaction:
        heard = reply.text + (" [the message breaks off here]" if reply.truncated else "")
        about = self._about(talk, heard)
        felt: Feeling = (await self._ask(talk, self._feel.fill(**about, emotion=f"{talk.emotion:g}"), Feeling)).value
        emotion = max(0.0, self.rules.moved(talk.emotion, felt.change))
        after = {"emotion": f"{emotion:g}", "feeling": felt.feeling}
        spoken: Speech = (await self._ask(talk, self._speak.fill(**about, **after), Speech)).value
        told = (*talk.said, ("assistant", heard), ("you", spoken.words))
        state = replace(talk, emotion=emotion, turn=talk.turn + 1, said=told)
        moved = Component("feeling", max(-1.0, min(1.0, felt.change / 10)), f"{felt.aims} {felt.feeling}")
        ending = self._ending(talk, emotion, spoken)
        return Reaction(emotion, float(felt.change), spoken.words, (moved,), state, ending)

    def _ending(self, talk: SentientTalk, emotion: float, spoken: Speech) -> Ending | None:
        if emotion >= CEILING or spoken.leaving == "satisfied":
            return "satisfied"
        sunk = emotion < self.rules.leaves_below and emotion < talk.emotion
        return "walked_out" if sunk or spoken.leaving == "fed_up" else None

    def _about(self, talk: SentientTalk, heard: str) -> dict[str, str]:
        story = {"persona": persona_of(talk.scenario), "scene": scene_of(talk.scenario)}
        said = "\n".join(f"{speaker}: {words}" for speaker, words in talk.said)
        aim = talk.scenario.intention.replace("_", " ")
        return story | {"aim": aim, "manner": self._manner.text, "talk": said, "reply": heard, "language": self.language}

    async def _ask(self, talk: SentientTalk, prompt: str, schema: type[Feeling] | type[Speech]) -> Any:
        name = f"{talk.scenario.id}/{talk.seed}/{talk.sibling}/{talk.turn}/{schema.__name__}"
        request = Request(
            (("user", prompt),),
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            seed=zlib.crc32(name.encode()) >> 1,  # servers take 31 bits
            repeat=talk.sibling,
        )
        return await self.client.ask(request, schema)

    def state_dict(self) -> dict[str, Any]:
        """The fingerprint: all else is in the talks."""
        return {"fingerprint": self._fingerprint}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if state.get("fingerprint") != self._fingerprint:
            raise ValueError(
                f"checkpoint was made with the user {state.get('fingerprint')}, this one is {self._fingerprint}; "
                "use the same user, or start a new run"
            )
