"""The base of all rewards: a pure score of one dialogue, callable with TRL's reward signature."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from emorl.dialogue import Dialogue
from emorl.records import RecordError
from emorl.rewards.rows import Completion, dialogues
from emorl.scenario import Scenario
from emorl.users.base import User


@dataclass(frozen=True, kw_only=True)
class Reward(ABC):
    """A score in `[low, high]` per dialogue, or `None` where the dialogue failed.

    An instance is an ordinary reward function of TRL (GRPO, RLOO, AsyncGRPO) and can be pickled. Its `name` is the key
    of its metrics and of its weight in YAML, so two instances in one run need two names:

    >>> from emorl.rewards import EmotionTrajectory
    >>> EmotionTrajectory(tolerance=10.0, name="strict_trajectory").__name__
    'strict_trajectory'
    """

    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0
    needs_apt_path: ClassVar[bool] = False
    """Whether scenarios without an `apt_path` must be refused before training starts."""

    name: str
    user: User | None = field(default=None, repr=False, compare=False)
    """Who reacts where a row brings only its scenario (single-turn training); `None`: the embedded `AppraisalUser`."""

    @property
    def __name__(self) -> str:
        # TRL names metrics after the callable; without this, two instances of one class would share a metric.
        return self.name

    def score(self, dialogue: Dialogue) -> float | None:
        """The score of one dialogue; `None` where it failed. Pure: the same dialogue always has the same score."""
        if dialogue.status == "failed":
            return None
        self.check((dialogue.scenario,))
        return self._score(dialogue)

    @abstractmethod
    def _score(self, dialogue: Dialogue) -> float | None:
        """The score of a dialogue that did not fail."""

    def check(self, scenarios: Iterable[Scenario]) -> None:
        """Raise `RecordError` at the first scenario that this reward cannot score; call it before training starts."""
        if not self.needs_apt_path:
            return
        for scenario in scenarios:
            if scenario.apt_path is None:
                raise RecordError(
                    f"{self.name} needs an apt_path",
                    where=f"scenario {scenario.id!r}",
                    field="apt_path",
                    remedy="Give the scenario one, or use a reward that needs none (final_emotion).",
                )

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Completion],
        *,
        dialogue: Sequence[Dialogue | str | None] | None = None,
        scenario: Sequence[str | None] | None = None,
        seed: Sequence[int] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        """One score per completion, in order; the signature of TRL's reward functions.

        A row is scored from its `dialogue` (the multi-turn rollout provides it), else from its `scenario` (JSON text):
        then the user reacts once to the completion, for all rewards together. All other columns are ignored.
        Logs `<name>/unscored`, the fraction of rows in [0, 1] that have no score.
        """
        scores = [self.score(row) for row in dialogues(completions, dialogue, scenario, seed, self.user)]
        if log_metric is not None:
            # Always the same key, on every rank and every step: a conditional key can hang a distributed gather.
            log_metric(f"{self.name}/unscored", sum(s is None for s in scores) / max(1, len(scores)))
        return scores
