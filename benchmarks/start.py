"""The start of the signal check: SmolLM2-135M-Instruct taught to talk plainly, on all plain replies written for this project.

    torchrun --standalone --nproc_per_node 2 benchmarks/start.py --out runs/start     # OMP_NUM_THREADS=1

The recipe's supervised stage does the same with the scenarios alone; this takes the listener's further situations as well, and
is faster on a CPU: all replies to one opening share its prompt (one sequence; each reply attends to the prompt and to itself
at its own positions), and processes average their weights every few steps instead of their gradients at each.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer

from emorl import embedded
from emorl.scenarios import DEFAULT_SYSTEM_PROMPT, load, replies

EXTRA = Path(__file__).parent.parent / "recipes" / "listener_data"
AVERAGE_EVERY = 6


def lessons() -> list[tuple[str, list[str]]]:
    """Every (opening, plain replies) of the train split and of the listener's situations that have several."""
    written = replies("train", "plain")
    out = [(s.opening, list(written[s.id])) for s in load("train")]
    for path in sorted(EXTRA.glob("situations_*.jsonl")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        out += [(row["opening"], row["plain"]) for row in rows if len(row.get("plain", ())) > 1]
    return out


def pack(tokenizer: Any, opening: str, answers: list[str]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(ids, positions, mask to add, labels) of one sequence of n tokens; shapes [1, n], [1, n], [1, 1, n, n], [n].

    Each reply begins with a copy of the prompt's last token, which predicts the reply's first.
    """
    messages = [{"role": "system", "content": DEFAULT_SYSTEM_PROMPT}, {"role": "user", "content": opening}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    ids, positions, owner, labels = list(prompt), list(range(len(prompt))), [0] * len(prompt), [-100] * len(prompt)
    for number, answer in enumerate(answers, 1):
        tokens = tokenizer(answer + tokenizer.eos_token, add_special_tokens=False)["input_ids"]
        ids += [prompt[-1], *tokens]
        positions += range(len(prompt) - 1, len(prompt) + len(tokens))
        owner += [number] * (len(tokens) + 1)
        labels += [*tokens, -100]
    index, who = torch.arange(len(ids)), torch.tensor(owner)
    shared = (who == 0) & (index < len(prompt) - 1)
    visible = (index[:, None] >= index) & ((who[:, None] == who) | shared)
    mask = torch.zeros(visible.shape).masked_fill(~visible, torch.finfo(torch.float32).min)
    return torch.tensor([ids]), torch.tensor([positions]), mask[None, None], torch.tensor(labels)


def loss_of(model: Any, packed: tuple[torch.Tensor, ...]) -> torch.Tensor:
    """Mean cross-entropy of the replies' tokens."""
    ids, positions, mask, labels = packed
    hidden = model.model(input_ids=ids, position_ids=positions, attention_mask=mask).last_hidden_state[0]
    taught = labels >= 0
    return F.cross_entropy(model.lm_head(hidden[taught]), labels[taught])


def train(model: Any, tokenizer: Any, epochs: int, lr: float, rank: int, ranks: int) -> None:
    """One opening a step and process; the learning rate falls linearly to a twentieth."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01, fused=True)
    work, rng, start, step = lessons(), random.Random(0), time.time(), 0
    total = len(work) // ranks * epochs
    for _ in range(epochs):
        rng.shuffle(work)
        for opening, answers in work[rank : len(work) // ranks * ranks : ranks]:
            loss = loss_of(model, pack(tokenizer, opening, answers))
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for group in optimizer.param_groups:
                group["lr"] = lr * min(1.0, (step + 1) / 10) * max(0.05, 1 - step / total)
            optimizer.step()
            step += 1
            if ranks > 1 and (step % AVERAGE_EVERY == 0 or step == total):
                average(model, ranks)
            if rank == 0 and step % 10 == 0:
                left = (time.time() - start) / step * (total - step)
                print(f"step {step}/{total} loss {float(loss.detach()):.3f}, about {left:.0f} s left", flush=True)


def average(model: Any, ranks: int) -> None:
    """The mean of the weights over all processes, in place."""
    with torch.no_grad():
        for weights in model.parameters():
            dist.all_reduce(weights)
            weights /= ranks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1e-4)
    options = parser.parse_args()
    if "RANK" in os.environ:
        dist.init_process_group("gloo")
    rank, ranks = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    folder = embedded.smollm2()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).train()
    train(model, tokenizer, options.epochs, options.lr, rank, ranks)
    if rank == 0:
        model.save_pretrained(options.out)
        tokenizer.save_pretrained(options.out)


if __name__ == "__main__":
    main()
