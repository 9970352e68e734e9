"""A trainable low-rank delta on a frozen encoder, and its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from emorl.users.listener import factors


class LowRank(torch.nn.Module):
    """A frozen linear layer plus a trainable product of rank `rank`."""

    def __init__(self, layer: torch.nn.Linear, rank: int) -> None:
        super().__init__()
        self.layer = layer.requires_grad_(False)
        self.down = torch.nn.Parameter(torch.randn(rank, layer.in_features) / layer.in_features**0.5)
        self.up = torch.nn.Parameter(torch.zeros(layer.out_features, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) + F.linear(F.linear(x, self.down), self.up)  # type: ignore[no-any-return]


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


def packed(name: str, up: torch.Tensor, down: torch.Tensor) -> dict[str, torch.Tensor]:
    """One product in eight bits: each component's column of `up` and row of `down` as int8, and one scale for the two."""
    highs, lows = up.abs().amax(0).clamp(min=1e-12), down.abs().amax(1).clamp(min=1e-12)
    return {
        f"{name}|up": (up / highs * 127).round().to(torch.int8).contiguous(),
        f"{name}|down": (down / lows[:, None] * 127).round().to(torch.int8).contiguous(),
        f"{name}|scale": (highs * lows / 127**2).float(),
    }


def save(path: Path, head: Any, adapted: dict[str, LowRank]) -> None:
    """Write the delta; the first process does."""
    if dist.is_initialized() and dist.get_rank() > 0:
        return
    tensors = {"head.weight": head.weight.detach().half(), "head.bias": head.bias.detach().half()}
    for name, layer in adapted.items():
        tensors |= packed(f"{name}.weight", layer.up.detach(), layer.down.detach())
    save_file(tensors, path)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def average(paths: Sequence[Path], rank: int) -> dict[str, torch.Tensor]:
    """The tensors of the delta nearest to the mean of several: stages of one training, averaged, are right more often than the
    last (Wortsman et al. 2022, arXiv 2203.05482). Products are averaged and cut to `rank` by their singular values."""
    deltas = [load_file(path) for path in paths]
    heads = [delta["head.weight"].float() for delta in deltas]
    biases = [delta["head.bias"].float() for delta in deltas]
    out = {"head.weight": torch.stack(heads).mean(0).half(), "head.bias": torch.stack(biases).mean(0).half()}
    products = [factors(delta) for delta in deltas]
    for name in products[0]:
        mean = torch.stack([up @ down for up, down in (each[name] for each in products)]).mean(0)
        left, size, right = torch.linalg.svd(mean, full_matrices=False)
        root = size[:rank].sqrt()
        out |= packed(name, left[:, :rank] * root, root[:, None] * right[:rank])
    return out


def load(path: Path, head: Any, adapted: dict[str, LowRank]) -> None:
    """Go on from a delta that `save` or `average` wrote; its rank may be lower: new components begin at nothing."""
    tensors = load_file(path)
    head.load_state_dict({"weight": tensors["head.weight"].float(), "bias": tensors["head.bias"].float()})
    with torch.no_grad():
        for name, (up, down) in factors(tensors).items():
            layer = adapted[name.removesuffix(".weight")]
            layer.up[:, : up.shape[1]] = up
            layer.down[: down.shape[0]] = down
