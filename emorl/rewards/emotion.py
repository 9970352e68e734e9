"""Rewards for what the replies did to the user's feelings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from emorl.dialogue import Dialogue
from emorl.records import require
from emorl.rewards.base import Reward


@dataclass(frozen=True, kw_only=True)
class FinalEmotion(Reward):
    """The emotion at the end of the talk, `e_T / 100`, in [0, 1].

    It is a level, not a gain: a user who starts low and is met well scores less than one who starts high.
    Source: RLVER (Wang et al., 2025, arXiv:2507.03112), whose reward is the simulated user's final emotion / 100.

    >>> from emorl.rewards import final_emotion
    >>> final_emotion.low, final_emotion.high
    (0.0, 1.0)
    """

    name: str = "final_emotion"

    def _score(self, dialogue: Dialogue) -> float:
        return dialogue.emotions[-1] / 100.0


@dataclass(frozen=True, kw_only=True)
class EmotionTrajectory(Reward):
    """How close the emotion stays to the scenario's apt path, in [0, 1]: the mean over the K *planned* replies of

        s_k = 1 - min(1, d_k / tolerance),   d_k = distance of e_k from the band (lo_k, hi_k), in points of 0-100

    The path is the apt one, not the happiest: grief that is lifted in two turns costs as much as grief that is left
    alone. Where the user left satisfied, the missing turns keep the last emotion; where they walked out, or the policy
    ended the talk unasked, or a token limit did, the missing turns score 0.
    Source: emorl's own; scenarios without an `apt_path` are refused.

    >>> from emorl.rewards import EmotionTrajectory
    >>> EmotionTrajectory().turn_score(35.0, (40.0, 60.0))
    0.8
    """

    needs_apt_path: ClassVar[bool] = True

    name: str = "emotion_trajectory"
    tolerance: float = 25.0
    """Points of emotion outside the band at which a turn scores 0, > 0."""

    def __post_init__(self) -> None:
        require(self.tolerance > 0, "tolerance", f"is {self.tolerance}", "Give points of emotion above 0.")

    def turn_score(self, emotion: float, band: tuple[float, float]) -> float:
        """Score of one emotion against one band, in [0, 1]."""
        lo, hi = band
        return 1.0 - min(1.0, max(lo - emotion, emotion - hi, 0.0) / self.tolerance)

    def _score(self, dialogue: Dialogue) -> float:
        felt = dialogue.planned_emotions()
        scores = [0.0 if e is None else self.turn_score(e, dialogue.scenario.band(k)) for k, e in enumerate(felt, 1)]
        return sum(scores) / len(scores)
