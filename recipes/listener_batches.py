"""How the listener's examples are put in batches."""

from __future__ import annotations

import random
from collections.abc import Iterator

from listener_corpus import PLAIN, Example

GOOD = 5
"""Good replies in each batch."""


def batches(examples: list[Example], size: int, rng: random.Random, share: float = 1.0) -> list[list[Example]]:
    """Batches of replies to the same words, in random order: a `share` of the `written` ones, all `sampled` ones."""
    by_words: dict[str, list[Example]] = {}
    for example in examples:
        by_words.setdefault(example.said, []).append(example)
    every = [batch for members in by_words.values() for batch in written(members, size, rng)]
    out = rng.sample(every, round(share * len(every)))
    out += [batch for members in by_words.values() for batch in sampled(members, size, rng)]
    rng.shuffle(out)
    return out


def written(members: list[Example], size: int, rng: random.Random) -> Iterator[list[Example]]:
    """Bad and fair replies, of about one length for the sake of padding, each batch with `GOOD` good ones to compare with."""
    members = [e for e in members if not e.sampled]
    good = [e for e in members if e.grade >= PLAIN]
    rest = [e for e in members if e.grade < PLAIN]
    rest.sort(key=lambda e: len(e.reply) * rng.uniform(0.7, 1.4))
    rng.shuffle(good)
    count = round(len(rest) / (size - GOOD)) or bool(rest or good)
    for i in range(count):
        best = [good[(GOOD * i + j) % len(good)] for j in range(min(GOOD, len(good)))]
        yield rest[i * len(rest) // count : (i + 1) * len(rest) // count] + best


def sampled(members: list[Example], size: int, rng: random.Random) -> Iterator[list[Example]]:
    """A policy's graded samples by themselves: beside written replies, what sets them apart from each other is drowned."""
    some = [e for e in members if e.sampled]
    rng.shuffle(some)
    count = round(len(some) / size) or bool(some)
    yield from (some[i::count] for i in range(count))
