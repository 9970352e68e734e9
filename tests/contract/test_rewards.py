"""What every reward promises, whichever trainer calls it."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Sequence
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorl.dialogue import Dialogue, Stop, Turn
from emorl.records import RecordError, to_json
from emorl.rewards import Reward, registry, rows
from emorl.scenario import scenario_seed
from emorl.users.base import Reply
from tests.scripted_user import ScriptedUser, make_scenario

EVERY = pytest.mark.parametrize("reward", registry.values(), ids=registry)
THOUGHTS = ("", "He is sad.", "feels: grief 0.7, shame 0.3", "feels: rage 1", "<think>feels: joy 1", "feels: joy 0")
TEXTS = st.text(max_size=60) | st.sampled_from(["I am so sorry about the dog. What was he like?", "", "no no no no no no no no"])
TURNS = st.builds(
    Turn,
    reply=TEXTS,
    emotion=st.floats(0, 100),
    change=st.floats(-200, 200),
    think=st.sampled_from(THOUGHTS) | st.text(max_size=20),
)


@st.composite
def scored_dialogues(draw: st.DrawFn) -> Dialogue:
    turns = tuple(draw(st.lists(TURNS, min_size=1, max_size=4)))
    planned = draw(st.integers(len(turns), 6))
    return Dialogue(make_scenario(draw(st.integers(0, 3))), turns, planned, draw(st.sampled_from(get_args(Stop))))


def failed(scored: Dialogue) -> Dialogue:
    return dataclasses.replace(scored, status="failed", failure="timed out")


@EVERY
@given(dialogue=scored_dialogues())
def test_score_is_in_range_and_pure_and_none_only_where_the_dialogue_failed(reward: Reward, dialogue: Dialogue) -> None:
    score = reward.score(dialogue)
    assert score is not None
    assert reward.low <= score <= reward.high
    assert reward.score(dialogue) == score
    assert reward.score(failed(dialogue)) is None


@EVERY
@given(dialogues=st.lists(scored_dialogues() | scored_dialogues().map(failed), max_size=5), data=st.data())
def test_batch_equals_singles_in_any_order(reward: Reward, dialogues: list[Dialogue], data: st.DataObject) -> None:
    def batch(of: Sequence[Dialogue]) -> list[float | None]:
        return reward(["p"] * len(of), ["ignored"] * len(of), dialogue=of)

    singles = [reward.score(d) for d in dialogues]
    assert batch(dialogues) == singles
    order = data.draw(st.permutations(range(len(dialogues))))
    assert batch([dialogues[i] for i in order]) == [singles[i] for i in order]
    assert reward([], [], dialogue=[]) == []
    assert reward(["p"] * len(dialogues), ["x"] * len(dialogues), dialogue=[to_json(d) for d in dialogues]) == singles


def test_names_are_unique_and_are_the_metric_keys() -> None:
    assert [r.__name__ for r in registry.values()] == list(registry)
    import emorl.rewards

    for name, reward in registry.items():
        assert getattr(emorl.rewards, name) is reward


@EVERY
def test_pickles_with_its_name_and_its_score(reward: Reward) -> None:
    again = pickle.loads(pickle.dumps(dataclasses.replace(reward, name="mine")))
    assert again.__name__ == "mine"
    dialogue = Dialogue(make_scenario(), (Turn("I am sorry about the dog.", 35.0, 1.0, think="feels: grief 1"),), 2, "walked_out")
    assert again.score(dialogue) == reward.score(dialogue)


# --- the arguments that the trainers give -------------------------------------------------------------------------

PROMPT = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "I feel sad about the dog today."}]


def columns(texts: Sequence[str], *, conversational: bool = True) -> dict[str, Any]:
    return {
        "prompts": [PROMPT if conversational else "I feel sad."] * len(texts),
        "completions": [[{"role": "assistant", "content": t}] if conversational else t for t in texts],
        "completion_ids": [[1, 2]] * len(texts),
        "scenario": [to_json(make_scenario(i % 2)) for i in range(len(texts))],
    }


TEXTS_OF_BATCH = ("<think>feels: grief 1</think>I am sorry about the dog. What was he like?", "no", "No! <think>", "")


@EVERY
@pytest.mark.parametrize("conversational", [True, False], ids=["messages", "text"])
@pytest.mark.parametrize("trainer", ["grpo", "rloo", "async_grpo"])
def test_works_with_what_each_trl_trainer_gives(reward: Reward, trainer: str, conversational: bool) -> None:
    user = ScriptedUser(name=f"{reward.name}/{trainer}/{conversational}")
    mine = dataclasses.replace(reward, user=user)
    logged: dict[str, float] = {}
    given: dict[str, Any] = columns(TEXTS_OF_BATCH, conversational=conversational)
    if trainer != "async_grpo":
        given |= {"trainer_state": object(), "log_extra": lambda column, values: None, "log_metric": logged.__setitem__}
    scores = mine(**given)
    assert len(scores) == len(TEXTS_OF_BATCH)
    assert all(isinstance(s, float) and reward.low <= s <= reward.high for s in scores)
    assert logged == ({} if trainer == "async_grpo" else {f"{reward.name}/unscored": 0.0})
    # Thoughts never reach the user.
    assert user.heard == ["I am sorry about the dog. What was he like?", "no", "No!", ""]


def test_the_user_reacts_once_for_all_rewards_and_siblings_share_the_seed() -> None:
    user = ScriptedUser(name="once")
    given = columns(["I hear you.", "Tell me more.", "I hear you.", "Tell me more."])
    for reward in registry.values():
        dataclasses.replace(reward, user=user)(**given)
    assert user.heard == ["I hear you.", "Tell me more."]
    assert user.resets == [("test-0", scenario_seed("test-0")), ("test-1", scenario_seed("test-1"))]
    dataclasses.replace(registry["final_emotion"], user=user)(**given, seed=[7, 7, 8, 8])
    assert [seed for _, seed in user.resets[2:]] == [7, 7, 8, 8]


def test_the_memo_is_bounded_and_does_not_mix_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MEMO_SIZE", 3)
    cold, warm = (ScriptedUser(name="cold", warmth=0.0), ScriptedUser(name="warm", warmth=5.0))
    given = columns(["aaaa"] + [f"reply {i}" for i in range(5)])
    final = registry["final_emotion"]
    first = dataclasses.replace(final, user=cold)(**given)
    assert len(rows._memo) == 3
    assert first[0] != dataclasses.replace(final, user=warm)(**given)[0]
    assert dataclasses.replace(final, user=cold)(**given) == first
    assert len(cold.heard) == 12  # forgotten, hence asked again


def test_the_memo_forgets_what_was_asked_for_longest_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MEMO_SIZE", 2)
    user = ScriptedUser(name="forgets")
    final = dataclasses.replace(registry["final_emotion"], user=user)
    for text in ("a", "b", "a", "c", "a", "b"):
        final(["p"], [text], scenario=[to_json(make_scenario())])
    assert user.heard == ["a", "b", "c", "b"]


def test_a_single_turn_is_a_whole_dialogue() -> None:
    user = ScriptedUser(endings={1: "walked_out"}, ends=["test-1"], fails=["test-2"], name="whole")
    texts = [to_json(make_scenario(i)) for i in range(3)]
    stay, leave, fail = rows.dialogues(["<think>Hm.</think>aaaa", "no", "aaaa"], None, texts, [5, 6, 7], user)
    states = user.reset([make_scenario(0)], [5])
    (reaction,) = user.react(states, [Reply("aaaa")])
    turn = Turn("aaaa", reaction.emotion, reaction.change, reaction.words, "Hm.", reaction.components)
    assert stay == Dialogue(make_scenario(0), (turn,), 1, "turn_limit", user="whole", seed=5)
    assert (leave.stop, leave.user, leave.seed) == ("walked_out", "whole", 6)
    assert (fail.status, fail.failure, fail.user, fail.seed) == ("failed", "scripted failure at turn 1", "whole", 7)
    assert [(t.reply, t.emotion) for t in fail.turns] == [("aaaa", make_scenario(2).level)]


def test_a_user_that_needs_an_apt_path_is_not_asked_without_one() -> None:
    user = ScriptedUser(needs_apt_path=True, name="needs path")
    final = dataclasses.replace(registry["final_emotion"], user=user)
    with pytest.raises(RecordError, match="scenario 'test-1': field 'apt_path': the user 'needs path' needs an apt_path"):
        final(["p", "p"], ["a", "b"], scenario=[to_json(make_scenario(0)), to_json(make_scenario(1, apt_path=None))])
    assert user.heard == []


@EVERY
def test_a_failed_reaction_is_none_for_every_reward_and_logged(reward: Reward) -> None:
    mine = dataclasses.replace(reward, user=ScriptedUser(fails=["test-1"], name="fails"))
    logged: dict[str, float] = {}
    scores = mine(**columns(["Hello there."] * 4), log_metric=logged.__setitem__)
    assert [s is None for s in scores] == [False, True, False, True]
    assert logged == {f"{reward.name}/unscored": 0.5}


def test_a_row_with_neither_dialogue_nor_scenario_is_an_error_with_its_remedy() -> None:
    given = columns(["a", "b"]) | {"dialogue": [None, None]}
    given["scenario"][1] = None
    with pytest.raises(RecordError, match=r"row 1: has neither a 'dialogue' nor a 'scenario'.*to_dataset\(\)"):
        dataclasses.replace(registry["final_emotion"], user=ScriptedUser())(**given)
    with pytest.raises(RecordError, match="column 'scenario': not JSON"):
        registry["final_emotion"](["p"], ["c"], scenario=["a plain story"])
    with pytest.raises(RecordError, match="no assistant message"):
        registry["final_emotion"](["p"], [[{"role": "tool", "content": "1"}]], scenario=[to_json(make_scenario())])


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        ("<think>a</think> b", ("a", "b")),
        ("a</think>b", ("a", "b")),
        ([{"role": "assistant", "content": "b", "reasoning_content": "a\n"}], ("a", "b")),
        ([{"role": "assistant", "content": "b", "thinking": "a"}], ("a", "b")),
        (
            [{"role": "assistant", "content": [{"type": "text", "text": "<think>a</think>"}, {"type": "text", "text": "b"}]}],
            ("a", "b"),
        ),
        (
            [{"role": "assistant", "content": "x"}, {"role": "tool", "content": "1"}, {"role": "assistant", "content": "b"}],
            ("", "b"),
        ),
        ([{"role": "assistant", "content": None}], ("", "")),
    ],
)
def test_completions_are_read_in_every_form(completion: Any, expected: tuple[str, str]) -> None:
    assert rows.read_completion(completion) == expected


def test_only_the_trajectory_needs_an_apt_path_and_says_so() -> None:
    pathless = make_scenario(apt_path=None)
    dialogue = Dialogue(pathless, (Turn("Hello.", 50.0, 1.0),), 1, "turn_limit")
    for name, reward in registry.items():
        assert reward.needs_apt_path == (name == "emotion_trajectory")
        if not reward.needs_apt_path:
            reward.check([pathless])
            assert reward.score(dialogue) is not None
    trajectory = registry["emotion_trajectory"]
    refusal = "scenario 'test-0': field 'apt_path': emotion_trajectory needs an apt_path.*final_emotion"
    with pytest.raises(RecordError, match=refusal):
        trajectory.score(dialogue)
    with pytest.raises(RecordError, match=refusal):
        trajectory.check([make_scenario(), pathless])
    assert trajectory.score(failed(dialogue)) is None
