"""What the recipes take from a YAML preset and the command line, and the parser that reads both."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
import yaml
from trl import GRPOConfig, ModelConfig, TrlParser

EMBEDDED = "embedded"


@dataclass
class EmotionArguments:
    """Scenarios, simulated user, rewards and the supervised stage of an emotion recipe."""

    scenarios: str = field(default="train", metadata={"help": "a packaged split or a JSON-lines file"})
    scenario_limit: int = field(default=0, metadata={"help": "use N scenarios, spread over the file; 0: all"})
    eval_scenarios: str = field(default="dev", metadata={"help": "held-out scenarios: a packaged split or a file"})
    eval_limit: int = field(default=0, metadata={"help": "use N held-out scenarios, spread over the file; 0: all"})
    user: str = field(
        default="appraisal",
        metadata={"help": "the simulated user: appraisal (embedded), or sentient (a language model behind a server)"},
    )
    user_options: str = field(
        default="",
        metadata={"help": "the user's own options, as --user.NAME VALUE (--user.backend lexical, --user.base_url http://…/v1)"},
    )
    rewards: list[str] = field(
        default_factory=lambda: ["emotion_trajectory=1.0"],
        metadata={"help": "reward names with weights: emotion_trajectory=1.0 think_format=0.2; in YAML also a mapping"},
    )
    turns: int = field(default=2, metadata={"help": "replies per dialogue"})
    turn_tokens: int = field(default=0, metadata={"help": "most tokens of a reply; 0: max_completion_length / turns"})
    think: bool = field(default=False, metadata={"help": "ask for a think block before each reply"})
    system_prompt: str = field(default="", metadata={"help": "instead of the default one"})
    supervised_epochs: float = field(default=0.0, metadata={"help": "epochs on the written replies before GRPO; 0: none"})
    supervised_kind: str = field(default="good", metadata={"help": "written replies to learn: good, or plain (small models)"})
    supervised_replies: int = field(default=5, metadata={"help": "written replies used per scenario"})
    supervised_learning_rate: float = field(default=5e-5, metadata={"help": "of the supervised stage"})
    resume: str = field(
        default="auto", metadata={"help": "auto: go on from output_dir's last checkpoint; never; or a checkpoint folder"}
    )

    def __post_init__(self) -> None:
        self.weights = weights_of(self.rewards)
        self.user_settings = mapping_of("--user_options", self.user_options)


CLASSES: tuple[type, ...] = (EmotionArguments, GRPOConfig, ModelConfig)
Options = tuple[EmotionArguments, Any, Any]
"""Ours, the `GRPOConfig` and the `ModelConfig`."""


def weights_of(rewards: str | Iterable[str] | Mapping[str, Any]) -> dict[str, float]:
    """Name -> weight from `name=weight` items or from a YAML mapping. Raises `ValueError` for an unknown or repeated name."""
    from emorl.rewards import registry

    if isinstance(rewards, str):
        rewards = rewards.split()
    pairs = list(rewards.items()) if isinstance(rewards, Mapping) else [_split(item) for item in rewards]
    weights: dict[str, float] = {}
    for name, weight in pairs:
        if name not in registry:
            raise ValueError(f"--rewards: {name!r} is no reward; there are: {', '.join(sorted(registry))}")
        if name in weights:
            raise ValueError(f"--rewards: {name!r} is given twice; give each reward once")
        try:
            weights[name] = float(weight)
        except (TypeError, ValueError):
            raise ValueError(f"--rewards: the weight of {name!r} is {weight!r}; give a number") from None
    if not weights:
        raise ValueError("--rewards is empty; give at least one, such as emotion_trajectory=1.0")
    return weights


def _split(item: str) -> tuple[str, str]:
    name, _, weight = item.partition("=")
    return name, weight or "1.0"


def parse(argv: list[str], ours: Mapping[str, Any]) -> Options:
    """Options from the machine, the recipe (`ours`), the preset and the command line, the later ones winning.
    Raises `ValueError` with option and remedy for what cannot be."""
    if "--config" in argv[:-1]:
        check_preset(Path(argv[argv.index("--config") + 1]))
    parser = TrlParser(CLASSES)
    parser.set_defaults_with_config(**machine_defaults(), **ours)
    argv, given = user_flags(argv)
    emotion, args, model = parser.parse_args_and_config(argv)
    emotion.user_settings |= given
    emotion.user_options = json.dumps(emotion.user_settings)  # what config.yaml keeps
    return emotion, args, model


def user_flags(argv: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """The command line without its `--user.NAME VALUE` pairs, and these: a value is YAML, so that numbers are numbers."""
    rest, given = [], {}
    words = iter(argv)
    for word in words:
        if not word.startswith("--user."):
            rest.append(word)
            continue
        name, equals, value = word.removeprefix("--user.").partition("=")
        if not equals:
            value = next(words, "")
        if not name or not value or value.startswith("--"):
            raise ValueError(f"{word}: has no value; write --user.NAME VALUE")
        given[name] = yaml.safe_load(value)
    return rest, given


def mapping_of(option: str, value: Any) -> dict[str, Any]:
    """The mapping that a preset gives, or that stands in a text of YAML or JSON. Raises `ValueError`."""
    found = (yaml.safe_load(value) if value.strip() else {}) if isinstance(value, str) else value
    if not isinstance(found, dict):
        raise ValueError(f"{option} is {value!r}; give a mapping, such as {{backend: lexical}}")
    return found


def check_preset(path: Path) -> None:
    """Refuse a preset that is not there, is no mapping, or has a key that no option reads."""
    if not path.is_file():
        raise ValueError(f"--config {path}: there is no such file; the presets are in recipes/presets")
    preset = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(preset, Mapping):
        raise ValueError(f"--config {path}: holds no mapping; write one `option: value` on each line")
    known = {option.name for kind in CLASSES for option in fields(kind) if option.init} | {"env"}
    for key in preset:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            meant = f"did you mean {near[0]!r}?" if near else "take it out; --help lists the options"
            raise ValueError(f"--config {path}: no option is called {key!r}; {meant}")


def machine_defaults() -> dict[str, Any]:
    """Option defaults that depend on the machine: CPU or GPU, and bf16 only where the hardware multiplies it."""
    cpu = not torch.cuda.is_available()
    return {"use_cpu": cpu, "bf16": not cpu or cpu_has_bf16()}


def cpu_has_bf16() -> bool:
    """Whether this CPU has bfloat16 instructions; without them bf16 is many times slower than fp32. Asked, not measured:
    all processes of a run, and a resumed run, must come to the same answer on a busy machine too."""
    capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # torch < 2.11 lacks it
    return any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16", "bf16"))
