"""What the recipes take from a YAML preset and the command line, and what they refuse before anything loads."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

EMBEDDED = "embedded"


@dataclass
class EmotionArguments:
    """Scenarios, simulated user, rewards and the supervised stage of an emotion recipe."""

    scenarios: str = field(default="train", metadata={"help": "a packaged split or a JSON-lines file"})
    scenario_limit: int = field(default=0, metadata={"help": "use the first N scenarios; 0: all"})
    eval_scenarios: str = field(default="dev", metadata={"help": "held-out scenarios: a packaged split or a file"})
    eval_limit: int = field(default=0, metadata={"help": "use the first N held-out scenarios; 0: all"})
    user: str = field(default="appraisal", metadata={"help": "the simulated user: appraisal"})
    user_backend: str = field(default="minilm", metadata={"help": "of the appraisal user: minilm, or lexical (words only)"})
    rewards: list[str] = field(
        default_factory=lambda: ["emotion_trajectory=1.0"],
        metadata={"help": "reward names with weights: emotion_trajectory=1.0 think_format=0.2; in YAML also a mapping"},
    )
    turns: int = field(default=2, metadata={"help": "replies per dialogue"})
    turn_tokens: int = field(default=0, metadata={"help": "most tokens of a reply; 0: max_completion_length / turns"})
    think: bool = field(default=False, metadata={"help": "ask for a think block before each reply"})
    system_prompt: str = field(default="", metadata={"help": "instead of the default one"})
    supervised_epochs: float = field(default=0.0, metadata={"help": "epochs on the written replies before GRPO; 0: none"})
    supervised_replies: int = field(default=5, metadata={"help": "written replies used per scenario, 1-5"})
    supervised_learning_rate: float = field(default=5e-5, metadata={"help": "of the supervised stage"})
    resume: str = field(default="auto", metadata={"help": "auto: go on from output_dir's last checkpoint; never; or a folder"})

    def __post_init__(self) -> None:
        self.weights = _weights(self.rewards)
        if self.turns < 1:
            raise SystemExit(f"--turns is {self.turns}; give at least 1")
        if not 1 <= self.supervised_replies <= 5:
            raise SystemExit(f"--supervised_replies is {self.supervised_replies}; there are 1 to 5 per scenario")
        if self.supervised_epochs < 0:
            raise SystemExit(f"--supervised_epochs is {self.supervised_epochs}; give 0 for no supervised stage")


def _weights(rewards: list[str] | Mapping[str, float]) -> dict[str, float]:
    """Name -> weight from `name=weight` items or from a YAML mapping. Raises `SystemExit` for an unknown or repeated name."""
    from emorl.rewards import registry

    items = rewards.items() if isinstance(rewards, Mapping) else [_split(item) for item in rewards]
    weights: dict[str, float] = {}
    for name, weight in items:
        if name not in registry:
            raise SystemExit(f"--rewards: {name!r} is no reward; there are: {', '.join(sorted(registry))}")
        if name in weights:
            raise SystemExit(f"--rewards: {name!r} is given twice; give each reward once")
        try:
            weights[name] = float(weight)
        except (TypeError, ValueError):
            raise SystemExit(f"--rewards: the weight of {name!r} is {weight!r}; give a number") from None
    if not weights:
        raise SystemExit("--rewards is empty; give at least one, such as emotion_trajectory=1.0")
    return weights


def _split(item: str) -> tuple[str, str]:
    name, _, weight = item.partition("=")
    return name, weight or "1.0"


def check(emotion: EmotionArguments, args: Any) -> None:
    """Refuse what cannot work, before a model loads: raises `SystemExit` naming the option and the remedy."""
    if emotion.think and "think_format" not in emotion.weights and "emotion_tracking" not in emotion.weights:
        raise SystemExit("--think is on, but no reward reads the thoughts: add think_format or emotion_tracking to --rewards")
    if "emotion_tracking" in emotion.weights and not emotion.think:
        raise SystemExit("reward 'emotion_tracking' reads the think block: add --think true, or drop the reward")
    tokens = emotion.turn_tokens or args.max_completion_length // emotion.turns
    if tokens * emotion.turns > args.max_completion_length:
        raise SystemExit(
            f"--turns {emotion.turns} of --turn_tokens {tokens} need {tokens * emotion.turns} tokens, but "
            f"--max_completion_length is {args.max_completion_length} for the whole dialogue, the user's words included: raise it, or lower the others"
        )
    if args.load_best_model_at_end and not emotion.eval_scenarios:
        raise SystemExit("--load_best_model_at_end needs held-out scenarios: give --eval_scenarios dev")
    for option, value in (("--scenarios", emotion.scenarios), ("--eval_scenarios", emotion.eval_scenarios)):
        if value and value not in ("train", "dev") and not Path(value).is_file():
            raise SystemExit(f"{option} {value}: neither a packaged split (train, dev) nor a file")


def machine_defaults() -> dict[str, Any]:
    """Option defaults that depend on the machine: CPU or GPU, and the faster of bf16 and fp32."""
    cpu = not torch.cuda.is_available()
    return {"use_cpu": cpu, "bf16": not cpu or bf16_is_faster()}


def bf16_is_faster() -> bool:
    """Whether this CPU multiplies bfloat16 faster than float32. Without hardware support it is many times slower."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(256, 576, dtype=dtype), torch.ones(576, 576, dtype=dtype)
        torch.mm(a, b)
        start = time.perf_counter()
        for _ in range(5):
            torch.mm(a, b)
        seconds[dtype] = time.perf_counter() - start
    return seconds[torch.bfloat16] < seconds[torch.float32]
