"""What the recipe refuses before anything loads. Every message names the option and the remedy."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from arguments import EmotionArguments
from resume import is_checkpoint, last_checkpoint

from emorl.scenarios import SPLITS
from emorl.users import NAMES, check_options

THINKERS = ("think_format", "emotion_tracking")
"""Rewards that read the thoughts."""


def check(emotion: EmotionArguments, args: Any) -> None:
    """Raise `ValueError` for options that cannot work, alone or together."""
    _values(emotion)
    _thoughts(emotion)
    _lengths(emotion, args)
    _evaluation(emotion, args)
    _resume(emotion, args)
    if emotion.supervised_epochs and args.deepspeed_plugin is not None:
        raise ValueError(
            "--supervised_epochs: the supervised stage does not run under DeepSpeed; run it without, then give its folder "
            "(output_dir/supervised) as --model_name_or_path with --supervised_epochs 0"
        )
    if args.reward_weights is not None:
        raise ValueError("--reward_weights goes by position: leave it out and write --rewards name=weight")


def _values(emotion: EmotionArguments) -> None:
    for option in ("scenario_limit", "eval_limit", "turn_tokens", "supervised_epochs"):
        if getattr(emotion, option) < 0:
            raise ValueError(f"--{option} is {getattr(emotion, option)}; give 0 or more")
    for option in ("turns", "supervised_replies"):
        if getattr(emotion, option) < 1:
            raise ValueError(f"--{option} is {getattr(emotion, option)}; give at least 1")
    for name, weight in emotion.weights.items():
        if not math.isfinite(weight):
            raise ValueError(f"--rewards: the weight of {name!r} is {weight}; give a finite number")
    if emotion.user not in NAMES:
        raise ValueError(f"--user {emotion.user}: there is no such user; there are: {', '.join(NAMES)}")
    check_options(emotion.user, emotion.user_settings)
    if (backend := emotion.user_settings.get("backend", "minilm")) not in ("minilm", "lexical"):
        raise ValueError(f"--user.backend {backend}: there is no such backend; use minilm or lexical")
    if emotion.supervised_kind not in ("good", "plain"):
        raise ValueError(f"--supervised_kind {emotion.supervised_kind}: there are no such replies; use good or plain")
    for option in ("scenarios", "eval_scenarios"):
        value = getattr(emotion, option)
        if (value or option == "scenarios") and value not in SPLITS and not Path(value).is_file():
            raise ValueError(f"--{option} {value}: neither a packaged split ({', '.join(SPLITS)}) nor a file")


def _thoughts(emotion: EmotionArguments) -> None:
    if emotion.think and not any(name in emotion.weights for name in THINKERS):
        raise ValueError(f"--think is on, but no reward reads the thoughts: add {' or '.join(THINKERS)} to --rewards")
    for name in THINKERS:
        if name in emotion.weights and not emotion.think:
            raise ValueError(f"reward {name!r} reads the think block: add --think true, or take it out of --rewards")


def _lengths(emotion: EmotionArguments, args: Any) -> None:
    tokens = emotion.turn_tokens or args.max_completion_length // emotion.turns
    if tokens < 1 or tokens * emotion.turns > args.max_completion_length:
        raise ValueError(
            f"--turns {emotion.turns} of --turn_tokens {tokens} do not fit into --max_completion_length "
            f"{args.max_completion_length}, which holds the whole dialogue, the user's words included: raise it, or lower "
            "the others"
        )


def _evaluation(emotion: EmotionArguments, args: Any) -> None:
    if args.eval_strategy != "no" and not emotion.eval_scenarios:
        raise ValueError("--eval_strategy needs held-out scenarios: give --eval_scenarios dev, or --eval_strategy no")
    if args.load_best_model_at_end and args.metric_for_best_model in ("loss", "eval_loss"):
        raise ValueError("--metric_for_best_model eval_loss says nothing in GRPO: use eval_reward")


def _resume(emotion: EmotionArguments, args: Any) -> None:
    if args.resume_from_checkpoint:
        raise ValueError(f"--resume_from_checkpoint: use --resume {args.resume_from_checkpoint}")
    if emotion.resume == "never" and (last := last_checkpoint(args.output_dir)):
        raise ValueError(
            f"--resume never, but {last} is of an earlier run and would pass for this one's: give another --output_dir, "
            "delete the checkpoints, or go on with --resume auto"
        )
    if emotion.resume not in ("auto", "never") and not is_checkpoint(emotion.resume):
        raise ValueError(f"--resume {emotion.resume}: no checkpoint of this recipe; use auto, never or a checkpoint-N folder")
    # A checkpoint between two generations would lose the rollouts that are still to be learned from.
    generation, step = args.steps_per_generation * args.num_iterations, args.gradient_accumulation_steps
    if args.save_strategy == "steps" and (args.save_steps * step) % generation:
        every = generation // math.gcd(generation, step)
        raise ValueError(f"--save_steps {args.save_steps}: rollouts are made every {every} steps; give a multiple of {every}")


def check_batches(args: Any, train: int, held_out: int) -> None:
    """Refuse batches that do not go with the number of scenarios. `held_out` is 0 where there is no evaluation."""
    prompts = args.generation_batch_size // args.num_generations
    if prompts > train:
        raise ValueError(
            f"a step wants {prompts} different scenarios and there are {train}: lower --per_device_train_batch_size or "
            "--gradient_accumulation_steps, raise --num_generations, or give more --scenarios"
        )
    size, each = args.per_device_eval_batch_size * args.world_size, args.num_generations_eval or args.num_generations
    if held_out and (held_out * each) % size:
        # The last batch would be short and weigh as much as a full one, and processes would repeat rows to fill it.
        raise ValueError(
            f"{held_out} held-out scenarios x {each} dialogues do not fill evaluation batches of {size}: choose "
            f"--per_device_eval_batch_size ({args.world_size} processes), --num_generations_eval or --eval_limit so that they do"
        )
