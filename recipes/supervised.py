"""The short supervised stage before GRPO: a small model must first talk sense about feelings.

Untouched, SmolLM2-135M-Instruct is mostly incoherent in emotional talk, and a group of incoherent replies teaches nothing.
"""

from __future__ import annotations

import gc
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from arguments import EmotionArguments
from datasets import Dataset
from progress import ProgressLines, quiet, say
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from emorl.scenarios import ScenarioSet, replies

SETTINGS = "supervised.json"
"""Written last: what the stage in this folder was made with."""


@dataclass(frozen=True)
class Lesson:
    """What the stage teaches, and how."""

    rows: list[dict[str, Any]]
    """Prompt, completion and arguments of the chat template."""
    epochs: float
    learning_rate: float


def lesson(emotion: EmotionArguments, scenarios: ScenarioSet, system_prompt: str) -> Lesson | None:
    """The written replies to `scenarios`; `None` where the options want no supervised stage."""
    if not emotion.supervised_epochs:
        return None
    written = replies("train", emotion.supervised_kind)
    rows = []
    for scenario, row in zip(scenarios, scenarios.rows(system_prompt), strict=True):
        # Taught along with the reply, or the stage would unlearn thinking; in the form that `emotion_tracking` reads.
        thought = f"<think>\nfeels: {scenario.emotion.replace('_', ' ')} 1.0\n</think>\n" if emotion.think else ""
        for reply in written.get(scenario.id, ())[: emotion.supervised_replies]:
            completion = [{"role": "assistant", "content": thought + reply}]
            template = {"enable_thinking": emotion.think}
            rows.append({"prompt": row["prompt"], "completion": completion, "chat_template_kwargs": template})
    if not rows:
        raise ValueError("--supervised_epochs: there are no written replies to these scenarios; set it to 0")
    return Lesson(rows, emotion.supervised_epochs, emotion.supervised_learning_rate)


def supervise(model: str, taught: Lesson, out: Path, args: Any, *, again: bool = False) -> str:
    """Fine-tune `model` on the replies (all weights, loss on the reply only) and save it in `out`; returns the folder.

    A stage that is finished with the same settings is taken as it is, unless `again`. `args` is the GRPO configuration,
    for its seed and precision.
    """
    digest = hashlib.sha256(json.dumps(asdict(taught)).encode()).hexdigest()
    settings = {"model": model, "epochs": taught.epochs, "replies": len(taught.rows), "seed": args.seed, "lesson": digest}
    done = out / SETTINGS
    if not again and done.is_file() and json.loads(done.read_text(encoding="utf-8")) == settings:
        say(f"supervised stage: taken from {out}")
        return str(out)
    say(f"supervised stage: {len(taught.rows)} written replies, {taught.epochs:g} epochs")
    if args.process_index == 0:
        done.unlink(missing_ok=True)  # else an interrupted repetition would pass for the finished one before it
    trainer = SFTTrainer(
        AutoModelForCausalLM.from_pretrained(model, dtype="float32"),
        args=_config(out, taught, args),
        train_dataset=Dataset.from_list(taught.rows),
        processing_class=AutoTokenizer.from_pretrained(model),
        callbacks=[ProgressLines("supervised", ("loss",))],
    )
    quiet(trainer)
    trainer.train()
    trainer.save_model(str(out))
    if trainer.is_world_process_zero():
        done.write_text(json.dumps(settings), encoding="utf-8")
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.free_memory()
    del trainer
    gc.collect()
    torch.cuda.empty_cache()
    return str(out)


def _config(out: Path, taught: Lesson, args: Any) -> SFTConfig:
    return SFTConfig(
        output_dir=str(out),
        num_train_epochs=taught.epochs,
        learning_rate=taught.learning_rate,
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
