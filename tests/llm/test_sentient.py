"""`SentientUser` over real HTTP: what it asks, how it feels, when it goes, and dialogues under injected faults."""

from __future__ import annotations

import json
import random
import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from emorl.dialogue import Dialogue
from emorl.llm import Client, LLMSetupError, Server
from emorl.records import from_json, to_json
from emorl.rewards import by_name
from emorl.rollout import Plan, Utterance, converse
from emorl.users.base import Reply
from emorl.users.sage import OWN, RLVER, RULES, SAGE, Rules
from emorl.users.sentient import SentientUser
from tests.llm.server import FAULTS, LoopbackServer
from tests.scripted_user import make_scenario


def speaks(change: int = 4, leaving: str = "no", words: str = "Go on.") -> Any:
    def speak(body: dict[str, Any]) -> str:
        if "5. change" in body["messages"][0]["content"]:
            return json.dumps({"meaning": "m", "aims": "a.", "activity": "x", "feeling": "warm", "change": change})
        return json.dumps({"analysis": "n", "draft": "d", "words": words, "leaving": leaving})

    return speak


def by_request(body: dict[str, Any]) -> str:
    """Says what depends on the whole request, as a seeded model would."""
    rng = random.Random(json.dumps([body["messages"], body["seed"]]))
    return speaks(rng.randint(-12, 12), words=f"Word {rng.randint(0, 10**9)}.")(body)


class Echo:
    """A policy whose replies depend on all it heard."""

    name = "echo"

    def open(self, prompts: Sequence[Sequence[Any]]) -> None:
        self.heard = [[prompt[-1]["content"]] for prompt in prompts]

    def speak(self, rows: Sequence[int]) -> list[Utterance]:
        return [Utterance(f"I heard {zlib.crc32(''.join(self.heard[row]).encode())}.") for row in rows]

    def hear(self, row: int, words: str) -> bool:
        self.heard[row].append(words)
        return True


def user(url: str, **kwargs: Any) -> SentientUser:
    server = {name: kwargs.pop(name) for name in ("retries", "resends", "timeout") if name in kwargs}
    return SentientUser(Client(Server("m", url, **{"timeout": 1.0} | server)), **kwargs)


