"""The listener: "does this make sense to me, and what is it doing to me?"

A cross-encoder on MiniLM: the user's words are read once, and each reply is read in their light. It ships as a low-rank
delta in eight bits and a head (`data/listener.safetensors`, under 1 MB), made by `recipes/listener.py` from replies written for
this project; the base weights stay where they are. Its hash is part of the user's fingerprint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from emorl import embedded
from emorl.users.bert import layers
from emorl.users.encoder import file_hash
from emorl.users.wording import COUNTS, counts

KINDS = (
    "fine",
    "contempt",
    "minimise",
    "calm_down",
    "harm",
    "nonsense",
    "wrong_feeling",
    "wrong_person",
    "invented",
    "stock",
    "echo",
    "flattery",
    "promise",
    "false_cheer",
    "lecture",
    "elsewhere",
    "collude",
)
"""What a reply can be doing; "fine" is none of the others."""

DELTA = Path(__file__).parent / "data" / "listener.safetensors"
MAX_TOKENS = 192


@dataclass(frozen=True)
class Verdict:
    """What the listener makes of one reply."""

    sense: float
    """How well the reply meets this person, in [0, 1]."""
    kinds: tuple[float, ...]
    """A distribution over `KINDS`."""

    def share(self, *names: str) -> float:
        """Probability that the reply is of one of these kinds."""
        return sum(self.kinds[KINDS.index(name)] for name in names)


def heard(emotion: str, words: str) -> str:
    """The listener's first segment: what the user feels and has just said."""
    return f"{emotion.replace('_', ' ')}: {words}"


def build(base: str) -> tuple[Any, Any, Any]:
    """(tokenizer, encoder, head) with fresh head weights, in float32."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    model: Any = AutoModel.from_pretrained(base)
    head = torch.nn.Linear(3 * model.config.hidden_size + COUNTS, 1 + len(KINDS))
    return AutoTokenizer.from_pretrained(base), model, head


def listen(model: Any, tokenizer: Any, said: str) -> list[Any]:
    """What was said, read once: the input Float[1, tokens, hidden] of every layer. The reply does not change it, so
    that all replies to the same words share this work."""
    import torch

    ids = torch.tensor([tokenizer(said, truncation=True, max_length=MAX_TOKENS)["input_ids"]])
    return layers(model, model.embeddings(input_ids=ids))[:-1]


def attend(model: Any, tokenizer: Any, memory: list[Any], replies: Sequence[str]) -> tuple[Any, Any]:
    """(Float[replies, tokens, hidden], Int[replies, tokens] mask) of the last layer: a reply attends to itself and to what
    was said."""
    import torch

    rows = [tokenizer(reply, truncation=True, max_length=MAX_TOKENS)["input_ids"][1:] for reply in replies]
    width, offset = max(map(len, rows)), memory[0].shape[1]
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    positions = torch.arange(offset, offset + width).clamp(max=511).unsqueeze(0)
    hidden = model.embeddings(input_ids=ids, token_type_ids=torch.ones_like(ids), position_ids=positions)
    visible = None  # nothing is hidden where there is no padding, and attention is faster without a mask
    if not mask.all():
        visible = torch.cat([torch.ones(len(rows), offset, dtype=mask.dtype), mask], 1).bool()[:, None, None]
    return layers(model, hidden, memory, visible)[-1], mask


def features(hidden: Any, mask: Any, counted: Sequence[Sequence[float]]) -> Any:
    """Float[replies, 3 * hidden + COUNTS]: mean and maximum over each reply's tokens, its end token, and what was `counted`
    in it; the maximum, because one mad sentence spoils a reply."""
    import torch

    weight = mask.unsqueeze(-1).to(hidden.dtype)
    ends = hidden[torch.arange(len(mask)), mask.sum(1) - 1]
    highest = hidden.masked_fill(weight == 0, -torch.inf).amax(1)
    return torch.cat([(hidden * weight).sum(1) / weight.sum(1), highest, ends, torch.tensor(counted)], dim=-1)


def factors(tensors: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Weight name -> (up Float[out, rank], down Float[rank, in]) of a delta, whose every component is stored as two rows of
    int8 and one scale for their product. Raises `ValueError` for a delta in the half-precision format of old."""
    if not any(key.endswith("|scale") for key in tensors):
        raise ValueError("the listener's delta has no '|scale': it is of an older format; make it again with recipes/listener.py")
    names = sorted({key.rsplit("|", 1)[0] for key in tensors if "|" in key})
    roots = {name: tensors[f"{name}|scale"].sqrt() for name in names}
    return {n: (tensors[f"{n}|up"].float() * roots[n], tensors[f"{n}|down"].float() * roots[n][:, None]) for n in names}


def merge(model: Any, tensors: dict[str, Any]) -> None:
    """Add each low-rank product `up @ down` of the delta to its weight, in place."""
    import torch

    weights = dict(model.named_parameters())
    with torch.no_grad():
        for name, (up, down) in factors(tensors).items():
            weights[name] += up @ down


class Listener:
    """The packaged cross-encoder. One pair at a time, so that a verdict never depends on the rest of a batch."""

    def __init__(self, base: str | None = None, delta: Path = DELTA) -> None:
        from safetensors.torch import load_file

        tensors = load_file(delta)
        self.tokenizer, self.model, self.head = build(base or embedded.minilm())
        merge(self.model, tensors)
        self.head.load_state_dict({"weight": tensors["head.weight"].float(), "bias": tensors["head.bias"].float()})
        self.model.eval()
        self.fingerprint = f"listener:{file_hash(delta)}"
        self._memory = lru_cache(maxsize=256)(self._listen)
        self._judge = lru_cache(maxsize=20_000)(self._verdict)

    def _listen(self, said: str) -> list[Any]:
        import torch

        with torch.inference_mode():
            return listen(self.model, self.tokenizer, said)

    def _verdict(self, said: str, reply: str) -> Verdict:
        import torch

        with torch.inference_mode():
            heard = attend(self.model, self.tokenizer, self._memory(said), [reply])
            out = self.head(features(*heard, [counts(said, reply)]))[0]
            kinds = out[1:].softmax(-1)
        return Verdict(sense=float(out[0].sigmoid()), kinds=tuple(round(float(p), 5) for p in kinds))

    def judge(self, said: str, reply: str) -> Verdict:
        """The verdict on `reply` to what was `said` (from `heard`); deterministic."""
        return self._judge(said, reply)
