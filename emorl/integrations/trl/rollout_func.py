"""`GRPOTrainer(rollout_func=…)`: from TRL's prompts to dialogues and token ids."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from accelerate.utils import gather_object

from emorl.dialogue import Dialogue
from emorl.integrations.trl import _private
from emorl.integrations.trl.policy import TrainerPolicy
from emorl.rollout import Plan, converse
from emorl.runfolder import Phase
from emorl.scenario import Scenario, scenario_seed
from emorl.users.base import User

SCENARIO_ID = "scenario_id"
"""Key in a prompt's first message. TRL hands a `rollout_func` nothing but the prompts, and chat templates ignore the key."""
EVAL_VISIT = -1
"""Every evaluation meets the same personas, so that evaluations can be compared."""

Listener = Callable[[Phase, int, int, list[Dialogue]], None]
"""Called with phase, step, group size and this process's dialogues."""


def mark(prompt: Sequence[Mapping[str, Any]], scenario_id: str) -> list[dict[str, Any]]:
    """The prompt with the scenario's id in its first message (all messages get the key: Arrow wants one schema)."""
    return [{**message, SCENARIO_ID: scenario_id if i == 0 else None} for i, message in enumerate(prompt)]


class RolloutFunc:
    """Holds one multi-turn dialogue for each prompt, with a simulated user.

    `scenarios` by id; `turns` >= 1 planned replies; `turn_tokens` the limit of each reply (`None`: an equal share of
    `max_completion_length`, which limits the whole dialogue, the user's words included).
    """

    def __init__(
        self,
        scenarios: Mapping[str, Scenario],
        user: User,
        *,
        turns: int,
        turn_tokens: int | None = None,
        end_marker: str | None = None,
        on_rollout: Listener | None = None,
        on_first: Callable[[Any], None] | None = None,
    ) -> None:
        self.scenarios, self.user = scenarios, user
        self.turns, self.turn_tokens, self.end_marker = turns, turn_tokens, end_marker
        self.on_rollout, self._on_first = on_rollout, on_first
        self.visits: Counter[str] = Counter()
        """How often each scenario has been trained on, in groups; the same on every process."""

    def __call__(self, prompts: list[Any], trainer: Any) -> dict[str, Any]:
        """`prompts` hold every prompt once per completion, this process's slice of them. Returns what TRL wants, and the
        `dialogue` of each row for the reward functions."""
        if self._on_first is not None:
            self._on_first(trainer)
            self._on_first = None
        phase: Phase = "train" if _private.is_training(trainer) else "eval"
        group, step = _private.group_size(trainer), int(trainer.state.global_step)
        plans = self._plan(prompts, phase, group, int(trainer.accelerator.process_index))
        limit = int(trainer.args.max_completion_length)
        turn_tokens = self.turn_tokens or max(1, limit // self.turns)
        policy = TrainerPolicy(trainer, turn_tokens=turn_tokens, dialogue_tokens=limit)
        dialogues = converse(
            policy, self.user, plans, turns=self.turns, step=step, end_marker=self.end_marker, any_active=_anywhere
        )
        if self.on_rollout is not None:
            self.on_rollout(phase, step, group, dialogues)
        return self._output(trainer, policy, dialogues)

    def _plan(self, prompts: Sequence[Any], phase: Phase, group: int, rank: int) -> list[Plan]:
        ids = [self._scenario_id(prompt) for prompt in prompts]
        by_rank: list[list[str]] = gather_object([ids])
        everyone = [scenario_id for of_rank in by_rank for scenario_id in of_rank]
        first = sum(len(of_rank) for of_rank in by_rank[:rank])  # global number of this process's first row
        visits = [EVAL_VISIT] * len(everyone) if phase == "eval" else self._visit(everyone, group)
        return [
            Plan(self.scenarios[scenario_id], prompt, scenario_seed(scenario_id, visits[row]), row % group)
            for row, (scenario_id, prompt) in enumerate(zip(ids, prompts, strict=True), start=first)
        ]

    def _visit(self, ids: Sequence[str], group: int) -> list[int]:
        """The visit of each global row, counted by group."""
        visits = []
        for start in range(0, len(ids), group):
            members = ids[start : start + group]
            if len(set(members)) > 1:
                raise RuntimeError(
                    f"a group mixes the scenarios {sorted(set(members))}: the processes disagree about the order of the data. "
                    "Seed every process's sampler alike."
                )
            visits += [self.visits[members[0]]] * len(members)
            self.visits[members[0]] += 1
        return visits

    def _scenario_id(self, prompt: Any) -> str:
        scenario_id = prompt[0].get(SCENARIO_ID) if isinstance(prompt, list) else None
        if scenario_id not in self.scenarios:
            raise ValueError(
                f"prompt {str(prompt)[:80]!r} names no known scenario ({scenario_id!r}). "
                "Train on the dataset of EmotionKit.trainer_kwargs(), or put the id there with emorl.integrations.trl.mark."
            )
        return str(scenario_id)

    @staticmethod
    def _output(trainer: Any, policy: TrainerPolicy, dialogues: list[Dialogue]) -> dict[str, Any]:
        rows = policy.finish()
        for row, dialogue in zip(rows, dialogues, strict=True):
            if dialogue.status == "failed":
                # Its advantage is 0, but it would still pull towards the reference (beta > 0), count as entropy and weigh
                # in the token count that the loss is divided by.
                row.silence()
        return {
            "prompt_ids": [row.prompt for row in rows],
            "completion_ids": [row.completion for row in rows],
            "logprobs": [row.logprobs for row in rows] if trainer.use_vllm else None,
            "env_mask": [row.mask for row in rows],
            "dialogue": dialogues,
        }


def _anywhere(active: bool) -> bool:
    """Whether any process still talks; keeps the number of generate calls the same on all of them."""
    return any(gather_object([active]))
