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
    """How near short texts are in meaning."""

    contrast: tuple[float, float]
    """Contrast between a user's own particulars and the decoys at which nothing, and enough, was understood."""

    @property
    def fingerprint(self) -> str:
        """Name and hash of what computes the similarity."""
        ...

    def similarities(self, text: str, parts: tuple[str, ...], others: Sequence[str]) -> list[list[float]]:
        """Cosines in [-1, 1] with each of `others`: a row for `text`, then one for each of its `parts` (pieces of it, in
        order), read in the light of the whole. A pure function of the texts."""
        ...


def file_hash(path: Path) -> str:
    """First 12 hex digits of the file's SHA-256."""
    digest = hashlib.sha256()
    with open(path, "rb") as data:
        for block in iter(lambda: data.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()[:12]


class MiniLMEncoder:
    """all-MiniLM-L6-v2 (Apache-2.0): mean pooling, unit length. Each text runs alone, so that a score never depends on
    what else was in the batch; a bounded memo keeps repeated texts cheap."""

    contrast = (0.10, 0.28)
    # Train split: good replies 0.16 at their 1st percentile, 0.34 at their 25th; replies to somebody else 0.18 at their
    # 75th percentile, 0.25 at their 95th.

    def __init__(self, path: str | None = None) -> None:
        from transformers import AutoModel, AutoTokenizer

        self.path = path or embedded.minilm()
        self.tokenizer: Any = AutoTokenizer.from_pretrained(self.path)
        self.model: Any = AutoModel.from_pretrained(self.path, attn_implementation="sdpa").eval()
        weights = Path(self.path) / "model.safetensors"
        self._fingerprint = f"minilm:{file_hash(weights)}" if weights.exists() else f"minilm:{self.path}"
        self._vectors = lru_cache(maxsize=20_000)(self._embed)

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    def _embed(self, text: str, parts: tuple[str, ...] = ()) -> Any:
        """Float[1 + parts, hidden]: means over the tokens of the whole and of each part, from one pass over the whole (late
        chunking: Günther et al. 2024, arXiv 2409.04701). A part beyond the 128th token has no row."""
        import torch

        read = self.tokenizer(text, truncation=True, max_length=128, return_offsets_mapping=True)
        with torch.inference_mode():
            hidden = layers(self.model, self.model.embeddings(input_ids=torch.tensor([read["input_ids"]])))[-1][0]
            means, end = [hidden.mean(0)], 0
            for part in parts:
                start = text.index(part, end)
                end = start + len(part)
                inside = [n for n, (first, last) in enumerate(read["offset_mapping"]) if start <= first < last <= end]
                means += [hidden[inside].mean(0)] if inside else []
            return torch.nn.functional.normalize(torch.stack(means), dim=-1)

    def similarities(self, text: str, parts: tuple[str, ...], others: Sequence[str]) -> list[list[float]]:
        import torch

        theirs = torch.cat([self._vectors(other) for other in others])
        found: list[list[float]] = (self._vectors(text, parts) @ theirs.T).tolist()
        return found


class LexicalEncoder:
    """Pure Python: cosine of stemmed content words, rarer-looking (longer) ones weighing more. No meaning beyond the
    words: "took your job" and "dismissed you" are strangers to it. For machines without torch; never a silent default."""

    fingerprint = "lexical:1"
    contrast = (0.0, 0.15)
    # Train split: good replies 0.07 at their 5th percentile, 0.18 at their 25th; replies to somebody else 0.00 at their
    # 75th percentile, 0.09 at their 95th.

    def similarities(self, text: str, parts: tuple[str, ...], others: Sequence[str]) -> list[list[float]]:
        return [[_cosine(piece, other) for other in others] for piece in (text, *parts)]


def _cosine(a: str, b: str) -> float:
    left, right = Counter(content_stems(a)), Counter(content_stems(b))
    weight = {s: log(1 + len(s)) for s in left | right}
    dot = sum(left[s] * right[s] * weight[s] ** 2 for s in left.keys() & right.keys())
    norm = sqrt(sum((left[s] * weight[s]) ** 2 for s in left)) * sqrt(sum((right[s] * weight[s]) ** 2 for s in right))
    return dot / norm if norm else 0.0
