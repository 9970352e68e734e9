"""BERT's layers without the host's bookkeeping, which costs more than the arithmetic on texts this short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def layers(model: Any, hidden: Any, memory: Sequence[Any] | None = None, visible: Any = None) -> list[Any]:
    """The input Float[rows, tokens, hidden] of every layer of a `BertModel`, then the output of the last.

    With `memory` (this function's result for other tokens, one row) every layer attends to those tokens too; `visible`
    is Bool, of a shape that broadcasts to [rows, heads, tokens, memory's tokens + tokens]; `None` hides nothing.
    """
    out = [hidden]
    for number, layer in enumerate(model.encoder.layer):
        out.append(_layer(layer, out[-1], memory[number] if memory else None, visible))
    return out


def _layer(layer: Any, hidden: Any, before: Any, visible: Any) -> Any:
    """One layer in which `hidden` attends to itself and to `before` (one row, shared by the batch)."""
    import torch

    attention = layer.attention.self
    heads = [projection(hidden) for projection in (attention.query, attention.key, attention.value)]
    if before is not None:
        for i, projection in ((1, attention.key), (2, attention.value)):
            heads[i] = torch.cat([projection(before).expand(len(hidden), -1, -1), heads[i]], 1)
    query, key, value = (h.unflatten(-1, (attention.num_attention_heads, -1)).transpose(1, 2) for h in heads)
    context = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=visible)
    attended = layer.attention.output(context.transpose(1, 2).flatten(2), hidden)
    return layer.output(layer.intermediate(attended), attended)
