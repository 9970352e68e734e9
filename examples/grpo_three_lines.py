"""An existing single-turn GRPO script of TRL, made to reward emotion by three lines (marked).

python examples/grpo_three_lines.py --model_name_or_path Qwen/Qwen2.5-0.5B-Instruct --output_dir out
"""

from collections.abc import Sequence
from typing import Any

from trl import GRPOConfig, GRPOTrainer, ModelConfig, TrlParser

from emorl.rewards import emotion_trajectory  # line 1
from emorl.scenarios import load  # line 2


def brief(completions: Sequence[Any], **columns: Any) -> list[float]:
    """The reward that was there before: at most sixty words."""
    return [min(1.0, 60 / max(1, len(completion[0]["content"].split()))) for completion in completions]


def main(argv: Sequence[str] | None = None) -> GRPOTrainer:
    """Train, and return the trainer with its log."""
    args, model = TrlParser((GRPOConfig, ModelConfig)).parse_args_and_config(args=argv)
    trainer = GRPOTrainer(
        model=model.model_name_or_path,
        args=args,
        reward_funcs=[brief, emotion_trajectory],  # line 3: … and its dataset below
        train_dataset=load("train").to_dataset(),
    )
    trainer.train()
    return trainer


if __name__ == "__main__":
    main()
