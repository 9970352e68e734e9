"""The engine, with a policy that only recites."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from emorl.dialogue import Dialogue
from emorl.records import from_json, to_json
from emorl.rollout import Message, Plan, Utterance, converse
from tests.scripted_user import ScriptedUser, make_scenario

Line = Callable[[int, int], str | Utterance]


class Reciter:
    """Says `line(row, turn)`; has room for `room` messages of the user in each talk."""

    name = "reciter"

    def __init__(self, line: Line = lambda row, turn: f"a reply {row}.{turn}", room: int = 99) -> None:
        self.line, self.room = line, room
        self.spoke: list[list[int]] = []
        self.prompts: list[list[Message]] = []
        self.heard: dict[int, list[str]] = {}

    def open(self, prompts: Sequence[Sequence[Message]]) -> None:
        self.prompts = [list(p) for p in prompts]
        self.heard = {row: [] for row in range(len(prompts))}

    def speak(self, rows: Sequence[int]) -> list[Utterance]:
        self.spoke.append(list(rows))
        said = [self.line(row, len(self.spoke)) for row in rows]
        return [u if isinstance(u, Utterance) else Utterance(u) for u in said]

    def hear(self, row: int, words: str) -> bool:
        if len(self.heard[row]) >= self.room:
            return False
        self.heard[row].append(words)
        return True


def plans(n: int = 3) -> list[Plan]:
    return [Plan(make_scenario(i), [{"role": "user", "content": make_scenario(i).opening}], seed=i, sibling=i) for i in range(n)]


def test_every_talk_has_its_planned_turns_in_batched_calls() -> None:
    policy, user = Reciter(), ScriptedUser()
    talks = converse(policy, user, plans(3), turns=3, step=7)
    assert policy.spoke == [[0, 1, 2]] * 3
    assert [len(t.turns) for t in talks] == [3, 3, 3]
    assert {t.stop for t in talks} == {"turn_limit"}
    assert [t.seed for t in talks] == [t.sibling for t in talks] == [0, 1, 2]
    assert {(t.step, t.policy, t.user, t.planned_turns) for t in talks} == {(7, "reciter", "scripted/1", 3)}
    assert user.resets == [(p.scenario.id, p.seed) for p in plans(3)]
    assert policy.prompts[1][0]["content"] == make_scenario(1).opening
    # The policy heard the user's words between the turns, and nothing after its last reply.
    assert policy.heard[2] == [turn.words for turn in talks[2].turns[:2]]


def test_emotions_are_the_users() -> None:
    (talk,) = converse(Reciter(lambda row, turn: "aaaa" if turn == 1 else "zzz"), ScriptedUser(), plans(1), turns=2)
    assert talk.emotions == (30.0, 32.0, 27.0)
    assert [turn.change for turn in talk.turns] == [2.0, -5.0]
    assert talk.turns[0].components[0].name == "letters"
    assert from_json(Dialogue, to_json(talk)) == talk


@pytest.mark.parametrize("ending", ["satisfied", "walked_out"])
def test_the_user_may_end_a_talk_and_the_others_go_on(ending: str) -> None:
    policy = Reciter()
    user = ScriptedUser(endings={1: ending}, ends=["test-1"])  # type: ignore[dict-item]
    talks = converse(policy, user, plans(3), turns=3)
    assert [t.stop for t in talks] == ["turn_limit", ending, "turn_limit"]
    assert [len(t.turns) for t in talks] == [3, 1, 3]
    assert policy.spoke == [[0, 1, 2], [0, 2], [0, 2]]
    assert policy.heard[1] == []
    assert talks[1].turns[-1].words  # the user's last words are kept


def test_an_ending_on_the_last_turn_is_the_users() -> None:
    (talk,) = converse(Reciter(), ScriptedUser(endings={2: "satisfied"}), plans(1), turns=2)
    assert talk.stop == "satisfied"


def test_failed_talks_say_why_and_keep_what_was_said() -> None:
    user = ScriptedUser(fails=["test-0"], fails_at=2)
    failed, scored = converse(Reciter(), user, plans(2), turns=3)
    assert (failed.status, failed.failure) == ("failed", "scripted failure at turn 2")
    assert [turn.reply for turn in failed.turns] == ["a reply 0.1", "a reply 0.2"]
    assert failed.turns[1].emotion == failed.turns[0].emotion and failed.turns[1].words == ""
    assert scored.status == "scored" and len(scored.turns) == 3


def test_thoughts_never_reach_the_user() -> None:
    lines = ["<think>He is sad.</think>\n\nI hear you.", "no opening tag</think> And then?", "<think>cut off in the mid"]
    user = ScriptedUser()
    (talk,) = converse(Reciter(lambda row, turn: Utterance(lines[turn - 1], turn == 3)), user, plans(1), turns=3)
    assert user.heard == ["I hear you.", "And then?", ""]
    assert [turn.think for turn in talk.turns] == ["He is sad.", "no opening tag", "<think>cut off in the mid"]
    assert [turn.truncated for turn in talk.turns] == user.truncated == [False, False, True]
    assert talk.truncated


def test_no_room_ends_the_talk_with_token_limit() -> None:
    talks = converse(Reciter(room=1), ScriptedUser(), plans(2), turns=4)
    assert [t.stop for t in talks] == ["token_limit"] * 2
    assert [len(t.turns) for t in talks] == [2, 2]
    assert talks[0].planned_emotions()[2:] == (None, None)


def test_the_policy_may_end_the_talk_with_its_marker() -> None:
    user = ScriptedUser()
    first, second = converse(
        Reciter(lambda row, turn: "Take care. [END]" if row == 0 else "Go on."), user, plans(2), turns=2, end_marker="[END]"
    )
    assert first.stop == "policy_ended" and len(first.turns) == 1
    assert user.heard[0] == first.turns[0].reply == "Take care."
    assert second.stop == "turn_limit"
    # Without the option it is a word like any other.
    (plain,) = converse(Reciter(lambda row, turn: "Take care. [END]"), ScriptedUser(), plans(1), turns=2)
    assert plain.stop == "turn_limit" and plain.turns[0].reply == "Take care. [END]"


def test_a_process_keeps_step_while_others_talk() -> None:
    policy, asked = Reciter(), []

    def elsewhere(active: bool) -> bool:
        asked.append(active)
        return len(asked) <= 3

    talks = converse(policy, ScriptedUser(endings={1: "walked_out"}), plans(2), turns=5, any_active=elsewhere)
    assert asked == [True, False, False, False]
    assert policy.spoke == [[0, 1], [], []]  # called without rows, as often as the others
    assert [len(t.turns) for t in talks] == [1, 1]


def test_alone_a_process_stops_when_all_talks_are_over() -> None:
    policy = Reciter()
    converse(policy, ScriptedUser(endings={1: "walked_out"}), plans(2), turns=5)
    assert policy.spoke == [[0, 1]]


def test_batch_and_single_talks_agree() -> None:
    def line(row: int, turn: int) -> str:
        return "ae" * turn

    together = converse(Reciter(line), ScriptedUser(), plans(3), turns=3)
    alone = [converse(Reciter(line), ScriptedUser(), [plan], turns=3)[0] for plan in plans(3)]
    assert together == alone


def test_no_talks_and_no_turns() -> None:
    assert converse(Reciter(), ScriptedUser(), [], turns=1) == []
    with pytest.raises(ValueError, match="at least one reply"):
        converse(Reciter(), ScriptedUser(), plans(1), turns=0)
