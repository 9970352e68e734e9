"""Reward file for OpenRLHF (0.11): `--reward.remote_url …/emorl/integrations/openrlhf/reward.py --data.label_key scenario`.

The data file is that of `emorl scenarios export`. For other rewards write a file of two lines and name that one:

    from emorl.integrations.openrlhf.reward import make_reward_func
    reward_func = make_reward_func({"emotion_trajectory": 1.0, "length_repetition_guard": 0.2})
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from emorl.rewards import Reward, by_name

logger = logging.getLogger(__name__)

Key = TypeVar("Key", bound=str | Reward)
RewardFunc = Callable[[Sequence[str], Sequence[str], Sequence[str]], dict[str, Any]]
_SPECIAL = re.compile(r"<\|[^|<>]+\|>|<｜[^｜<>]+｜>|</s>|<end_of_turn>|<eos>")


def make_reward_func(weights: Mapping[Key, float]) -> RewardFunc:
    """A reward function in OpenRLHF's shape: `(queries, prompts, labels)`, one of each, the label a scenario's JSON text.

    It returns `rewards`, the weighted sum of the rewards (named, or given as objects); `scores`, the same scaled to [0, 1]
    for dynamic filtering; and `extra_logs` with one `emorl/<name>` per reward and `emorl/fallback`. OpenRLHF aborts the run
    where a reward function raises or returns NaN or another set of keys, so every number is finite, the keys are always the
    same, and nothing is raised: where a talk cannot be scored, each reward takes the middle of its range, the reason goes
    to the log, and `emorl/fallback`, else 0, is 1. Watch that one: above 0.05 the rewards mean little.
    """
    rewards = {(by_name(key) if isinstance(key, str) else key): weight for key, weight in weights.items()}
    names = [r.name for r in rewards]
    if len(set(names)) < len(names):
        raise ValueError(f"two rewards share a name among {names}; give one of them another: EmotionTrajectory(…, name=…)")
    low = sum(min(w * r.low, w * r.high) for r, w in rewards.items())
    high = sum(max(w * r.low, w * r.high) for r, w in rewards.items())
    if high <= low:
        raise ValueError("no reward has a weight; give {name: weight} with at least one weight that is not 0")

    def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
        values = _values(tuple(rewards), queries, prompts, labels)
        fallback = values is None
        if values is None:
            values = [(r.low + r.high) / 2.0 for r in rewards]
        total = sum(weight * value for weight, value in zip(rewards.values(), values, strict=True))
        logs = {f"emorl/{r.name}": value for r, value in zip(rewards, values, strict=True)}
        scaled = min(1.0, max(0.0, (total - low) / (high - low)))  # only rounding can leave [0, 1]
        return {"rewards": total, "scores": scaled, "extra_logs": logs | {"emorl/fallback": float(fallback)}}

    return reward_func


def response_of(query: str, prompt: str) -> str:
    """The response inside a decoded prompt with response, up to its first special token."""
    before, found, response = query.partition(prompt)
    # A tokenizer may put a start token before the prompt, and nothing else.
    if not found or _SPECIAL.sub("", before).strip():
        raise ValueError("the query does not begin with its prompt")
    return _SPECIAL.split(response, maxsplit=1)[0]


def _values(
    rewards: Sequence[Reward], queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str]
) -> list[float] | None:
    """One value per reward, or `None` where there is no score."""
    try:
        ((query, prompt, label),) = zip(queries, prompts, labels, strict=True)
        response = response_of(query, prompt)
        scores = [reward([prompt], [response], scenario=[label])[0] for reward in rewards]
    except Exception:  # whatever it is, raising here would kill every worker's run (see make_reward_func)
        logger.exception("emorl: a talk could not be scored")
        return None
    if any(score is None for score in scores):
        logger.warning("emorl: the simulated user failed, the talk is not scored")
        return None
    return [float(score) for score in scores if score is not None]


reward_func = make_reward_func({"emotion_trajectory": 1.0})
