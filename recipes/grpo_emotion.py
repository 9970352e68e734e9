"""GRPO on emotional dialogues with a simulated user.

accelerate launch recipes/grpo_emotion.py --config recipes/presets/demo.yaml
accelerate launch recipes/grpo_emotion.py --config recipes/presets/qwen7b_8gpu.yaml --rewards emotion_trajectory=1.0

Every option of TRL's `GRPOConfig` and `ModelConfig` is taken too, in the preset and on the command line. The run folder
(`--output_dir`) holds rollouts.jsonl, metrics.jsonl, config.yaml, report.html and the checkpoints.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import yaml
from arguments import EMBEDDED, EmotionArguments, check, machine_defaults
from progress import ProgressLines, quiet
from supervised import examples, supervise
from transformers import set_seed
from transformers.trainer_utils import get_last_checkpoint
from trl import GRPOConfig, GRPOTrainer, ModelConfig, TrlParser, get_peft_config

from emorl import embedded
from emorl.integrations.trl import EmotionKit
from emorl.rewards import TRACKING_PROMPT
from emorl.scenarios import DEFAULT_SYSTEM_PROMPT, ScenarioSet, load


def parse(argv: list[str] | None = None) -> tuple[EmotionArguments, GRPOConfig, ModelConfig]:
    """Options from the machine, the preset and the command line, the later ones winning; checked."""
    parser = TrlParser((EmotionArguments, GRPOConfig, ModelConfig))
    ours = {"model_name_or_path": EMBEDDED, "output_dir": "runs/grpo_emotion", "logging_steps": 1}
    parser.set_defaults_with_config(**machine_defaults(), **ours)
    emotion, args, model = parser.parse_args_and_config(argv)
    check(emotion, args)
    return emotion, args, model


def scenario_set(name: str, limit: int) -> ScenarioSet:
    """The first `limit` scenarios of a split or file (0: all), spread over the file so that no emotion is left out."""
    scenarios = load(name)
    if not 0 < limit < len(scenarios):
        return scenarios
    return ScenarioSet([scenarios[i * len(scenarios) // limit] for i in range(limit)])


def system_prompt(emotion: EmotionArguments) -> str:
    """The system prompt of every dialogue."""
    base = emotion.system_prompt or DEFAULT_SYSTEM_PROMPT
    return f"{base} {TRACKING_PROMPT}" if emotion.think else base


def starting_point(emotion: EmotionArguments, args: GRPOConfig, model: ModelConfig, scenarios: ScenarioSet) -> str:
    """Folder or name of the policy that GRPO starts from."""
    name = embedded.smollm2() if model.model_name_or_path == EMBEDDED else str(model.model_name_or_path)
    if not emotion.supervised_epochs:
        return name
    data = examples(scenarios, system_prompt(emotion), emotion.supervised_replies)
    out = Path(str(args.output_dir), "supervised")
    return supervise(name, data, out, epochs=emotion.supervised_epochs, learning_rate=emotion.supervised_learning_rate, args=args)


def checkpoint(emotion: EmotionArguments, args: GRPOConfig) -> str | None:
    """The checkpoint to go on from. Raises `SystemExit` where the named one is not there."""
    if emotion.resume == "never":
        return None
    if emotion.resume != "auto":
        if not Path(emotion.resume).is_dir():
            raise SystemExit(f"--resume {emotion.resume}: no such checkpoint folder; use auto, never or a folder")
        return emotion.resume
    return get_last_checkpoint(str(args.output_dir)) if Path(str(args.output_dir)).is_dir() else None


def write_config(emotion: EmotionArguments, args: GRPOConfig, model: ModelConfig, start: str) -> None:
    """The resolved configuration, without tokens and keys (`to_dict` masks them)."""
    resolved = asdict(emotion) | {"rewards": emotion.weights, "policy": start, "model": asdict(model), "trainer": args.to_dict()}
    path = Path(str(args.output_dir), "config.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True), encoding="utf-8")


def build(emotion: EmotionArguments, args: GRPOConfig, model: ModelConfig, start: str, scenarios: ScenarioSet) -> GRPOTrainer:
    """The unmodified trainer with the kit's arguments."""
    held_out = scenario_set(emotion.eval_scenarios, emotion.eval_limit) if args.eval_strategy != "no" else None
    kit = EmotionKit(
        scenarios=scenarios,
        eval_scenarios=held_out,
        user=emotion.user,
        user_options={"backend": emotion.user_backend} if emotion.user == "appraisal" else {},
        rewards=emotion.weights,
        turns=emotion.turns,
        turn_tokens=emotion.turn_tokens or None,
        system_prompt=system_prompt(emotion),
    )
    args.model_init_kwargs = (args.model_init_kwargs or {}) | {"dtype": model.dtype or "float32"}
    trainer = GRPOTrainer(model=start, args=args, peft_config=get_peft_config(model), **kit.trainer_kwargs())
    trainer.add_callback(ProgressLines("grpo", ("reward", "reward_std", "entropy", "kl", "completions/mean_length")))
    quiet(trainer)
    return trainer


def main(argv: list[str] | None = None) -> Path:
    """Train, then write the report; returns its path."""
    emotion, args, model = parse(argv)
    set_seed(args.seed)
    scenarios = scenario_set(emotion.scenarios, emotion.scenario_limit)
    start = starting_point(emotion, args, model, scenarios)
    trainer = build(emotion, args, model, start, scenarios)
    if trainer.accelerator.is_main_process:
        write_config(emotion, args, model, start)
    trainer.train(resume_from_checkpoint=checkpoint(emotion, args))
    trainer.save_model(str(Path(str(args.output_dir), "policy")))
    report = Path(str(args.output_dir), "report.html")
    if trainer.accelerator.is_main_process:
        finish(args, report)
    return report


def finish(args: Any, report: Path) -> None:
    """Write the report and say what the run was worth."""
    from emorl.report import write

    write(report.parent)
    print(f"run folder: {report.parent}\nreport:     {report}", flush=True)
    if args.max_steps and 0 < args.max_steps < 50:
        print(f"{args.max_steps} steps show the machinery at work; they are too few to show that the policy got better.")


if __name__ == "__main__":
    main()
