"""One process of a two-process run: `torchrun --nproc_per_node 2 -m tests.distributed.rollout_worker OUT STAGE MODEL`.

Each process holds one group of four. The user
of the first walks out after one reply, so process 0 has nothing left to say while process 1 still talks for two turns.
"""

from __future__ import annotations

import datetime
import gc
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import torch

from tests import conftest  # noqa: F401  # the environment of all tests, before torch starts threads
from tests.scripted_trainer import make_kit, make_trainer
from tests.scripted_user import ScriptedUser, make_scenario

TURNS = 3


def deepspeed_config(stage: int) -> dict[str, Any]:
    return {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "zero_allow_untested_optimizer": True,
        "steps_per_print": 10**9,
        "zero_optimization": {"stage": stage},
        "bf16": {"enabled": False},
    }


def main(out: Path, stage: int, model: str) -> None:
    # Our own process group, with a short timeout: with use_cpu transformers ignores `ddp_timeout`, and a hang should fail.
    torch.distributed.init_process_group("gloo", timeout=datetime.timedelta(seconds=120))
    rank = torch.distributed.get_rank()
    if stage:
        import deepspeed

        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False  # else a C++ op is compiled; gloo alone works
        deepspeed.init_distributed(dist_backend="gloo", verbose=False)
    user = ScriptedUser(endings={1: "walked_out"}, ends=["test-0"])
    kit = make_kit([make_scenario(0), make_scenario(1)], user, turns=TURNS, turn_tokens=12)
    changes = {"deepspeed": deepspeed_config(stage)} if stage else {}
    trainer = make_trainer(kit, out, model=model, max_steps=2, max_completion_length=160, shuffle_dataset=False, **changes)

    calls: list[int] = []
    generate = trainer._generate_single_turn

    def counted(prompt_ids: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(len(prompt_ids))
        return generate(prompt_ids, *args, **kwargs)

    counted.__signature__ = inspect.signature(generate)  # type: ignore[attr-defined]
    trainer._generate_single_turn = counted
    trainer.train()
    seen = {"calls": calls, "visits": kit.rollout_func.visits, "engine": type(trainer.model_wrapped).__name__, "world": 2}
    (out / f"rank{rank}.json").write_text(json.dumps(seen))
    # A clean end: DeepSpeed may abort in the interpreter's tear-down while the trainer lives.
    torch.distributed.barrier()
    del trainer, kit
    gc.collect()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
