"""From the command line to options, scenarios, user and rewards that go together. No policy has loaded by then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from arguments import EMBEDDED, EmotionArguments, Options, parse
from checks import check, check_batches
from supervised import Lesson, lesson
from transformers.integrations import deepspeed

from emorl.integrations.trl import EmotionKit
from emorl.rewards import TRACKING_PROMPT
from emorl.scenarios import DEFAULT_SYSTEM_PROMPT, ScenarioSet, load

OURS = {
    "model_name_or_path": EMBEDDED,
    "output_dir": "runs/grpo_emotion",
    "logging_steps": 1,
    "metric_for_best_model": "eval_reward",
    "greater_is_better": True,
}
"""Defaults of this recipe that are not TRL's."""
THINK_PROMPT = "Before you answer, think between <think> and </think> about what the user feels and needs."


def configure(argv: list[str]) -> tuple[Options, EmotionKit, Lesson | None]:
    """Everything that can be refused before a policy loads, is: raises `ValueError` with option and remedy."""
    emotion, args, model = parse(argv, OURS)
    check(emotion, args)
    train = scenario_set(emotion.scenarios, emotion.scenario_limit)
    held_out = scenario_set(emotion.eval_scenarios, emotion.eval_limit) if args.eval_strategy != "no" else None
    check_batches(args, len(train), len(held_out or ()))
    first = lesson(emotion, train, system_prompt(emotion))
    # Some templates (Qwen3) open or close the think block themselves; the others do not read the key.
    args.chat_template_kwargs = {"enable_thinking": emotion.think} | (args.chat_template_kwargs or {})
    with whole_weights(args):
        kit = EmotionKit(
            scenarios=train,
            eval_scenarios=held_out,
            user=emotion.user,
            user_options=emotion.user_settings,
            rewards=emotion.weights,
            turns=emotion.turns,
            turn_tokens=emotion.turn_tokens or None,
            system_prompt=system_prompt(emotion),
        )
    return (emotion, args, model), kit, first


def scenario_set(name: str, limit: int) -> ScenarioSet:
    """`limit` scenarios of a split or file (0: all), spread over the file so that no emotion is left out."""
    scenarios = load(name)
    if not 0 < limit < len(scenarios):
        return scenarios
    return ScenarioSet([scenarios[i * len(scenarios) // limit] for i in range(limit)])


def system_prompt(emotion: EmotionArguments) -> str:
    """The system prompt of every dialogue, with or without the request to think."""
    base = emotion.system_prompt or DEFAULT_SYSTEM_PROMPT
    if not emotion.think:
        return base
    return f"{base} {TRACKING_PROMPT if 'emotion_tracking' in emotion.weights else THINK_PROMPT}"


@contextmanager
def whole_weights(args: Any) -> Iterator[None]:
    """Load models whole: once the arguments exist, ZeRO-3 would shard every `from_pretrained`, the user's models too."""
    config = getattr(args, "hf_deepspeed_config", None) or getattr(args.deepspeed_plugin, "dschf", None)
    deepspeed.unset_hf_deepspeed_config()
    try:
        yield
    finally:
        if config is not None:
            deepspeed.set_hf_deepspeed_config(config)
