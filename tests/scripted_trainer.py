"""A real `GRPOTrainer` on the tiny model whose sampling is replaced by a script; all else is TRL's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from emorl.integrations.trl import EmotionKit
from emorl.scenario import Scenario
from tests import tiny
from tests.scripted_user import ScriptedUser, make_scenario

Line = Callable[[int, int], str]
"""(row in the batch, turn from 1) -> the reply, without its end token. A reply that ends in "…" is cut off: no end token."""


def make_kit(scenarios: Sequence[Scenario] | None = None, user: Any = None, rewards: Any = None, **options: Any) -> EmotionKit:
    return EmotionKit(
        list(scenarios or [make_scenario(i) for i in range(4)]),
        user or ScriptedUser(),
        rewards or {"emotion_trajectory": 1.0, "final_emotion": 0.5},
        **options,
    )


def make_trainer(
    kit: EmotionKit, output_dir: Path, family: tiny.Family = "smollm2", *, model: str | None = None, **changes: Any
) -> Any:
    """`model`: a folder, where the tiny model has been made already."""
    from trl import GRPOConfig, GRPOTrainer

    return GRPOTrainer(
        model or tiny.path(family), args=GRPOConfig(**tiny.grpo_args(output_dir, **changes)), **kit.trainer_kwargs()
    )


def script(trainer: Any, line: Line) -> list[list[list[int]]]:
    """Replace the trainer's sampling. Returns the list of the prompts of each call, which fills as the trainer runs.

    The limit on new tokens is obeyed, as by a model. `row` is the place in
    the call: after a talk has ended early, the later ones move up.
    """
    tokenizer, calls = trainer.processing_class, []
    turns = trainer.rollout_func.turns

    def _generate_single_turn(prompt_ids: list[list[int]], *_: Any, **__: Any) -> tuple[list[list[int]], None]:
        calls.append(prompt_ids)
        turn = (len(calls) - 1) % turns + 1
        replies = []
        for row in range(len(prompt_ids)):
            text = line(row, turn)
            ids = tokenizer.encode(text.removesuffix("…"), add_special_tokens=False)
            ids += [] if text.endswith("…") else [tokenizer.eos_token_id]
            replies.append(ids[: trainer.generation_config.max_new_tokens])
        return replies, None

    # The parameters that TRL's own method has, or emorl's shim would not know what to pass.
    _generate_single_turn.__signature__ = _signature(trainer)  # type: ignore[attr-defined]
    trainer._generate_single_turn = _generate_single_turn
    return calls


def _signature(trainer: Any) -> Any:
    import inspect

    return inspect.signature(trainer._generate_single_turn)


def spy(trainer: Any) -> list[dict[str, Any]]:
    """What TRL made of each rollout: the tensors that the loss sees."""
    seen: list[dict[str, Any]] = []
    original = trainer._generate_and_score_completions

    def spied(inputs: Any) -> Any:
        seen.append(original(inputs))
        return seen[-1]

    trainer._generate_and_score_completions = spied
    return seen
