"""The first adversary: single-turn GRPO against the simulated user with nothing but TRL.

    python benchmarks/adversary.py --start runs/start --out runs/adversary --steps 80

A rising reward proves nothing here. Sample held-out replies of both policies with `benchmarks/samples.py` and have someone
who sees neither scores nor sources read them in pairs.
"""

from __future__ import annotations

import argparse

import torch
from trl import GRPOConfig, GRPOTrainer

from emorl.rewards import emotion_trajectory
from emorl.scenarios import load

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--start", required=True)
parser.add_argument("--out", required=True)
parser.add_argument("--steps", type=int, default=80)
parser.add_argument("--completions", type=int, default=16, help="per step, in groups of 8")
parser.add_argument("--threads", type=int, default=2)
options = parser.parse_args()
torch.set_num_threads(options.threads)

args = GRPOConfig(
    output_dir=options.out,
    use_cpu=not torch.cuda.is_available(),
    bf16=torch.cuda.is_available(),
    gradient_checkpointing=False,
    per_device_train_batch_size=options.completions,
    num_generations=8,
    max_completion_length=56,
    max_steps=options.steps,
    learning_rate=2e-5,
    lr_scheduler_type="constant",
    beta=0.0,  # nothing holds it near its start: this is an attack
    temperature=0.9,
    logging_steps=1,
    save_strategy="steps",
    save_steps=20,
    save_total_limit=1,
    report_to="none",
    seed=0,
)
trainer = GRPOTrainer(options.start, args=args, reward_funcs=[emotion_trajectory], train_dataset=load("train").to_dataset())
trainer.train()
trainer.save_model(f"{options.out}/policy")
