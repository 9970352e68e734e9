"""Whole runs of the recipe in this process: evaluation, best checkpoint, report, resume, PEFT, think, supervised stage."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import grpo_emotion
import pytest
import yaml
from arguments import EmotionArguments
from resume import checkpoint, last_checkpoint
from supervised import SETTINGS, lesson
from transformers import AutoModelForCausalLM, AutoTokenizer

from emorl.rewards.tracking import read_feels
from emorl.scenarios import load
from emorl.think import split_think
from tests import tiny
from tests.recipes.conftest import Run, metrics

EVALUATED = {"eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps", "save_steps": 1}
UNEQUAL = {"rewards": ["length_repetition_guard=1", "emotion_trajectory=1"], "temperature": 1.5}
"""Rewards that differ among the babble of the tiny model, so that there is something to learn."""
CLOCK = ("runtime", "per_second", "step_time", "flos")


def test_two_steps_with_evaluation_best_checkpoint_and_report(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(eval_on_start="true", load_best_model_at_end="true", **EVALUATED, **UNEQUAL)
    lines = metrics(folder)
    held_out = {line["step"]: line["eval_reward"] for line in lines if "eval_reward" in line}
    assert sorted(held_out) == [0, 1, 2]
    best = max((1, 2), key=lambda step: (held_out[step], -step))
    state = json.loads((folder / "checkpoint-2" / "trainer_state.json").read_text())
    assert state["best_global_step"] == best and state["best_metric"] == held_out[best]
    # The best one is kept as the policy, and loads as any model does.
    policy = AutoModelForCausalLM.from_pretrained(folder / "policy").state_dict()
    kept = AutoModelForCausalLM.from_pretrained(folder / f"checkpoint-{best}").state_dict()
    assert all(policy[name].equal(kept[name]) for name in kept)
    assert AutoTokenizer.from_pretrained(folder / "policy").chat_template

    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["rewards"] == {"length_repetition_guard": 1.0, "emotion_trajectory": 1.0}
    assert config["trainer"]["max_steps"] == 2 and json.loads(config["user_options"]) == {"backend": "lexical"}
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "lexical" in page and "emotion_trajectory" in page
    rollouts = [json.loads(line) for line in (folder / "rollouts.jsonl").read_text().splitlines()]
    assert [line["phase"] for line in rollouts].count("eval") == 3 * 2
    assert [line["phase"] for line in rollouts].count("train") == 2 * 4
    said = capsys.readouterr().out
    assert f"best held-out reward {held_out[best]:.3f} at step {best}" in said
    assert "too few to show that the policy got better" in said
    assert "grpo 2/2" in said and "held out · reward" in said


def comparable(folder: Path, after: int) -> list[dict[str, Any]]:
    """Metrics of the steps after `after`, without what the clock says."""
    rows = [line for line in metrics(folder) if line["step"] > after and "train_runtime" not in line]
    return [{k: v for k, v in row.items() if not any(word in k for word in CLOCK)} for row in rows]


def test_a_resumed_run_equals_an_uninterrupted_one(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"max_steps": 4, "eval_on_start": "true", "beta": 0.04, **EVALUATED, **UNEQUAL}
    options |= {"supervised_epochs": 1, "supervised_replies": 1}
    whole = run("whole", **options)
    expected = comparable(whole, 2)
    assert [row["step"] for row in expected] == [3, 3, 4, 4]
    assert any(row.get("grad_norm", 0) > 0 for row in expected)
    # As after a crash in step 4, while its checkpoint was being written.
    shutil.rmtree(whole / "checkpoint-3")
    (whole / "checkpoint-4" / "emorl_state.json").unlink()
    rollouts = (whole / "rollouts.jsonl").read_text()
    capsys.readouterr()
    run("whole", **options)
    said = capsys.readouterr().out
    assert "resuming from" in said and "checkpoint-2" in said and "supervised stage: taken from" in said
    assert comparable(whole, 2) == expected
    assert (whole / "rollouts.jsonl").read_text() == rollouts

    # From a folder elsewhere.
    copy = tmp_path / "copy"
    shutil.copytree(whole / "supervised", copy / "supervised")
    run("copy", resume=whole / "checkpoint-2", **options)
    assert comparable(copy, 2) == expected
    # An earlier run's checkpoints would pass for a new one's.
    with pytest.raises(SystemExit, match=r"--resume never, but .*checkpoint-4 is of an earlier run.*--output_dir"):
        run("whole", resume="never", **options)


def test_the_newest_whole_checkpoint(tmp_path: Path) -> None:
    assert checkpoint("auto", tmp_path / "nowhere") is None
    for name, files in {"checkpoint-9": 2, "checkpoint-10": 2, "checkpoint-11": 1, "checkpoint-best": 2}.items():
        (tmp_path / name).mkdir()
        for file in ("trainer_state.json", "emorl_state.json")[:files]:
            (tmp_path / name / file).touch()
    assert checkpoint("auto", tmp_path) == last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert checkpoint("never", tmp_path) is None
    assert checkpoint(str(tmp_path / "checkpoint-9"), tmp_path) == tmp_path / "checkpoint-9"


def test_peft(run: Run) -> None:
    folder = run(max_steps=1, use_peft="true", lora_r=4, lora_target_modules=["q_proj", "v_proj"], beta=0.01, **UNEQUAL)
    adapter = json.loads((folder / "policy" / "adapter_config.json").read_text())
    assert adapter["r"] == 4 and set(adapter["target_modules"]) == {"q_proj", "v_proj"}
    assert not (folder / "policy" / "model.safetensors").exists()
    assert "kl" in metrics(folder)[0]  # the adapter switched off is the reference


@pytest.mark.parametrize("family", ["smollm2", "qwen3"])
def test_think(run: Run, family: tiny.Family) -> None:
    rewards = ["emotion_trajectory=1", "emotion_tracking=0.3", "think_format=0.2"]
    folder = run(
        max_steps=1,
        think="true",
        rewards=rewards,
        turn_tokens=60,
        supervised_epochs=1,
        supervised_replies=1,
        model_name_or_path=tiny.path(family),
    )
    assert {"rewards/emotion_tracking/mean", "rewards/think_format/mean"} <= set(metrics(folder)[0])
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["trainer"]["chat_template_kwargs"] == {"enable_thinking": True}


def test_no_think_closes_the_think_block_of_a_template_that_has_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    build = grpo_emotion.build
    monkeypatch.setattr(grpo_emotion, "build", lambda *a: seen.append(build(*a)) or seen[-1])
    run(max_steps=1, model_name_or_path=tiny.path("qwen3"))
    assert seen[0].chat_template_kwargs == {"enable_thinking": False}


# --- the supervised stage ----------------------------------------------------------------------------------------------


def test_lesson() -> None:
    scenarios = load("train")[:3]
    options = {"supervised_epochs": 1, "supervised_replies": 2}
    plain = lesson(EmotionArguments(**options), scenarios, "Be kind.")
    thinking = lesson(EmotionArguments(think=True, **options), scenarios, "Be kind.")
    assert plain and thinking and len(plain.rows) == len(thinking.rows) == 6
    assert [m["role"] for m in plain.rows[0]["prompt"]] == ["system", "user"]
    assert plain.rows[0]["prompt"][1]["content"] == scenarios[0].opening
    for number, (row, thoughtful) in enumerate(zip(plain.rows, thinking.rows, strict=True)):
        think, reply = split_think(thoughtful["completion"][0]["content"])
        assert reply == row["completion"][0]["content"]
        assert read_feels(think) == {scenarios[number // 2].emotion: 1.0}
    assert lesson(EmotionArguments(), scenarios, "Be kind.") is None


def test_the_supervised_stage_teaches_and_is_repeated_only_for_other_settings(
    run: Run, tiny_model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"max_steps": 1, "supervised_replies": 2, "supervised_learning_rate": 1e-2}
    folder = run(supervised_epochs=15, **options)
    losses = [float(line.split("loss ")[1].split()[0]) for line in capsys.readouterr().out.splitlines() if "loss " in line]
    assert losses[-1] < 0.8 * losses[0]
    start = AutoModelForCausalLM.from_pretrained(folder / "supervised").state_dict()
    untouched = AutoModelForCausalLM.from_pretrained(tiny_model).state_dict()
    assert any(not start[name].equal(untouched[name]) for name in untouched)
    assert yaml.safe_load((folder / "config.yaml").read_text())["policy"] == str(folder / "supervised")

    run(supervised_epochs=1, **options)
    assert "taken from" not in capsys.readouterr().out
    assert json.loads((folder / "supervised" / SETTINGS).read_text())["epochs"] == 1
    run(supervised_epochs=1, resume="never", **options)
    assert "taken from" not in capsys.readouterr().out
