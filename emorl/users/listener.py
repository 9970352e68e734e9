"""The listener: "does this make sense to me, and what is it doing to me?"

A cross-encoder on MiniLM that reads the user's words and a reply together. It ships as a low-rank delta and a head
(`data/listener.safetensors`, under 1 MB), made by `recipes/listener.py` from replies written for this project; the
base weights stay where they are. Its hash is part of the user's fingerprint.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from emorl import embedded
from emorl.users.encoder import file_hash

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
MAX_TOKENS = 256


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

    model: Any = AutoModel.from_pretrained(base, attn_implementation="sdpa")
    head = torch.nn.Linear(2 * model.config.hidden_size, 1 + len(KINDS))
    return AutoTokenizer.from_pretrained(base), model, head


def features(model: Any, batch: Any) -> Any:
    """Float[batch, 2 * hidden]: the first token, and the mean over the reply's tokens (the second segment)."""
    import torch

    hidden = model(**batch).last_hidden_state
    reply = (batch["token_type_ids"] * batch["attention_mask"]).unsqueeze(-1).to(hidden.dtype)
    return torch.cat([hidden[:, 0], (hidden * reply).sum(1) / reply.sum(1).clamp(min=1)], dim=-1)


def merge(model: Any, tensors: dict[str, Any]) -> None:
    """Add each low-rank product `up @ down` of the delta to its weight, in place."""
    import torch

    weights = dict(model.named_parameters())
    with torch.no_grad():
        for name in sorted({key.rsplit("|", 1)[0] for key in tensors if "|" in key}):
            weights[name] += tensors[f"{name}|up"].float() @ tensors[f"{name}|down"].float()


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
        self._judge = lru_cache(maxsize=20_000)(self._verdict)

    def _verdict(self, said: str, reply: str) -> Verdict:
        import torch

        batch = self.tokenizer(said, reply, truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            out = self.head(features(self.model, batch))[0]
            kinds = out[1:].softmax(-1)
        return Verdict(sense=float(out[0].sigmoid()), kinds=tuple(round(float(p), 5) for p in kinds))

    def judge(self, said: str, reply: str) -> Verdict:
        """The verdict on `reply` to what was `said` (from `heard`); deterministic."""
        return self._judge(said, reply)
