"""Presets parse with the real parser, the command line wins, and what cannot work is refused before a policy loads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import arguments
import configure
import grpo_emotion
import pytest
import yaml
from checks import check, check_batches
from transformers import TrainingArguments

from tests.recipes.conftest import RECIPES, flags, small

PRESETS = sorted(RECIPES.glob("presets/*.yaml"))
PROCESSES = {"qwen7b_8gpu": 8}


def parse(argv: list[str]) -> arguments.Options:
    return arguments.parse(argv, configure.OURS)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_presets_parse_and_pass_the_checks(preset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # On the machine they are for: a GPU, and that many processes.
    monkeypatch.setattr(arguments, "machine_defaults", lambda: {"use_cpu": True, "bf16": True})
    monkeypatch.setattr(TrainingArguments, "world_size", PROCESSES.get(preset.stem, 1))
    emotion, args, model = parse(["--config", str(preset)])
    check(emotion, args)
    train = configure.scenario_set(emotion.scenarios, emotion.scenario_limit)
    held_out = configure.scenario_set(emotion.eval_scenarios, emotion.eval_limit)
    check_batches(args, len(train), len(held_out))
    assert emotion.weights == yaml.safe_load(preset.read_text())["rewards"]
    assert model.model_name_or_path
    assert args.beta > 0  # else `kl` is not logged


def test_rlver_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TrainingArguments, "world_size", 8)
    emotion, args, _ = parse(["--config", str(RECIPES / "presets" / "qwen7b_8gpu.yaml")])
    assert args.generation_batch_size == 32 * args.num_generations == 128
    assert args.steps_per_generation == args.gradient_accumulation_steps  # one update a step
    assert (emotion.turns, args.learning_rate, args.temperature, args.max_steps) == (8, 1e-6, 1.0, 1000)
    assert args.get_warmup_steps(args.max_steps) == 20


def test_the_command_line_wins_over_the_preset_and_the_preset_over_defaults() -> None:
    preset = ["--config", str(RECIPES / "presets" / "demo.yaml")]
    emotion, args, model = parse(preset)
    assert (args.max_steps, emotion.turn_tokens, model.model_name_or_path) == (12, 40, "embedded")
    assert args.metric_for_best_model == "eval_reward" and args.greater_is_better
    line = flags(max_steps=3, rewards=["final_emotion=0.5", "emotion_trajectory"], output_dir="elsewhere", lora_r=4)
    emotion, args, model = parse([*preset, *line])
    assert (args.max_steps, emotion.turn_tokens, model.lora_r, args.output_dir) == (3, 40, 4, "elsewhere")
    assert emotion.weights == {"final_emotion": 0.5, "emotion_trajectory": 1.0}


@pytest.mark.parametrize("rewards", ["{final_emotion: 2}", "[final_emotion=2]", "final_emotion=2"])
def test_rewards_in_yaml(tmp_path: Path, rewards: str) -> None:
    preset = tmp_path / "mine.yaml"
    preset.write_text(f"rewards: {rewards}\nlearning_rate: 5e-5\nenv: {{EMORL_TEST: 1}}\n")
    emotion, args, _ = parse(["--config", str(preset)])
    assert emotion.weights == {"final_emotion": 2.0}
    assert args.learning_rate == 5e-5  # YAML reads 5e-5 as text


def test_the_users_options_from_preset_and_command_line(tmp_path: Path) -> None:
    preset = tmp_path / "mine.yaml"
    preset.write_text("user: sentient\nuser_options: {model: m, concurrency: 4}\n")
    line = ["--config", str(preset), "--user.base_url", "http://localhost:1/v1", "--user.concurrency=8", "--max_steps", "3"]
    emotion, args, _ = parse(line)
    assert emotion.user_settings == {"model": "m", "concurrency": 8, "base_url": "http://localhost:1/v1"}
    assert args.max_steps == 3
    with pytest.raises(ValueError, match=r"--user.base_url: has no value"):
        parse(["--user.base_url", "--max_steps", "3"])


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown reward": ({"rewards": "warmth=1"}, r"--rewards: 'warmth' is no reward; there are: .*emotion_trajectory"),
    "reward twice": ({"rewards": ["final_emotion=1", "final_emotion=2"]}, r"--rewards: 'final_emotion' is given twice"),
    "no number": ({"rewards": "final_emotion=much"}, r"--rewards: the weight of 'final_emotion' is 'much'; give a number"),
    "no finite number": ({"rewards": "final_emotion=nan"}, r"--rewards: the weight .* is nan; give a finite number"),
    "think unread": ({"think": "true"}, r"--think is on, but no reward reads the thoughts: add think_format or emotion_tracking"),
    "no thoughts": ({"rewards": "emotion_tracking=1"}, r"'emotion_tracking' reads the think block: add --think true"),
    "too long": ({"turns": 4, "turn_tokens": 60}, r"--turns 4 of --turn_tokens 60 do not fit into --max_completion_length 160"),
    "no room": ({"turns": 200, "turn_tokens": 0}, r"--turns 200 of --turn_tokens 0 do not fit"),
    "no turns": ({"turns": 0}, r"--turns is 0; give at least 1"),
    "negative": ({"eval_limit": -1}, r"--eval_limit is -1; give 0 or more"),
    "no such file": (
        {"scenarios": "nowhere.jsonl"},
        r"--scenarios nowhere.jsonl: neither a packaged split \(train, dev, heldout\) nor",
    ),
    "no such user": ({"user": "human"}, r"--user human: there is no such user; there are: appraisal, sentient"),
    "no such backend": ({"user.backend": "bert"}, r"--user.backend bert: .* use minilm or lexical"),
    "no server": ({"user": "sentient", "user_options": "{model: m}"}, r"'sentient': missing a required argument: 'base_url'"),
    "another user's option": ({"user.base_url": "http://x/v1"}, r"'appraisal': .*'base_url'; its options are: backend, minilm"),
    "no mapping": ({"user_options": "lexical"}, r"--user_options is 'lexical'; give a mapping"),
    "no such replies": ({"supervised_kind": "short"}, r"--supervised_kind short: .* use good or plain"),
    "no held-out": ({"eval_strategy": "steps", "eval_steps": 1, "eval_scenarios": ""}, r"give --eval_scenarios dev, or"),
    "in training too": ({"eval_strategy": "steps", "eval_steps": 1, "eval_scenarios": "train"}, r"scenario id .* is there twice"),
    "best by loss": (
        {
            "load_best_model_at_end": "true",
            "metric_for_best_model": "loss",
            "eval_strategy": "steps",
            "save_strategy": "steps",
        },
        r"--metric_for_best_model eval_loss says nothing in GRPO: use eval_reward",
    ),
    "weights by place": ({"reward_weights": [1.0]}, r"--reward_weights goes by position: .*--rewards name=weight"),
    "TRL's resume": ({"resume_from_checkpoint": "runs/x"}, r"use --resume runs/x"),
    "no checkpoint": ({"resume": "nowhere"}, r"--resume nowhere: no checkpoint of this recipe; use auto, never or a"),
    "few scenarios": (
        {"per_device_train_batch_size": 16},
        r"a step wants 8 different scenarios and there are 4: lower --per",
    ),
    "groups cut": ({"per_device_train_batch_size": 3}, r"generation_batch_size \(3\) must be divisible by num_generations \(2\)"),
    "eval groups cut": (
        {"eval_strategy": "steps", "eval_steps": 1, "num_generations_eval": 2, "per_device_eval_batch_size": 3},
        r"global eval batch size \(3 \* 1\) must be divisible",
    ),
    "eval batch short": (
        {"eval_strategy": "steps", "eval_steps": 1, "eval_limit": 3},
        r"3 held-out scenarios x 1 dialogues do not fill evaluation batches of 2: choose --per_device_eval_batch_size",
    ),
    "between rollouts": (
        {"num_iterations": 2, "save_strategy": "steps", "save_steps": 3},
        r"--save_steps 3: rollouts are made every 2 steps; give a multiple of 2",
    ),
    "unknown option": ({"turnz": 3}, r"--turnz"),
    "no replies wanted": ({"supervised_replies": 0}, r"--supervised_replies is 0; give at least 1"),
    "no replies written": (
        {"supervised_epochs": 1, "scenarios": "dev"},
        r"--supervised_epochs: there are no written replies to these scenarios; set it to 0",
    ),
}


@pytest.mark.parametrize(("options", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], message: str) -> None:
    monkeypatch.setattr(grpo_emotion, "train", lambda *_: pytest.fail("went on to load the policy"))
    with pytest.raises(SystemExit) as refused:
        grpo_emotion.main(small(tmp_path / "run", "no/model", **options))
    assert re.search(message, str(refused.value))
    assert not (tmp_path / "run").exists()


def test_no_supervised_stage_under_deepspeed() -> None:
    emotion, args, _ = parse(["--supervised_epochs", "1"])
    args.deepspeed_plugin = object()
    with pytest.raises(ValueError, match=r"--supervised_epochs: .* does not run under DeepSpeed; run it without"):
        check(emotion, args)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("turnz: 3\n", r"mine.yaml: no option is called 'turnz'; did you mean 'turns'\?"),
        ("zzzzqq: 3\n", r"no option is called 'zzzzqq'; take it out; --help lists the options"),
        ("- turns\n", r"holds no mapping; write one `option: value` on each line"),
        (None, r"mine.yaml: there is no such file; the presets are in recipes/presets"),
    ],
)
def test_presets_refused(tmp_path: Path, text: str | None, message: str) -> None:
    preset = tmp_path / "mine.yaml"
    if text is not None:
        preset.write_text(text)
    with pytest.raises(SystemExit, match=message):
        grpo_emotion.main(["--config", str(preset)])


def test_prompts() -> None:
    emotion = arguments.EmotionArguments
    assert configure.system_prompt(emotion()) == configure.DEFAULT_SYSTEM_PROMPT
    assert configure.system_prompt(emotion(system_prompt="Be brief.")) == "Be brief."
    thinking = configure.system_prompt(emotion(think=True, rewards=["think_format"]))
    assert configure.THINK_PROMPT in thinking and "feels:" not in thinking
    assert "feels:" in configure.system_prompt(emotion(think=True, rewards=["emotion_tracking"]))


def test_a_limit_spreads_over_the_file() -> None:
    everyone, some = configure.scenario_set("dev", 0), configure.scenario_set("dev", 4)
    assert [everyone.ids.index(i) for i in some.ids] == [0, 5, 10, 15]
    assert configure.scenario_set("dev", 1000).ids == everyone.ids
