"""Reward functions: classes for parameters, lower-case instances for dotted paths, a registry for names in YAML.

>>> from emorl.rewards import registry
>>> registry["final_emotion"].high
1.0
"""

from __future__ import annotations

from collections.abc import Mapping

from emorl.records import RecordError
from emorl.rewards.base import Reward
from emorl.rewards.emotion import EmotionTrajectory, FinalEmotion
from emorl.rewards.form import LengthRepetitionGuard, ThinkFormat
from emorl.rewards.tracking import TRACKING_PROMPT, EmotionTracking

final_emotion = FinalEmotion()
emotion_trajectory = EmotionTrajectory()
emotion_tracking = EmotionTracking()
think_format = ThinkFormat()
length_repetition_guard = LengthRepetitionGuard()

registry: Mapping[str, Reward] = {
    reward.name: reward for reward in (final_emotion, emotion_trajectory, emotion_tracking, think_format, length_repetition_guard)
}
"""Name -> ready instance."""


def by_name(name: str) -> Reward:
    """The ready reward of that name; an unknown name is an error that lists the known ones."""
    if name not in registry:
        raise RecordError(f"no reward is called {name!r}", field="rewards", remedy=f"There are: {', '.join(registry)}.")
    return registry[name]


__all__ = [
    "TRACKING_PROMPT",
    "EmotionTracking",
    "EmotionTrajectory",
    "FinalEmotion",
    "LengthRepetitionGuard",
    "Reward",
    "ThinkFormat",
    "by_name",
    "emotion_tracking",
    "emotion_trajectory",
    "final_emotion",
    "length_repetition_guard",
    "registry",
    "think_format",
]
