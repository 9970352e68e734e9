"""The short supervised stage before GRPO: a small model must first talk sense about feelings.

Untouched, SmolLM2-135M-Instruct is mostly incoherent in emotional talk, and a group of incoherent replies teaches nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from datasets import Dataset
from progress import ProgressLines
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from emorl.scenarios import ScenarioSet, replies


def examples(scenarios: ScenarioSet, system_prompt: str | None, per_scenario: int) -> Dataset:
    """Prompt and completion for each written reply of the train split to one of `scenarios`."""
    written = replies("train")
    rows = [
        {"prompt": row["prompt"], "completion": [{"role": "assistant", "content": reply}]}
        for scenario, row in zip(scenarios, scenarios.rows(system_prompt), strict=True)
        for reply in written.get(scenario.id, ())[:per_scenario]
    ]
    if not rows:
        raise SystemExit("the supervised stage has no written replies for these scenarios: set --supervised_epochs 0")
    return Dataset.from_list(rows)


def supervise(model: str, data: Dataset, out: Path, *, epochs: float, learning_rate: float, args: Any) -> str:
    """Fine-tune `model` on the replies (all weights, loss on the reply only) and save it in `out`; returns the folder.
    A finished stage is not repeated. `args` is the GRPO configuration, for its seed and precision."""
    if (out / "config.json").exists():
        print(f"supervised stage: taken from {out}", flush=True)
        return str(out)
    if os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
        raise SystemExit(
            "the supervised stage does not run under DeepSpeed: run it on one process first, then give its folder as "
            "--model_name_or_path"
        )
    print(f"supervised stage: {len(data)} written replies, {epochs:g} epochs", flush=True)
    config = SFTConfig(
        output_dir=str(out),
        num_train_epochs=epochs,
        learning_rate=learning_rate,
        warmup_steps=3,
        per_device_train_batch_size=4,
        use_cpu=args.use_cpu,
        bf16=args.bf16,
        gradient_checkpointing=args.gradient_checkpointing,
        seed=args.seed,
        logging_steps=5,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        AutoModelForCausalLM.from_pretrained(model, dtype="float32"),
        args=config,
        train_dataset=data,
        processing_class=AutoTokenizer.from_pretrained(model),
        callbacks=[ProgressLines("supervised", ("loss",))],
    )
    trainer.train()
    trainer.save_model(str(out))
    return str(out)
