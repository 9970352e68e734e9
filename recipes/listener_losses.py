"""What the listener is trained on: the grades of replies, their kinds, and what readers marked in them.

Binary cross-entropy of `sense` against the grade, cross-entropy of the kind, and, inside each group of replies to the same
words, a logistic loss on every pair whose grades differ, with a margin and a weight in proportion to the difference. Where a
reader marked what does not fit, binary cross-entropy of a linear probe on every token (not shipped): the mean over tokens, of
which `sense` is made, can then tell how much of a reply is off.
"""

from __future__ import annotations

from typing import Any

import torch
from listener_corpus import Example
from torch.nn import functional as F

from emorl.users.listener import KINDS, MAX_TOKENS

MARGIN = 6.0
"""Logits of `sense` asked between the best and the worst grade."""


def reply_loss(out: torch.Tensor, batch: list[Example]) -> torch.Tensor:
    """The losses of grades, kinds and pairs, from the head's output Float[replies, 1 + kinds]."""
    grade = torch.tensor([e.grade for e in batch])
    kind = torch.tensor([KINDS.index(e.kind) if e.kind else -100 for e in batch])
    better = (grade[:, None] - grade[None, :]).clamp(min=0.0)
    difference = out[:, None, 0] - out[None, :, 0]
    pair_loss = (better * F.softplus(MARGIN * better - difference)).sum() / better.sum().clamp(min=0.01)
    known = kind >= 0
    kind_loss = F.cross_entropy(out[known, 1:], kind[known]) if known.any() else out.sum() * 0
    return F.binary_cross_entropy_with_logits(out[:, 0], grade) + 0.5 * kind_loss + pair_loss


def marks(tokenizer: Any, batch: list[Example], shape: torch.Size) -> torch.Tensor:
    """Float[replies, tokens]: 1 on what is off, 0 on what fits, -1 where nobody said."""
    out = torch.full(shape, -1.0)
    for row, example in enumerate(batch):
        if example.off is not None:
            read = tokenizer(example.reply, truncation=True, max_length=MAX_TOKENS, return_offsets_mapping=True)
            for place, (start, end) in enumerate(read["offset_mapping"][1:-1]):
                out[row, place] = float(any(first < end and start < last for first, last in example.off))
    return out


def mark_loss(logits: torch.Tensor, off: torch.Tensor) -> torch.Tensor:
    """Mean over the tokens of which `marks` says something; both Float[replies, tokens]."""
    said = (off >= 0).float()
    return F.binary_cross_entropy_with_logits(logits, off, said, reduction="sum") / said.sum().clamp(min=1.0)
