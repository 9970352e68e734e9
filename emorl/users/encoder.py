"""Sentence embeddings behind one small protocol: MiniLM, and a pure-Python stand-in that says so in its name."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import log, sqrt
from pathlib import Path
from typing import Any, Protocol

from emorl import embedded
from emorl.users.bert import layers
from emorl.users.text import content_stems


class Encoder(Protocol):
    """Similarity of two short texts."""

    contrast: tuple[float, float]
    """Contrast between a user's own particulars and the decoys at which nothing, and enough, was understood."""

    @property
    def fingerprint(self) -> str:
        """Name and hash of what computes the similarity."""
        ...

    def similarity(self, a: str, b: str) -> float:
        """Cosine in [-1, 1]; a pure function of the two texts."""
        ...

    def similarities(self, texts: tuple[str, ...], others: Sequence[str]) -> list[list[float]]:
        """Cosine of each of `texts` with each of `others`; a pure function of both."""
        ...


def file_hash(path: Path) -> str:
    """First 12 hex digits of the file's SHA-256."""
    digest = hashlib.sha256()
    with open(path, "rb") as data:
        for block in iter(lambda: data.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()[:12]


class MiniLMEncoder:
    """all-MiniLM-L6-v2 (Apache-2.0): mean pooling, unit length. Each text runs alone, so that a score never depends
    on what else was in the batch; a bounded memo keeps repeated texts cheap."""

    contrast = (0.10, 0.28)
    # Train split: good replies 0.19 at their 1st percentile, 0.34 at their 25th; replies to somebody else 0.11 at their
    # 75th percentile, 0.22 at their 95th.

    def __init__(self, path: str | None = None) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.path = path or embedded.minilm()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(self.path)
        self.model: Any = AutoModel.from_pretrained(self.path, attn_implementation="sdpa").eval()
        weights = Path(self.path) / "model.safetensors"
        self._fingerprint = f"minilm:{file_hash(weights)}" if weights.exists() else f"minilm:{self.path}"
        self._vector = lru_cache(maxsize=20_000)(self._embed)
        self._vectors = lru_cache(maxsize=4_000)(self._embed_together)

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def _embed(self, text: str) -> Any:
        import torch

        ids = torch.tensor([self.tokenizer(text, truncation=True, max_length=128)["input_ids"]])
        with torch.inference_mode():
            mean = layers(self.model, self.model.embeddings(input_ids=ids))[-1][0].mean(0)
            return torch.nn.functional.normalize(mean, dim=0)

    def _embed_together(self, texts: tuple[str, ...]) -> Any:
        """Float[texts, hidden] of one pass over all texts, end to end and masked apart: on texts this short, reading the
        weights is what a pass costs."""
        import torch

        rows = [self.tokenizer(text, truncation=True, max_length=128)["input_ids"] for text in texts]
        owner = torch.tensor([number for number, row in enumerate(rows) for _ in row])
        ids = torch.tensor([[token for row in rows for token in row]])
        positions = torch.tensor([[position for row in rows for position in range(len(row))]])
        with torch.inference_mode():
            hidden = self.model.embeddings(input_ids=ids, position_ids=positions)
            hidden = layers(self.model, hidden, visible=(owner[:, None] == owner)[None, None])[-1][0]
            means = torch.stack([hidden[owner == number].mean(0) for number in range(len(rows))])
            return torch.nn.functional.normalize(means, dim=-1)

    def similarity(self, a: str, b: str) -> float:
        return float(self._vector(a) @ self._vector(b))

    def similarities(self, texts: tuple[str, ...], others: Sequence[str]) -> list[list[float]]:
        import torch

        found: list[list[float]] = (self._vectors(texts) @ torch.stack([self._vector(other) for other in others]).T).tolist()
        return found


class LexicalEncoder:
    """Pure Python: cosine of stemmed content words, rarer-looking (longer) ones weighing more. No meaning beyond the
    words: "took your job" and "dismissed you" are strangers to it. For machines without torch; never a silent default."""

    fingerprint = "lexical:1"
    contrast = (0.0, 0.15)
    # Train split: good replies 0.07 at their 5th percentile, 0.18 at their 25th; replies to somebody else 0.00 at their
    # 75th percentile, 0.09 at their 95th.

    def similarity(self, a: str, b: str) -> float:
        left, right = Counter(content_stems(a)), Counter(content_stems(b))
        weight = {s: log(1 + len(s)) for s in left | right}
        dot = sum(left[s] * right[s] * weight[s] ** 2 for s in left.keys() & right.keys())
        norm = sqrt(sum((left[s] * weight[s]) ** 2 for s in left)) * sqrt(sum((right[s] * weight[s]) ** 2 for s in right))
        return dot / norm if norm else 0.0

    def similarities(self, texts: tuple[str, ...], others: Sequence[str]) -> list[list[float]]:
        return [[self.similarity(text, other) for other in others] for text in texts]
