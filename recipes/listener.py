"""Make the listener's delta from the written replies: `python recipes/listener.py --out emorl/users/data/listener.safetensors`.

Loss per example: binary cross-entropy of `sense` against the reply's grade, cross-entropy of the kind, and, inside each
group of replies to the same words, a logistic loss on pairs whose grades differ.
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from listener_corpus import Example, corpus
from safetensors.torch import save_file
from torch.nn import functional as F

from emorl import embedded
from emorl.users.listener import DELTA, KINDS, MAX_TOKENS, build, features


class LowRank(torch.nn.Module):
    """A frozen linear layer plus a trainable product of rank `rank`."""

    def __init__(self, layer: torch.nn.Linear, rank: int) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.down = torch.nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features**0.5)
        self.up = torch.nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + F.linear(F.linear(x, self.down), self.up)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Settings:
    """The training settings; the packaged delta was made with the defaults."""

    out: Path
    epochs: int
    rank: int
    lr: float
    seed: int
    per_group: int
    groups: int


def adapt(model: Any, rank: int) -> dict[str, LowRank]:
    """Put a `LowRank` in place of every linear layer of the encoder; name -> layer."""
    model.requires_grad_(False)
    adapted: dict[str, LowRank] = {}
    for name, module in list(model.named_modules()):
        if isinstance(module, torch.nn.Linear) and name.startswith("encoder."):
            parent = model.get_submodule(name.rsplit(".", 1)[0])
            adapted[name] = LowRank(module, rank)
            setattr(parent, name.rsplit(".", 1)[1], adapted[name])
    return adapted


def batches(examples: list[Example], per_group: int, groups: int, rng: random.Random) -> list[list[Example]]:
    """Every example once: chunks of at most `per_group` replies to the same words, `groups` chunks a batch.
    Each chunk holds a good reply, so that every pair loss has something to compare with."""
    by_words: dict[str, list[Example]] = {}
    for example in examples:
        by_words.setdefault(example.said, []).append(example)
    chunks = []
    for members in by_words.values():
        good = [e for e in members if e.grade > 0.9]
        rest = [e for e in members if e.grade <= 0.9]
        rng.shuffle(good), rng.shuffle(rest)
        step = per_group - 2
        for i, start in enumerate(range(0, len(rest), step)):
            chunks.append(rest[start : start + step] + [good[(2 * i + j) % len(good)] for j in range(2)] if good else rest[start : start + step])
    rng.shuffle(chunks)
    return [sum(chunks[i : i + groups], []) for i in range(0, len(chunks), groups)]


def loss_of(out: torch.Tensor, batch: list[Example]) -> torch.Tensor:
    """The three losses of the module's docstring, summed."""
    grade = torch.tensor([e.grade for e in batch])
    kind = torch.tensor([KINDS.index(e.kind) if e.kind else -100 for e in batch])
    same = torch.tensor([[a.said == b.said for b in batch] for a in batch])
    gap = grade[:, None] - grade[None, :]
    pairs = same & (gap > 0.2)
    difference = out[:, None, 0] - out[None, :, 0]
    pair_loss = F.softplus(2.0 - difference)[pairs].mean() if pairs.any() else out.sum() * 0
    return F.binary_cross_entropy_with_logits(out[:, 0], grade) + 0.5 * F.cross_entropy(out[:, 1:], kind, ignore_index=-100) + 0.5 * pair_loss


def train(settings: Settings, examples: list[Example]) -> tuple[Any, Any, Any, dict[str, LowRank]]:
    """Train on `examples`; returns (tokenizer, encoder, head, adapted layers)."""
    torch.manual_seed(settings.seed)
    rng = random.Random(settings.seed)
    tokenizer, model, head = build(embedded.minilm())
    adapted = adapt(model, settings.rank)
    model.train()
    low = [p for layer in adapted.values() for p in (layer.down, layer.up)]
    optimizer = torch.optim.AdamW([{"params": low, "lr": settings.lr}, {"params": head.parameters(), "lr": settings.lr}], weight_decay=0.01)
    total = len(batches(examples, settings.per_group, settings.groups, random.Random(0))) * settings.epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, [settings.lr, settings.lr], total_steps=total + settings.epochs * 5, pct_start=0.1)
    start, step = time.time(), 0
    for epoch in range(settings.epochs):
        losses = []
        for batch in batches(examples, settings.per_group, settings.groups, rng):
            tokens = tokenizer([e.said for e in batch], [e.reply for e in batch], truncation=True, max_length=MAX_TOKENS, padding=True, return_tensors="pt")
            loss = loss_of(head(F.dropout(features(model, tokens), 0.1)), batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(low, 1.0)
            optimizer.step(), schedule.step()
            losses.append(float(loss.detach()))
            step += 1
            if step % 20 == 0:
                spent = time.time() - start
                print(f"step {step}/{total} loss {sum(losses[-20:]) / len(losses[-20:]):.3f} {spent:.0f} s, about {spent / step * (total - step):.0f} s left", flush=True)
        print(f"epoch {epoch + 1}: mean loss {sum(losses) / len(losses):.3f}", flush=True)
    model.eval()
    return tokenizer, model, head, adapted


def save(path: Path, head: Any, adapted: dict[str, LowRank]) -> None:
    """Write the delta in half precision."""
    tensors = {"head.weight": head.weight, "head.bias": head.bias}
    for name, layer in adapted.items():
        tensors |= {f"{name}.weight|down": layer.down, f"{name}.weight|up": layer.up}
    save_file({k: v.detach().half().contiguous() for k, v in tensors.items()}, path)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DELTA)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--per_group", type=int, default=16)
    parser.add_argument("--groups", type=int, default=2)
    settings = Settings(**vars(parser.parse_args()))
    examples = corpus(settings.seed)
    print(f"{len(examples)} examples of {len({e.said for e in examples})} situations")
    _, _, head, adapted = train(settings, examples)
    save(settings.out, head, adapted)


if __name__ == "__main__":
    main()
