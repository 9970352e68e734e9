"""TRL: multi-turn emotional training with an unmodified `GRPOTrainer`."""

from emorl.integrations.trl.callbacks import KitCallback, TooManyFailures
from emorl.integrations.trl.kit import EmotionKit
from emorl.integrations.trl.rollout_func import RolloutFunc, mark

__all__ = ["EmotionKit", "KitCallback", "RolloutFunc", "TooManyFailures", "mark"]
