"""What can be counted in a reply's wording: the listener's head sees it beside what its encoder makes of the reply.

A reply that makes no sense mentions the right things as often as one that does; what gives it away is how its words follow
each other, and that it does not say what the person feels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, pairwise
from math import log
from typing import get_args

from emorl.scenario import Emotion
from emorl.scenarios import replies
from emorl.users.signals import acts
from emorl.users.text import copied_share, sentences, stem, words

COUNTS = 7
"""How many numbers `counts` gives."""

PRIOR = 5.0
"""Occurrences of a word that the prior is worth."""


def counts(said: str, reply: str) -> tuple[float, ...]:
    """`COUNTS` numbers of about unit size: association of neighbouring words (mean, lowest), whether the feeling is named,
    share of copied bigrams, length, sentences, whether it asks. `said` comes from `emorl.users.listener.heard`."""
    emotion, _, told = said.partition(": ")
    near = association(reply)
    done = {act for known in get_args(Emotion) if known == emotion.replace(" ", "_") for act in acts(known, reply)}
    return (
        sum(near) / len(near),
        min(near) / 3,
        float("name" in done),
        5 * copied_share(reply, told),
        log(1 + len(words(reply))) - 3,
        len(sentences(reply)) / 3,
        float("ask" in done),
    )


def association(reply: str) -> tuple[float, ...]:
    """Pointwise mutual information, in nats, of each stem and the one after it, ends included (Church & Hanks 1990): how much
    likelier the second is after the first than anywhere, in the train split's written replies; drawn to 0 where they say
    little."""
    single, double = _habits()
    total = single.total()
    return tuple(
        log((double[a, b] * total / (single[b] + 0.5) + PRIOR) / (single[a] + PRIOR)) for a, b in pairwise(_marked(reply))
    )


def _marked(text: str) -> Sequence[str]:
    return ["^", *map(stem, words(text)), "$"]


@lru_cache(maxsize=1)
def _habits() -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """How often each stem, and each two in a row, stand in the written replies."""
    texts = [_marked(text) for kind in ("good", "plain") for some in replies("train", kind).values() for text in some]
    return Counter(chain.from_iterable(texts)), Counter(chain.from_iterable(map(pairwise, texts)))
