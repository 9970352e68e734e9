"""What happened in each rollout, from the policy's words to its rewards, kept until all processes can write it down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from statistics import fmean
from typing import Any

from accelerate.utils import gather_object

from emorl.dialogue import Dialogue
from emorl.runfolder import Phase, Rollout

RewardFunc = Callable[..., Any]
Scores = list[float | None]


@dataclass
class Batch:
    """The rollouts of one generation batch, in row order."""

    phase: Phase
    step: int
    group: int
    dialogues: list[Dialogue]
    rewards: dict[str, Scores] = field(default_factory=dict)

    def lines(self, weights: Mapping[str, float]) -> list[Rollout]:
        """One record per dialogue."""
        made = []
        for row, dialogue in enumerate(self.dialogues):
            rewards = {name: scores[row] for name, scores in self.rewards.items()}
            parts = [weights[name] * value for name, value in rewards.items() if value is not None]
            made.append(Rollout(self.step, self.phase, rewards, sum(parts) if parts else None, dialogue))
        return made

    def uneven(self) -> str | None:
        """The name of a reward that is `None` for some scored dialogues of a group and not for others."""
        for start in range(0, len(self.dialogues), self.group):
            rows = [r for r in range(start, min(start + self.group, len(self.dialogues))) if self.dialogues[r].status == "scored"]
            for name, scores in self.rewards.items():
                if len({scores[row] is None for row in rows}) > 1:
                    return name
        return None


class Recorder:
    """Collects batches on this process; `flush` brings those of all processes together."""

    def __init__(self) -> None:
        self.pending: list[Batch] = []

    def begin(self, phase: Phase, step: int, group: int, dialogues: list[Dialogue]) -> None:
        """A rollout is done; its rewards follow."""
        self.pending.append(Batch(phase, step, group, dialogues))

    def flush(self) -> list[Batch]:
        """The batches since the last flush, with the rows of all processes in global order. Every process must call it."""
        by_rank: list[list[Batch]] = gather_object([self.pending])
        self.pending = []
        return [_join(parts) for parts in zip(*by_rank, strict=True)]


def _join(parts: Sequence[Batch]) -> Batch:
    first = parts[0]
    rewards = {name: [score for part in parts for score in part.rewards[name]] for name in first.rewards}
    return Batch(first.phase, first.step, first.group, [d for part in parts for d in part.dialogues], rewards)


def name_of(reward: RewardFunc) -> str:
    """The name that TRL logs a reward function under."""
    return str(getattr(reward, "__name__", type(reward).__name__))


class Recorded:
    """A reward function that keeps its scores for the run folder.

    It also holds two rules for rewards that know nothing of emorl: a failed dialogue has no score, and `completions` are
    the talk as messages (thoughts left out), not TRL's decoded tail, which has the user's words inside the policy's reply.
    """

    def __init__(self, reward: RewardFunc, recorder: Recorder, *, logs: bool) -> None:
        self.reward, self.recorder, self.logs = reward, recorder, logs
        self.__name__ = name_of(reward)

    def __call__(self, *, dialogue: list[Dialogue] | None = None, **columns: Any) -> Scores:
        talks = self._talks(dialogue, columns)
        return self._keep(talks, self.reward(**columns, dialogue=talks))

    def _talks(self, dialogue: list[Dialogue] | None, columns: dict[str, Any]) -> list[Dialogue]:
        if dialogue is None:
            raise ValueError(f"reward {self.__name__!r} got no dialogues; give the trainer all of EmotionKit.trainer_kwargs()")
        columns["completions"] = [messages(talk) for talk in dialogue]
        if self.logs and "log_metric" in columns:
            log_dialogues(dialogue, columns["log_metric"])
        return dialogue

    def _keep(self, talks: Sequence[Dialogue], scores: Sequence[float | None]) -> Scores:
        if len(scores) != len(talks):
            raise ValueError(f"reward {self.__name__!r} gave {len(scores)} scores for {len(talks)} dialogues")
        kept: Scores = [
            None if talk.status == "failed" or score is None else float(score) for talk, score in zip(talks, scores, strict=True)
        ]
        self.recorder.pending[-1].rewards[self.__name__] = kept
        return kept


class RecordedAsync(Recorded):
    """The same for an asynchronous reward function; TRL awaits these together."""

    async def __call__(self, *, dialogue: list[Dialogue] | None = None, **columns: Any) -> Scores:  # type: ignore[override]
        talks = self._talks(dialogue, columns)
        scores: Awaitable[Sequence[float | None]] = self.reward(**columns, dialogue=talks)
        return self._keep(talks, await scores)


def recorded(reward: RewardFunc, recorder: Recorder, *, logs: bool) -> Recorded:
    """Wrap a reward function; `logs`: this one also logs the metrics of the dialogues (one reward of a run should)."""
    is_async = iscoroutinefunction(reward) or iscoroutinefunction(type(reward).__call__)
    return (RecordedAsync if is_async else Recorded)(reward, recorder, logs=logs)


def messages(dialogue: Dialogue) -> list[dict[str, str]]:
    """The talk after the opening as chat messages, from the first reply to the last."""
    said = []
    for k, turn in enumerate(dialogue.turns, 1):
        said.append({"role": "assistant", "content": turn.reply})
        if k < len(dialogue.turns):
            said.append({"role": "user", "content": turn.words})
    return said


def log_dialogues(dialogues: Sequence[Dialogue], log_metric: Callable[[str, float], None]) -> None:
    """Means over this process's dialogues, always under the same keys (a key that comes and goes can hang a gather).

    The final emotion of a failed dialogue counts as it was before the failure.
    """
    log_metric("emorl/failure_rate", fmean(d.status == "failed" for d in dialogues))
    log_metric("emorl/truncated", fmean(d.truncated for d in dialogues))
    log_metric("emorl/turns", fmean(len(d.turns) for d in dialogues))
    log_metric("emorl/final_emotion", fmean(d.emotions[-1] for d in dialogues))
    for stop in ("satisfied", "walked_out", "policy_ended", "turn_limit", "token_limit"):
        log_metric(f"emorl/stop/{stop}", fmean(d.stop == stop for d in dialogues))
