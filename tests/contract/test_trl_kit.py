"""`EmotionKit` in an unmodified `GRPOTrainer`: what it refuses, what it weighs, and what it writes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from emorl.dialogue import Dialogue
from emorl.failures import FailureRate
from emorl.integrations.trl import EmotionKit, TooManyFailures, mark
from emorl.records import from_dict
from emorl.rewards import EmotionTrajectory, emotion_trajectory, final_emotion
from emorl.scenario import scenario_seed
from tests.scripted_trainer import make_kit, make_trainer, script
from tests.scripted_user import ScriptedUser, make_scenario


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


# --- refused before training -------------------------------------------------------------------------------------------


def test_unknown_reward() -> None:
    with pytest.raises(ValueError, match=r"no reward is called 'emotion_trajektory'.*There are: .*emotion_trajectory"):
        make_kit(rewards={"emotion_trajektory": 1.0})


def test_rewards_of_one_name() -> None:
    with pytest.raises(ValueError, match=r"two rewards are called 'emotion_trajectory'.*another name"):
        make_kit(rewards=[emotion_trajectory, EmotionTrajectory(tolerance=5.0)])


def test_weights() -> None:
    with pytest.raises(ValueError, match=r"final_emotoin.*correct the name"):
        make_kit(rewards=[final_emotion], reward_weights={"final_emotoin": 1.0})
    with pytest.raises(ValueError, match="given twice"):
        make_kit(rewards={"final_emotion": 1.0}, reward_weights={"final_emotion": 1.0})
    with pytest.raises(ValueError, match="finite"):
        make_kit(rewards={"final_emotion": float("nan")})
    assert make_kit(rewards=[final_emotion, "emotion_trajectory"], reward_weights={"final_emotion": 3}).weights == {
        "final_emotion": 3.0,
        "emotion_trajectory": 1.0,
    }


def test_no_rewards_no_scenarios_no_turns() -> None:
    with pytest.raises(ValueError, match="no rewards"):
        EmotionKit([make_scenario()], ScriptedUser(), [])
    with pytest.raises(ValueError, match="no scenarios"):
        EmotionKit([], ScriptedUser(), ["final_emotion"])
    with pytest.raises(ValueError, match="turns is 0"):
        make_kit(turns=0)


def test_scenarios_without_a_path() -> None:
    bare = make_scenario(apt_path=None)
    with pytest.raises(ValueError, match=r"test-0.*apt_path"):
        make_kit([bare], rewards=["emotion_trajectory"])
    with pytest.raises(ValueError, match="user 'scripted/1' needs an apt_path, scenario 'test-0'"):
        make_kit([bare], ScriptedUser(needs_apt_path=True), ["final_emotion"])
    make_kit([bare], rewards=["final_emotion"])


def test_an_id_on_both_sides() -> None:
    with pytest.raises(ValueError, match="'test-1' is there twice"):
        make_kit([make_scenario(0), make_scenario(1)], eval_scenarios=[make_scenario(1)])


def test_weights_by_position_beside_weights_by_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="goes by position"):
        make_trainer(make_kit(), tmp_path, reward_weights=[1.0, 1.0])


class Fussy:
    """Scores every other dialogue."""

    __name__ = "fussy"

    def __init__(self, declared: bool = False) -> None:
        self.none_within_group = declared

    def __call__(self, completions: Any, **_: Any) -> list[float | None]:
        return [1.0 if row % 2 else None for row in range(len(completions))]


def test_none_within_a_group_is_refused_at_start_where_it_is_declared(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"fussy.*normalize_then_sum"):
        make_trainer(make_kit(rewards=[Fussy(declared=True), final_emotion]), tmp_path)
    trainer = make_trainer(
        make_kit(rewards=[Fussy(declared=True), final_emotion]), tmp_path, multi_objective_aggregation="normalize_then_sum"
    )
    trainer.train()
    assert trainer.state.global_step == 2


def test_none_within_a_group_is_refused_when_it_happens(tmp_path: Path) -> None:
    trainer = make_trainer(make_kit(rewards=[Fussy(), final_emotion]), tmp_path)
    with pytest.raises(ValueError, match="reward 'fussy' is None for some dialogues of a group and not for others"):
        trainer.train()


def test_rewards_beside_the_kit(tmp_path: Path) -> None:
    from trl import GRPOConfig, GRPOTrainer

    from tests import tiny

    def mine(completions: Any, **_: Any) -> list[float]:
        return [0.0] * len(completions)

    for change, problem in (
        (lambda funcs: [*funcs, mine], r"does not know the rewards \['mine'\]"),
        (lambda funcs: funcs[:1], r"lacks the rewards \['final_emotion'\]"),
        (lambda funcs: [*funcs, funcs[0]], "two reward functions are called 'emotion_trajectory'"),
    ):
        kwargs = make_kit().trainer_kwargs()
        kwargs["reward_funcs"] = change(kwargs["reward_funcs"])
        trainer = GRPOTrainer(tiny.path(), args=GRPOConfig(**tiny.grpo_args(tmp_path)), **kwargs)
        with pytest.raises(ValueError, match=problem):
            trainer.train()


def test_a_dataset_that_names_no_scenario(tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    from tests import tiny

    kit = make_kit()
    for prompt in ([{"role": "user", "content": "hi"}], mark([{"role": "user", "content": "hi"}], "stranger")):
        kwargs = kit.trainer_kwargs() | {"train_dataset": Dataset.from_list([{"prompt": prompt}])}
        trainer = GRPOTrainer(tiny.path(), args=GRPOConfig(**tiny.grpo_args(tmp_path)), **kwargs)
        with pytest.raises(ValueError, match=r"names no known scenario.*trainer_kwargs"):
            trainer.train()


# --- at work -----------------------------------------------------------------------------------------------------------


def test_training_writes_every_dialogue_and_every_metric(tmp_path: Path) -> None:
    user = ScriptedUser()
    kit = make_kit(user=user, rewards={"emotion_trajectory": 1.0, "final_emotion": 0.5}, turns=2)
    trainer = make_trainer(kit, tmp_path, per_device_train_batch_size=8)
    trainer.train()
    assert trainer.reward_weights.tolist() == [1.0, 0.5]
    rollouts = lines(tmp_path / "rollouts.jsonl")
    assert [line["step"] for line in rollouts] == [0] * 8 + [1] * 8
    for line in rollouts:
        dialogue = from_dict(Dialogue, line["dialogue"])
        assert line["rewards"] == {
            "emotion_trajectory": emotion_trajectory.score(dialogue),
            "final_emotion": final_emotion.score(dialogue),
        }
        assert line["weighted"] == pytest.approx(line["rewards"]["emotion_trajectory"] + 0.5 * line["rewards"]["final_emotion"])
        assert dialogue.step == line["step"] and dialogue.user == "scripted/1" and line["phase"] == "train"
    metrics = lines(tmp_path / "metrics.jsonl")
    assert [line["step"] for line in metrics] == [1, 2, 2]  # the last is the run's summary
    for step in (0, 1):
        weighted = [line["weighted"] for line in rollouts if line["step"] == step]
        assert metrics[step]["reward"] == pytest.approx(sum(weighted) / 8)  # TRL and the run folder weigh alike
    assert {"loss", "entropy", "emorl/failure_rate", "emorl/final_emotion", "emorl/truncated", "emorl/turns"} <= set(metrics[0])


def test_seeds_and_siblings(tmp_path: Path) -> None:
    user = ScriptedUser()
    kit = make_kit([make_scenario(0), make_scenario(1)], user, turns=1)
    make_trainer(kit, tmp_path, per_device_train_batch_size=8, max_steps=3).train()
    dialogues = [from_dict(Dialogue, line["dialogue"]) for line in lines(tmp_path / "rollouts.jsonl")]
    assert [d.sibling for d in dialogues] == [0, 1, 2, 3] * 6
    for visit in range(3):
        batch = dialogues[8 * visit : 8 * visit + 8]
        for group in (batch[:4], batch[4:]):
            assert {(d.scenario.id, d.seed) for d in group} == {
                (group[0].scenario.id, scenario_seed(group[0].scenario.id, visit))
            }
    assert kit.rollout_func.visits == {"test-0": 3, "test-1": 3}


def test_evaluation_rolls_out_too_and_always_meets_the_same_personas(tmp_path: Path) -> None:
    kit = make_kit([make_scenario(0), make_scenario(1)], eval_scenarios=[make_scenario(8), make_scenario(9), make_scenario(10)])
    trainer = make_trainer(
        kit, tmp_path, eval_strategy="steps", eval_steps=1, num_generations_eval=2, per_device_eval_batch_size=2
    )
    trainer.evaluate()
    trainer.train()
    evals = [line for line in lines(tmp_path / "rollouts.jsonl") if line["phase"] == "eval"]
    assert [line["step"] for line in evals] == [0] * 6 + [1] * 6 + [2] * 6
    assert [line["dialogue"]["sibling"] for line in evals[:6]] == [0, 1] * 3
    seeds = [[line["dialogue"]["seed"] for line in evals if line["step"] == step] for step in (0, 1, 2)]
    assert seeds[0] == seeds[1] == seeds[2]
    assert kit.rollout_func.visits == {"test-0": 1, "test-1": 1}  # evaluations do not count
    assert all(line["rewards"]["final_emotion"] is not None for line in evals)
    assert any("eval_reward" in line for line in lines(tmp_path / "metrics.jsonl"))


def test_rewards_of_others_get_messages_and_async_ones_are_awaited(tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def length(completions: Any, **columns: Any) -> list[float]:
        seen["completions"], seen["columns"] = completions, set(columns)
        return [float(len(c[0]["content"])) for c in completions]

    async def slow(dialogue: list[Dialogue], **_: Any) -> list[float]:
        return [d.emotions[-1] for d in dialogue]

    kit = make_kit(rewards=[length, slow], user=ScriptedUser(words="And then?"))
    trainer = make_trainer(kit, tmp_path, max_steps=1)
    script(trainer, lambda row, turn: f"Reply {turn}.")
    trainer.train()
    assert seen["completions"][0] == [
        {"role": "assistant", "content": "Reply 1."},
        {"role": "user", "content": "And then?"},
        {"role": "assistant", "content": "Reply 2."},
    ]
    assert {"prompts", "scenario", "trainer_state", "dialogue", "completion_ids"} <= seen["columns"]
    (line, *_) = lines(tmp_path / "rollouts.jsonl")
    assert line["rewards"] == {"length": 8.0, "slow": line["dialogue"]["turns"][-1]["emotion"]}


def test_a_lora_policy_trains_with_a_kl_term(tmp_path: Path) -> None:
    from peft import LoraConfig
    from trl import GRPOConfig, GRPOTrainer

    from tests import tiny

    args = GRPOConfig(**tiny.grpo_args(tmp_path, beta=0.1))
    lora = LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    trainer = GRPOTrainer(tiny.path(), args=args, peft_config=lora, **make_kit().trainer_kwargs())
    trainer.train()
    rollouts = lines(tmp_path / "rollouts.jsonl")
    assert len(rollouts) == 8
    assert rollouts[0]["dialogue"]["policy"] == tiny.path()
    assert "kl" in lines(tmp_path / "metrics.jsonl")[0]


# --- failures ----------------------------------------------------------------------------------------------------------


def weights_after(tmp_path: Path, line: Any, name: str, **changes: Any) -> dict[str, Any]:
    """Parameters of the tiny model after three steps on scripted replies; a second reply with Q in it fails."""
    kit = make_kit(user=ScriptedUser(fails_when="Q", fails_at=2), failures=FailureRate(stop=1.0))
    # Plain SGD: Adam would blow rounding of near-zero gradients up to its step size.
    changes = {"optim": "sgd", "learning_rate": 0.1, "max_steps": 3, "beta": 0.1} | changes
    trainer = make_trainer(kit, tmp_path / name, **changes)
    script(trainer, line)
    trainer.train()
    return {key: value.detach().clone() for key, value in trainer.model.named_parameters()}


def distance(a: dict[str, Any], b: dict[str, Any]) -> float:
    return max(float((a[key] - b[key]).abs().max()) for key in a)


@pytest.mark.parametrize("loss_type", ["dapo", "grpo"])
def test_failed_dialogues_change_no_gradient(tmp_path: Path, loss_type: str) -> None:
    """Whatever a failed dialogue says, and however long: the update is the same. The KL term is on, and must not see it."""

    def replies(failed: str, scored: str = "aaae") -> Any:
        return lambda row, turn: {1: "Q " + failed, 2: scored}.get(row, "ae" * row + f" turn {turn}")

    base = weights_after(tmp_path, replies("abc"), "base", loss_type=loss_type)
    other_words = weights_after(tmp_path, replies("xyz"), "words", loss_type=loss_type)
    other_length = weights_after(tmp_path, replies("xyz " * 12), "length", loss_type=loss_type)
    control = weights_after(tmp_path, replies("abc", "e"), "control", loss_type=loss_type)
    assert distance(base, other_words) == 0.0
    assert distance(base, other_length) < 1e-6  # only the padding differs
    assert distance(base, control) > 1e-4


def test_a_batch_of_failures_changes_nothing(tmp_path: Path) -> None:
    before = weights_after(tmp_path, lambda row, turn: "Q", "none", learning_rate=0.0)
    after = weights_after(tmp_path, lambda row, turn: "Q", "all", learning_rate=1e-2)
    assert distance(before, after) == 0.0


def test_failed_dialogues_have_no_score_with_any_reward(tmp_path: Path) -> None:
    def everyone(completions: Any, **_: Any) -> list[float]:
        return [1.0] * len(completions)

    kit = make_kit(rewards=[everyone, final_emotion], user=ScriptedUser(fails_when="Q", fails_at=2))
    trainer = make_trainer(kit, tmp_path, max_steps=1)
    script(trainer, lambda row, turn: "Q" if (row, turn) == (1, 2) else "ae" * (row + 1))
    trainer.train()
    rollouts = lines(tmp_path / "rollouts.jsonl")
    assert rollouts[1]["rewards"] == {"everyone": None, "final_emotion": None} and rollouts[1]["weighted"] is None
    assert rollouts[1]["dialogue"]["failure"] == "scripted failure at turn 2"
    assert all(line["rewards"]["everyone"] == 1.0 for line in rollouts if line is not rollouts[1])
    assert lines(tmp_path / "metrics.jsonl")[0]["emorl/failure_rate"] == 0.25


def test_too_many_failures_save_and_stop_the_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kit = make_kit(user=ScriptedUser(fails=["test-0"]), failures=FailureRate(minimum=12))
    trainer = make_trainer(kit, tmp_path, max_steps=50, save_strategy="steps", save_steps=100)
    with pytest.raises(TooManyFailures, match=r"dialogues failed \(\d+%\): \d+ x scripted failure at turn 1"):
        trainer.train()
    stopped = trainer.state.global_step
    assert 3 <= stopped < 50
    assert (tmp_path / f"checkpoint-{stopped}" / "emorl_state.json").is_file()


def test_some_failures_warn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kit = make_kit(user=ScriptedUser(fails_when="Q"), failures=FailureRate(minimum=8))
    trainer = make_trainer(kit, tmp_path, per_device_train_batch_size=8)
    script(trainer, lambda row, turn: "Q" if row == 3 else "ae" * row)
    trainer.train()
    assert "1 of the last 8 dialogues failed (12%)" in caplog.text and "stops above 20 %" in caplog.text


# --- resume ------------------------------------------------------------------------------------------------------------


def strip(line: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in line.items() if "time" not in k and "per_second" not in k and k != "train_loss"}


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    changes = {"max_steps": 4, "save_strategy": "steps", "save_steps": 2, "beta": 0.04, "temperature": 1.0}
    make_trainer(make_kit(), tmp_path / "whole", **changes).train()
    whole = lines(tmp_path / "whole" / "rollouts.jsonl")

    broken = make_trainer(make_kit(), tmp_path / "broken", **changes)
    broken.train()  # to the end: what follows checkpoint 2 must go
    kit = make_kit()
    resumed = make_trainer(kit, tmp_path / "broken", **changes)
    resumed.train(resume_from_checkpoint=str(tmp_path / "broken" / "checkpoint-2"))
    again = lines(tmp_path / "broken" / "rollouts.jsonl")
    for line in (*whole, *again):
        line["dialogue"].pop("policy")
    assert [line["step"] for line in again] == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    assert again == whole  # the same words sampled, the same personas, the same rewards
    assert sum(kit.rollout_func.visits.values()) == 4
    metrics = [lines(tmp_path / run / "metrics.jsonl")[:4] for run in ("whole", "broken")]
    assert [strip(line) for line in metrics[1]] == [strip(line) for line in metrics[0]]


def test_resume_with_another_user_is_refused(tmp_path: Path) -> None:
    changes = {"save_strategy": "steps", "save_steps": 1}
    make_trainer(make_kit(), tmp_path, **changes).train()
    other = make_trainer(make_kit(user=ScriptedUser(name="scripted/2")), tmp_path, max_steps=3, **changes)
    with pytest.raises(ValueError, match="trained with the user 'scripted/1', this run has 'scripted/2'"):
        other.train(resume_from_checkpoint=True)


def test_a_checkpoint_elsewhere(tmp_path: Path) -> None:
    changes = {"save_strategy": "steps", "save_steps": 2}
    make_trainer(make_kit(), tmp_path / "old", **changes).train()
    checkpoint = tmp_path / "old" / "checkpoint-2"
    with pytest.raises(FileNotFoundError, match=r"kit.load_checkpoint"):
        make_trainer(make_kit(), tmp_path / "new", max_steps=3).train(resume_from_checkpoint=str(checkpoint))
    kit = make_kit()
    trainer = make_trainer(kit, tmp_path / "new", max_steps=3)
    kit.load_checkpoint(checkpoint)
    trainer.train(resume_from_checkpoint=str(checkpoint))
    assert trainer.state.global_step == 3


def test_state_round_trips() -> None:
    kit, other = make_kit(), make_kit()
    kit.rollout_func.visits.update({"test-0": 2})
    kit.failures.update([""] * 9 + ["x"])
    other.load_state_dict(json.loads(json.dumps(kit.state_dict())))
    assert other.state_dict() == kit.state_dict()


def test_scenarios_may_be_a_file(tmp_path: Path) -> None:
    from emorl.records import to_json

    file = tmp_path / "mine.jsonl"
    file.write_text("".join(to_json(make_scenario(i)) + "\n" for i in range(2)))
    kit = EmotionKit(file, ScriptedUser(), ["final_emotion"])
    rows = kit.trainer_kwargs()["train_dataset"]
    assert [row["prompt"][0]["scenario_id"] for row in rows] == ["test-0", "test-1"]
    assert dataclasses.asdict(kit.scenarios[1])["id"] == "test-1"
