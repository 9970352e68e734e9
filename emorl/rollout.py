"""Conversations of a policy with a simulated user, many at a time, in batched turns. Knows no trainer and no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from emorl.dialogue import Dialogue, Stop, Turn
from emorl.scenario import Scenario
from emorl.think import split_think
from emorl.users.base import Reaction, Reply, User

Message = Mapping[str, str]
"""`{"role": …, "content": …}`."""


@dataclass(frozen=True)
class Utterance:
    """What the policy generated for one turn."""

    text: str
    """All of it, the think block included (with its opening tag, even where the chat template wrote that)."""
    truncated: bool = False
    """Cut off by a token limit."""


class Policy(Protocol):
    """The speaking side of a batch of talks. Rows are numbered from 0 in the order of `open`."""

    @property
    def name(self) -> str:
        """Which model speaks; kept in each dialogue."""
        ...

    def open(self, prompts: Sequence[Sequence[Message]]) -> None:
        """Begin a new batch; each prompt ends with the user's first message."""
        ...

    def speak(self, rows: Sequence[int]) -> list[Utterance]:
        """One reply in each of `rows`. May be called with no rows: other processes still talk and this one keeps step."""
        ...

    def hear(self, row: int, words: str) -> bool:
        """Take in the user's words. `False`: the dialogue's token limit leaves no room to reply, and nothing was taken in."""
        ...


@dataclass(frozen=True)
class Plan:
    """One talk to be held."""

    scenario: Scenario
    prompt: Sequence[Message]
    """What the policy sees at the start: usually a system prompt and the scenario's opening."""
    seed: int = 0
    """Of persona, difficulty and hidden goal; shared by all siblings of a group."""
    sibling: int = 0
    """Place in the group."""


@dataclass
class _Talk:
    plan: Plan
    state: Any
    turns: list[Turn] = field(default_factory=list)
    stop: Stop | None = None
    failure: str = ""

    @property
    def emotion(self) -> float:
        return self.turns[-1].emotion if self.turns else self.plan.scenario.level

    def fail(self, reply: Reply, think: str, reason: str) -> None:
        """The user could not react: what was said is kept, the feeling stays where it was."""
        self.turns.append(Turn(reply.text, self.emotion, 0.0, think=think, truncated=reply.truncated))
        self.stop, self.failure = "turn_limit", reason

    def add(self, reply: Reply, think: str, reaction: Reaction) -> None:
        self.turns.append(
            Turn(reply.text, reaction.emotion, reaction.change, reaction.words, think, reaction.components, reply.truncated)
        )
        self.state = reaction.state


def converse(
    policy: Policy,
    user: User,
    plans: Sequence[Plan],
    *,
    turns: int,
    step: int = 0,
    end_marker: str | None = None,
    any_active: Callable[[bool], bool] = bool,
) -> list[Dialogue]:
    """Hold all talks, one batched turn after another, and return their dialogues in the order of `plans`.

    `turns` >= 1 is the number of replies planned. A visible reply that contains `end_marker` ends its talk ("policy_ended"),
    after the user has heard it without the marker. `any_active` says, from whether this process still has open talks,
    whether any process has: the default asks only this one. Where generation is a collective operation (ZeRO-3) it must
    be an all-reduce, or always true; then every process calls `policy.speak` equally often.
    """
    if turns < 1:
        raise ValueError(f"turns is {turns}; plan at least one reply")
    policy.open([plan.prompt for plan in plans])
    seeds, siblings = [plan.seed for plan in plans], [plan.sibling for plan in plans]
    states = user.reset([plan.scenario for plan in plans], seeds, siblings)
    talks = [_Talk(plan, state) for plan, state in zip(plans, states, strict=True)]
    for turn in range(1, turns + 1):
        rows = [row for row, talk in enumerate(talks) if talk.stop is None]
        if not any_active(bool(rows)):
            break
        utterances = policy.speak(rows)
        if rows:
            _hear(policy, user, talks, dict(zip(rows, utterances, strict=True)), end_marker, last=turn == turns)
    return [_dialogue(talk, turns, user.fingerprint, policy.name, step) for talk in talks]


def _hear(
    policy: Policy, user: User, talks: Sequence[_Talk], said: Mapping[int, Utterance], end_marker: str | None, *, last: bool
) -> None:
    """The user hears one utterance in each talk of `said`, and answers or ends it."""
    heard: dict[int, tuple[str, Reply]] = {}
    leaving = set()
    for row, utterance in said.items():
        think, visible = split_think(utterance.text)
        if end_marker is not None and end_marker in visible:
            leaving.add(row)
            visible = visible.replace(end_marker, "").strip()
        heard[row] = (think, Reply(visible, utterance.truncated))
    reactions = user.react([talks[row].state for row in heard], [reply for _, reply in heard.values()])
    for (row, (think, reply)), reaction in zip(heard.items(), reactions, strict=True):
        talk = talks[row]
        if reaction.failure:
            talk.fail(reply, think, reaction.failure)
            continue
        talk.add(reply, think, reaction)
        if reaction.ending:
            talk.stop = reaction.ending
        elif row in leaving:
            talk.stop = "policy_ended"
        elif last:
            talk.stop = "turn_limit"
        elif not policy.hear(row, reaction.words):
            talk.stop = "token_limit"


def _dialogue(talk: _Talk, planned: int, fingerprint: str, policy: str, step: int) -> Dialogue:
    assert talk.stop is not None  # each talk ends at the last turn at the latest
    return Dialogue(
        scenario=talk.plan.scenario,
        turns=tuple(talk.turns),
        planned_turns=planned,
        stop=talk.stop,
        status="failed" if talk.failure else "scored",
        failure=talk.failure,
        user=fingerprint,
        policy=policy,
        step=step,
        seed=talk.plan.seed,
        sibling=talk.plan.sibling,
    )
