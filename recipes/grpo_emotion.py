"""GRPO on emotional dialogues with a simulated user.

accelerate launch recipes/grpo_emotion.py --config recipes/presets/demo.yaml
accelerate launch recipes/grpo_emotion.py --config recipes/presets/one_gpu.yaml --rewards emotion_trajectory=1.0

Every option of TRL's `GRPOConfig` and `ModelConfig` is taken too, in the preset and on the command line. The run folder
(`--output_dir`) holds rollouts.jsonl, metrics.jsonl, config.yaml, report.html, the checkpoints and the final policy.
"""

from __future__ import annotations

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import yaml
from accelerate import PartialState
from arguments import EMBEDDED, Options
from configure import configure, whole_weights
from progress import ProgressLines, quiet, quiet_libraries, say
from resume import checkpoint
from supervised import Lesson, supervise
from transformers import set_seed
from trl import GRPOTrainer, get_peft_config, get_quantization_config

from emorl import embedded
from emorl.integrations.trl import EmotionKit


def starting_point(options: Options, first: Lesson | None) -> str:
    """Folder or name of the policy that GRPO starts from."""
    emotion, args, model = options
    name = str(model.model_name_or_path)
    if name == EMBEDDED:
        with whole_weights(args), PartialState().local_main_process_first():  # converted once, by one process
            name = embedded.smollm2()
    if first is None:
        return name
    return supervise(name, first, Path(args.output_dir, "supervised"), args, again=emotion.resume == "never")


def write_config(options: Options, start: str) -> None:
    """The resolved configuration, without tokens and keys (`to_dict` masks them)."""
    emotion, args, model = options
    resolved = asdict(emotion) | {"rewards": emotion.weights, "policy": start, "model": asdict(model), "trainer": args.to_dict()}
    path = Path(args.output_dir, "config.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True), encoding="utf-8")


def build(options: Options, kit: EmotionKit, start: str) -> GRPOTrainer:
    """The unmodified trainer with the kit's arguments."""
    _, args, model = options
    hub = {"revision": model.model_revision} if start == model.model_name_or_path else {}
    loading = {"dtype": model.dtype, "attn_implementation": model.attn_implementation, **hub}
    args.model_init_kwargs = loading | (args.model_init_kwargs or {})
    set_seed(args.seed)  # again: a supervised stage that was just run has drawn numbers, one taken from the disk has not
    trainer = GRPOTrainer(
        model=start,
        args=args,
        peft_config=get_peft_config(model),
        quantization_config=get_quantization_config(model),
        **kit.trainer_kwargs(),
    )
    trainer.add_callback(ProgressLines("grpo", ("reward", "reward_std", "entropy", "kl", "completions/mean_length")))
    quiet(trainer)
    return trainer


def train(options: Options, kit: EmotionKit, first: Lesson | None) -> Path:
    """Train and save; returns the run folder."""
    emotion, args, _ = options
    start = starting_point(options, first)
    trainer = build(options, kit, start)
    folder = Path(args.output_dir)
    if last := checkpoint(emotion.resume, folder):
        say(f"resuming from {last}")
        kit.load_checkpoint(last)
        args.eval_on_start = False  # the run has been evaluated there
    if trainer.is_world_process_zero():
        write_config(options, start)
    trainer.train(resume_from_checkpoint=str(last) if last else None)
    trainer.save_model(str(folder / "policy"))
    if trainer.is_world_process_zero():
        finish(folder, trainer.state)
    trainer.accelerator.wait_for_everyone()
    trainer.accelerator.end_training()
    return folder


def finish(folder: Path, state: Any) -> None:
    """Write the report and say what the run was worth."""
    from emorl.report import write

    print(f"run folder: {folder}\nreport:     {write(folder)}", flush=True)
    if state.best_global_step:
        print(f"best held-out reward {state.best_metric:.3f} at step {state.best_global_step}", flush=True)
    if state.max_steps < 50:
        print(f"{state.max_steps} steps show the machinery at work; they are too few to show that the policy got better.")


def main(argv: list[str] | None = None) -> Path:
    """The whole recipe; returns the run folder. Ends with a message where an option cannot be."""
    quiet_libraries()
    try:
        options, kit, first = configure(sys.argv[1:] if argv is None else argv)
    except (ValueError, FileNotFoundError) as error:  # of the options, the scenarios, the user
        raise SystemExit(f"grpo_emotion: {error}") from error
    return train(options, kit, first)


if __name__ == "__main__":
    main()
