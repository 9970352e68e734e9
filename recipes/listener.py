"""Make the listener's delta from the written replies: `python recipes/listener.py --out emorl/users/data/listener.safetensors`.

On two cores: `torchrun --standalone --nproc_per_node 2 recipes/listener.py` with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from listener_batches import batches
from listener_corpus import Example, corpus
from listener_losses import mark_loss, marks, reply_loss
from lowrank import adapt, average, load, save
from safetensors.torch import save_file
from torch.nn import functional as F

from emorl import embedded
from emorl.users.listener import DELTA, attend, build, features, listen
from emorl.users.wording import counts


@dataclass(frozen=True)
class Settings:
    """The training settings; `docs/LOG.md` has those of the packaged delta."""

    out: Path
    epochs: int
    rank: int
    lr: float
    seed: int
    batch: int
    init: Path | None
    share: float


def share_gradients(parameters: list[Any]) -> None:
    """The mean of the gradients over all processes."""
    if dist.is_initialized():
        flat = torch.cat([p.grad.flatten() for p in parameters])
        dist.all_reduce(flat)
        for p, grad in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            p.grad.copy_(grad.view_as(p) / dist.get_world_size())


def mine(work: list[list[Example]]) -> list[list[Example]]:
    """This process's share of the batches; the same number for each process."""
    ranks, rank = (dist.get_world_size(), dist.get_rank()) if dist.is_initialized() else (1, 0)
    return work[rank : len(work) // ranks * ranks : ranks]


def train(settings: Settings, examples: list[Example]) -> None:
    """Train on `examples`, writing the delta after each epoch."""
    torch.manual_seed(settings.seed)
    rng = random.Random(settings.seed)
    tokenizer, model, head = build(embedded.minilm())
    adapted = adapt(model, settings.rank)
    if settings.init:
        load(settings.init, head, adapted)
    model.train()
    low = [p for layer in adapted.values() for p in (layer.down, layer.up)]
    probe = torch.nn.Linear(model.config.hidden_size, 1)
    trained = [*low, *head.parameters(), *probe.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=settings.lr, weight_decay=0.01)
    total = len(mine(batches(examples, settings.batch, random.Random(0), settings.share))) * settings.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.lr, total_steps=total + settings.epochs * 9, pct_start=0.1)
    start, step = time.time(), 0
    for epoch in range(settings.epochs):
        losses = []
        for batch in mine(batches(examples, settings.batch, rng, settings.share)):
            memory = listen(model, tokenizer, batch[0].said)
            hidden, mask = attend(model, tokenizer, memory, [e.reply for e in batch])
            counted = [counts(e.said, e.reply) for e in batch]
            loss = reply_loss(head(F.dropout(features(hidden, mask, counted), 0.1)), batch)
            loss = loss + mark_loss(probe(hidden)[..., 0], marks(tokenizer, batch, mask.shape))
            optimizer.zero_grad()
            loss.backward()
            share_gradients(trained)
            torch.nn.utils.clip_grad_norm_(low, 1.0)
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
            step += 1
            if step % 20 == 0:
                spent = time.time() - start
                left = spent / step * (total - step)
                print(
                    f"step {step}/{total} loss {sum(losses[-20:]) / len(losses[-20:]):.3f}, about {left:.0f} s left", flush=True
                )
        print(f"epoch {epoch + 1}: mean loss {sum(losses) / len(losses):.3f}", flush=True)
        save(settings.out, head, adapted)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DELTA)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rank", type=int, default=22)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--init", type=Path, help="a delta to go on from")
    parser.add_argument("--share", type=float, default=1.0, help="share of the written replies' batches in each epoch")
    parser.add_argument("--without", default="", help="leave out the train scenarios of this slice, as in 48:60, to measure on")
    parser.add_argument("--average", type=Path, nargs="+", help="write the mean of these deltas, and train nothing")
    arguments = vars(parser.parse_args())
    if several := arguments.pop("average"):
        save_file(average(several, arguments["rank"]), arguments["out"])
        return
    held_out = arguments.pop("without")
    settings = Settings(**arguments)
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    examples = corpus(settings.seed, slice(*map(int, held_out.split(":"))) if held_out else slice(0, 0))
    print(f"{len(examples)} examples of {len({e.said for e in examples})} situations")
    train(settings, examples)


if __name__ == "__main__":
    main()