def talks(url: str, n: int = 24, **kwargs: Any) -> list[Dialogue]:
    plans = [
        Plan(make_scenario(i // 4), [{"role": "user", "content": make_scenario(i // 4).opening}], seed=i // 4, sibling=i % 4)
        for i in range(n)
    ]
    return converse(Echo(), user(url, **kwargs), plans, turns=3)


def test_the_model_is_told_who_it_is_and_what_was_said() -> None:
    server = LoopbackServer(speaks())
    scenario = make_scenario(1)
    with server.running() as url:
        who = user(url, hardness="challenging", language="Swahili")
        (state,) = who.reset([scenario], [3], [2])
        (first,) = who.react([state], [Reply("I {emotion} {{persona}} see.", truncated=True)])
        (second,) = who.react([first.state], [Reply("And then?")])
    feel, speak, again, _ = (body["messages"][0]["content"] for body in server.bodies)
    for part in (scenario.opening, scenario.situation, scenario.persona.name, *scenario.hurts, scenario.disclosures[0].text):
        assert part in feel and part in speak
    assert "I {emotion} {{persona}} see. [the message breaks off here]" in feel  # filled in, never read
    assert "hard to please" in feel and "in Swahili" in feel
    assert "now at 30" in feel and "now at 34" in speak and "warm" in speak
    assert "assistant: I {emotion}" in again and "you: Go on." in again and "And then?" in again
    assert (first.emotion, first.change, first.words, first.ending) == (34.0, 4.0, "Go on.", None)
    assert second.emotion == 38.0
    assert [(c.name, c.value, c.reason) for c in first.components] == [("feeling", 0.4, "a. warm")]
    assert from_json(type(state), to_json(first.state)) == first.state


@pytest.mark.parametrize(
    ("rules", "start", "change", "leaving", "emotion", "ending"),
    [
        (OWN, 30.0, 4, "no", 34.0, None),
        (OWN, 30.0, 25, "no", 40.0, None),  # clipped at ten
        (RLVER, 30.0, 25, "no", 55.0, None),  # not clipped
        (SAGE, 40.0, 10, "no", 50.0, None),
        (OWN, 95.0, 10, "no", 100.0, "satisfied"),
        (OWN, 12.0, -5, "no", 7.0, "walked_out"),
        (OWN, 7.0, 1, "no", 8.0, None),  # who starts low has not sunk
        (OWN, 3.0, -9, "no", 0.0, "walked_out"),
        (OWN, 30.0, 0, "satisfied", 30.0, "satisfied"),
        (OWN, 30.0, 0, "fed_up", 30.0, "walked_out"),
    ],
)
def test_how_feelings_move_and_end_a_talk(
    rules: Rules, start: float, change: int, leaving: str, emotion: float, ending: str | None
) -> None:
    with LoopbackServer(speaks(change, leaving)).running() as url:
        who = user(url, rules=rules)
        (state,) = who.reset([make_scenario(0, level=start if rules is OWN else 30.0)], [0])
        assert state.emotion == start
        (reaction,) = who.react([state], [Reply("hm")])
    assert (reaction.emotion, reaction.change, reaction.ending) == (emotion, float(change), ending)


def test_siblings_share_all_but_the_sampling_noise() -> None:
    server = LoopbackServer(by_request)
    with server.running() as url:
        who = user(url)
        states = who.reset([make_scenario(0)] * 3, [5, 5, 5], [0, 1, 0])
        first, second, third = who.react(states, [Reply("Tell me.")] * 3)
    feel = [b for b in server.bodies if "5. change" in b["messages"][0]["content"]]
    assert len({b["messages"][0]["content"] for b in feel}) == 1
    assert len({b["seed"] for b in feel}) == 2 and all(0 <= b["seed"] < 2**31 for b in server.bodies)
    assert first == third and first.words != second.words


def test_at_one_fault_in_five_the_scored_dialogues_are_those_of_the_fault_free_run() -> None:
    sent: Counter[str] = Counter()

    def fault(_number: int, body: dict[str, Any]) -> str | None:
        # By the request and how often it came, not by the order of arrival, which is another in each run.
        sent[same := json.dumps(body)] += 1
        rng = random.Random(f"{same}/{sent[same]}")
        return rng.choice(FAULTS) if rng.random() < 0.2 else None

    faulty = LoopbackServer(by_request, fault)
    with LoopbackServer(by_request).running() as url:
        clean = talks(url)
    with faulty.running() as url:
        # Few tries, so that some dialogues fail for good.
        shaken = talks(url, retries=1, resends=1, timeout=0.5)
    failed = [d for d in shaken if d.status == "failed"]
    assert len(faulty.bodies) > 150 and all(d.status == "scored" for d in clean)
    for before, after in zip(clean, shaken, strict=True):
        if after.status == "scored":
            assert to_json(before) == to_json(after)
        else:
            assert after.failure
    assert 0 < len(failed) < len(shaken) / 2, [d.failure for d in failed]
    print(f"{len(failed)} of {len(shaken)} failed: {sorted({d.failure for d in failed})}")


def test_a_failed_dialogue_is_none_for_every_reward() -> None:
    with LoopbackServer(speaks(), lambda _, __: "off_schema").running() as url:
        dialogues = talks(url, n=1)
    assert dialogues[0].status == "failed" and "off-schema" in dialogues[0].failure
    assert by_name("emotion_trajectory").score(dialogues[0]) is None


def test_a_wrong_key_stops_the_run() -> None:
    with LoopbackServer(speaks(), lambda _, __: "401").running() as url, pytest.raises(LLMSetupError, match="OPENAI_API_KEY"):
        talks(url, n=2)


def test_the_fingerprint_tells_apart_whoever_gives_other_scores() -> None:
    url = "http://127.0.0.1:1/v1"
    kinds: list[dict[str, Any]] = [{}, {"hardness": "challenging"}, {"language": "German"}, {"rules": SAGE}, {"temperature": 1.0}]
    one = user(url)
    assert len({user(url, **kind).fingerprint for kind in kinds}) == len(kinds)
    assert user("http://127.0.0.1:2/v1").fingerprint == one.fingerprint
    one.load_state_dict(one.state_dict())
    with pytest.raises(ValueError, match="use the same user"):
        user(url, hardness="challenging").load_state_dict(one.state_dict())
    with pytest.raises(ValueError, match="'vanilla' or 'challenging'"):
        user(url, hardness="nasty")
    assert set(RULES) == {"own", "sage", "rlver"}
