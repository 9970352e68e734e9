"""Everything of `trl.GRPOTrainer` that TRL does not document. Each name has a test in tests/contract/test_trl_private.py."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from accelerate.data_loader import get_sampler
from trl.trainer.utils import RepeatSampler

Generated = tuple[list[list[int]], list[list[float]] | None]
"""Sampled ids of each row, and their log-probabilities where the backend gives any."""


def generate(trainer: Any, prompt_ids: Sequence[Sequence[int]], max_new_tokens: int) -> Generated:
    """One sampled continuation of each row, at most `max_new_tokens` long, by the trainer's own backend and settings."""
    prompts = [list(ids) for ids in prompt_ids]
    if trainer.use_vllm:
        return _generate_vllm(trainer.vllm_generation, prompts, max_new_tokens)
    single_turn = trainer._generate_single_turn
    # Until 1.9: (prompt_ids, images, multimodal_fields); 1.10 added `has_tool_images`, 1.15 a required `num_generations`.
    known: dict[str, Any] = {
        "prompt_ids": prompts,
        "images": None,
        "multimodal_fields": {},
        "num_generations": 1,
        "has_tool_images": False,
    }
    wanted = inspect.signature(single_turn).parameters
    if unknown := [name for name, p in wanted.items() if name not in known and p.default is inspect.Parameter.empty]:
        raise RuntimeError(
            f"this version of TRL wants {unknown} for _generate_single_turn; use trl>=1.14,<=1.16 or a newer emorl"
        )
    with _limit(trainer.generation_config, "max_new_tokens", max_new_tokens):
        ids, logprobs = single_turn(**{name: known[name] for name in wanted if name in known})
    return ids, logprobs


def _generate_vllm(vllm: Any, prompts: list[list[int]], max_new_tokens: int) -> Generated:
    # Not through `_generate_single_turn`: up to 1.14 it takes only every num_generations-th prompt, but after the first
    # turn siblings differ. Weights are in step already: the trainer syncs them before it calls `rollout_func`.
    with _limit(vllm, "max_completion_length", max_new_tokens):
        _, ids, logprobs, _ = vllm.generate(prompts=prompts, images=None, num_generations=1)
    return ids, None if logprobs is None else [[top[0] for top in row] for row in logprobs]


@contextmanager
def _limit(holder: Any, name: str, value: int) -> Iterator[None]:
    before = getattr(holder, name)
    setattr(holder, name, value)
    try:
        yield
    finally:
        setattr(holder, name, before)


def end_ids(trainer: Any) -> set[int]:
    """The tokens at which generation stops."""
    ids = getattr(trainer, "eos_token_ids", None)  # since 1.15
    return set(ids) if ids is not None else {int(trainer.processing_class.eos_token_id)}


def chat_template_kwargs(trainer: Any) -> dict[str, Any]:
    """Keyword arguments for the chat template (`enable_thinking`, …)."""
    return dict(trainer.chat_template_kwargs)


def is_training(trainer: Any) -> bool:
    """Whether the rollout is for training; else it is for evaluation."""
    return bool(trainer.model.training)


def group_size(trainer: Any) -> int:
    """Completions per prompt, in training or in evaluation."""
    return int(trainer.num_generations if is_training(trainer) else trainer.num_generations_eval)


def set_reward_weights(trainer: Any, weights: Mapping[str, float]) -> dict[str, float]:
    """Put `weights` in the places of their names; rewards of other names keep theirs. Returns all weights by name."""
    names = list(trainer.reward_func_names)
    for name, weight in weights.items():
        trainer.reward_weights[names.index(name)] = weight
    return dict(zip(names, trainer.reward_weights.tolist(), strict=True))


def replay_shuffles(dataloader: Any, epochs: int) -> None:
    """Bring the order of the data to where `epochs` whole epochs leave it. TRL's sampler draws each epoch's order from its own
    generator, which no checkpoint holds: a run resumed in its second epoch would meet the order of the first again."""
    sampler = get_sampler(dataloader)
    if isinstance(sampler, RepeatSampler) and sampler.shuffle:
        for _ in range(epochs):
            torch.randperm(sampler.num_samples, generator=sampler.generator)
