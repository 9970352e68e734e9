"""A trainable low-rank delta on a frozen encoder, and its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from torch.nn import functional as F


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


def save(path: Path, head: Any, adapted: dict[str, LowRank]) -> None:
    """Write the delta in half precision; the first process does."""
    if dist.is_initialized() and dist.get_rank() > 0:
        return
    tensors = {"head.weight": head.weight, "head.bias": head.bias}
    for name, layer in adapted.items():
        tensors |= {f"{name}.weight|down": layer.down, f"{name}.weight|up": layer.up}
    save_file({k: v.detach().half().contiguous() for k, v in tensors.items()}, path)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


def average(paths: Sequence[Path], rank: int) -> dict[str, torch.Tensor]:
    """The tensors of the delta nearest to the mean of several, in half precision: stages of one training, averaged, are right
    more often than the last (Wortsman et al. 2022, arXiv 2203.05482). Products are averaged and cut to `rank` by their
    singular values; a narrower head counts as one with zeros for what it did not see."""
    deltas = [{name: tensor.float() for name, tensor in load_file(path).items()} for path in paths]
    width = max(delta["head.weight"].shape[1] for delta in deltas)
    heads = [F.pad(delta["head.weight"], (0, width - delta["head.weight"].shape[1])) for delta in deltas]
    out = {"head.weight": torch.stack(heads).mean(0), "head.bias": torch.stack([d["head.bias"] for d in deltas]).mean(0)}
    for name in sorted({key.rsplit("|", 1)[0] for key in deltas[0] if "|" in key}):
        mean = torch.stack([delta[f"{name}|up"] @ delta[f"{name}|down"] for delta in deltas]).mean(0)
        left, size, right = torch.linalg.svd(mean, full_matrices=False)
        root = size[:rank].sqrt()
        out |= {f"{name}|up": left[:, :rank] * root, f"{name}|down": root[:, None] * right[:rank]}
    return {name: tensor.half().contiguous() for name, tensor in out.items()}


def load(path: Path, head: Any, adapted: dict[str, LowRank]) -> None:
    """Go on from a delta that `save` or `average` wrote; its head may have seen fewer counts than this one."""
    tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
    seen = tensors["head.weight"]
    head.load_state_dict({"weight": F.pad(seen, (0, head.in_features - seen.shape[1])), "bias": tensors["head.bias"]})
    with torch.no_grad():
        for name, layer in adapted.items():
            layer.down.copy_(tensors[f"{name}.weight|down"])
            layer.up.copy_(tensors[f"{name}.weight|up"])
