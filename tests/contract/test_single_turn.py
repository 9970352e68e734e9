"""Rewards inside unmodified single-turn trainers of TRL, on a tiny real model: the user reacts once to each completion."""

from __future__ import annotations

import json
import pickle
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emorl import cli, scenarios
from emorl.records import to_json
from emorl.rewards import FinalEmotion, emotion_trajectory, registry, rows
from tests import tiny
from tests.scripted_user import ScriptedUser, make_scenario

ROOT = Path(__file__).parents[2]
STORIES = [make_scenario(i) for i in range(4)]


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest) -> ScriptedUser:
    """The default user and the packaged train split, both made small."""
    user = ScriptedUser(name=request.node.name)
    monkeypatch.setattr(rows, "default_user", lambda: user)
    monkeypatch.setattr(scenarios, "DATA", tmp_path)
    (tmp_path / "train.jsonl").write_text("".join(to_json(s) + "\n" for s in STORIES), encoding="utf-8")
    return user


def flags(args: dict[str, Any]) -> list[str]:
    return [part for key, value in args.items() for part in (f"--{key}", str(value))]


def steps(trainer: Any) -> list[dict[str, float]]:
    return [entry for entry in trainer.state.log_history if "reward" in entry]


def assert_rewarded(trainer: Any, name: str, user: ScriptedUser, rollouts: int) -> None:
    """The reward reached the log of every step, finite and in range, and the user heard the policy's own words."""
    logs = steps(trainer)
    assert len(logs) == trainer.state.max_steps
    for entry in logs:
        assert registry[name].low <= entry[f"rewards/{name}/mean"] <= registry[name].high
        assert entry[f"{name}/unscored"] == 0.0
    assert 0 < len(user.heard) <= rollouts
    assert {scenario_id for scenario_id, _ in user.resets} <= {s.id for s in STORIES}


def test_three_lines_in_a_grpo_script(listener: ScriptedUser, tiny_model: str, tmp_path: Path) -> None:
    example = runpy.run_path(str(ROOT / "examples" / "grpo_three_lines.py"))
    args = tiny.grpo_args(tmp_path / "out", max_completion_length=12)
    trainer = example["main"]([*flags(args), "--model_name_or_path", tiny_model])
    assert_rewarded(trainer, "emotion_trajectory", listener, rollouts=8)
    assert {"rewards/brief/mean", "rewards/emotion_trajectory/std"} <= set(steps(trainer)[0])


def test_the_example_adds_three_lines_and_no_more() -> None:
    text = (ROOT / "examples" / "grpo_three_lines.py").read_text()
    assert [text.count(f"# line {n}") for n in (1, 2, 3, 4)] == [1, 1, 1, 0]


def test_every_reward_at_once_in_grpo_and_in_rloo(listener: ScriptedUser, tiny_model: str, tmp_path: Path) -> None:
    from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

    data = scenarios.load("train").to_dataset()
    args = tiny.grpo_args(tmp_path, max_completion_length=12, max_steps=1)
    for config, trainer_of in ((GRPOConfig, GRPOTrainer), (RLOOConfig, RLOOTrainer)):
        before = len(listener.heard)
        trainer = trainer_of(tiny_model, args=config(**args), reward_funcs=list(registry.values()), train_dataset=data)
        trainer.train()
        for name in registry:
            assert_rewarded(trainer, name, listener, rollouts=before + 4)


def test_plain_text_prompts_work_too(listener: ScriptedUser, tiny_model: str, tmp_path: Path) -> None:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    data = Dataset.from_list([{"prompt": s.opening, "scenario": to_json(s)} for s in STORIES])
    args = GRPOConfig(**tiny.grpo_args(tmp_path, max_completion_length=12, max_steps=1))
    trainer = GRPOTrainer(tiny_model, args=args, reward_funcs=[emotion_trajectory], train_dataset=data)
    trainer.train()
    assert_rewarded(trainer, "emotion_trajectory", listener, rollouts=4)


@pytest.mark.parametrize("fails", [True, False])
def test_a_failed_talk_changes_no_weight_and_a_scored_one_does(fails: bool, tiny_model: str, tmp_path: Path) -> None:
    import torch
    from trl import GRPOConfig, GRPOTrainer

    user = ScriptedUser(fails=[s.id for s in STORIES] if fails else [], name=f"fails: {fails}")
    data = scenarios.ScenarioSet(STORIES).to_dataset()
    args = GRPOConfig(**tiny.grpo_args(tmp_path, max_completion_length=12, max_steps=1, weight_decay=0.0))
    trainer = GRPOTrainer(tiny_model, args=args, reward_funcs=[FinalEmotion(user=user)], train_dataset=data)
    before = {name: p.detach().clone() for name, p in trainer.model.named_parameters()}
    trainer.train()
    assert steps(trainer)[0]["final_emotion/unscored"] == float(fails)
    assert all(torch.equal(p, before[name]) for name, p in trainer.model.named_parameters()) == fails


def test_by_dotted_path_from_trl_grpo_on_the_exported_dataset(listener: ScriptedUser, tiny_model: str, tmp_path: Path) -> None:
    from trl.scripts import grpo

    names, out = (("emotion_trajectory", "length_repetition_guard"), tmp_path / "data" / "train.jsonl")
    cli.main(["scenarios", "export", "train", "--out", str(out)])
    argv = flags(tiny.grpo_args(tmp_path / "out", max_completion_length=12, max_steps=1, save_strategy="steps", save_steps=1))
    argv += ["--model_name_or_path", tiny_model, "--dataset_name", str(out.parent)]
    argv += ["--reward_funcs", *(f"emorl.rewards.{name}" for name in names)]
    grpo.main(*grpo.make_parser().parse_args_and_config(args=argv, fail_with_unknown_args=False))
    state = json.loads((tmp_path / "out" / "checkpoint-1" / "trainer_state.json").read_text(encoding="utf-8"))
    assert {f"rewards/{name}/mean" for name in names} <= set(state["log_history"][0])
    assert len(listener.heard) == 4


def test_rewards_work_in_a_spawned_process_as_async_grpo_runs_them() -> None:
    code = (
        "import pickle, sys\n"
        "reward, columns = pickle.loads(sys.stdin.buffer.read())\n"
        "assert 'trl' not in sys.modules and 'torch' not in sys.modules\n"
        "print(reward.__name__, reward(**columns))\n"
    )
    reward = FinalEmotion(user=ScriptedUser(), name="mine")
    columns = {"prompts": ["p"], "completions": ["aaaa"], "completion_ids": [[1]], "scenario": [to_json(STORIES[0])]}
    done = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps((reward, columns)), capture_output=True, cwd=ROOT, check=True
    )
    assert done.stdout.decode().split() == ["mine", "[0.32]"]
