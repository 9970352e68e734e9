"""Surface facts about a text: sentences, words, copying, repetition, ending. No model, no state."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[.!?…][\"'”’)])\s+|\n+")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_FINISHED = re.compile(r"[.!?…][\"'”’)\]]*\s*$")

FUNCTION_WORDS = frozenset(
    """
    a about after again all also am an and any are as at be because been before being both but by can could did do does
    doing don't down each even every few for from get go got had has have having he her here hers him his how i i'm i've
    if in into is isn't it it's its just let like me more most much my no nor not now of off on once one only or other
    our out over own really same she should so some still such than that that's the their them then there these they
    this those through to too under until up us very was wasn't we were what when where which while who whom why will
    with would yes you you're you've your yours
    """.split()
)


@lru_cache(maxsize=65536)
def words(text: str) -> tuple[str, ...]:
    """Lower-case words, apostrophes straightened."""
    return tuple(_WORD.findall(text.lower().replace("’", "'")))


@lru_cache(maxsize=65536)
def sentences(text: str) -> tuple[str, ...]:
    """Sentences in order; a cut-off last one is among them."""
    return tuple(part.strip() for part in _SENTENCE_END.split(text.strip()) if part and part.strip())


def finished(text: str) -> bool:
    """Whether the text ends where a sentence ends."""
    return bool(_FINISHED.search(text))


def finished_part(text: str) -> str:
    """The text up to its last complete sentence; empty where there is none."""
    if finished(text):
        return text
    parts = [s for s in sentences(text) if finished(s)]
    return " ".join(parts)


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """A crude stem: enough to match "borrowed" with "borrow" and "boxes" with "box"."""
    word = word.removesuffix("'s")
    for suffix in ("ingly", "edly", "ings", "ing", "ied", "ies", "ed", "es", "ly", "s"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            return word + "y" if suffix in ("ied", "ies") else word
    return word


def content_stems(text: str) -> tuple[str, ...]:
    """Stems of the words that carry content, in order."""
    return tuple(stem(w) for w in words(text) if w not in FUNCTION_WORDS and len(w) > 2)


def copied_share(reply: str, source: str) -> float:
    """Share of the reply's word bigrams that stand in `source`, in [0, 1]; 0 for replies under two words."""
    pairs = list(zip(words(reply), words(reply)[1:], strict=False))
    theirs = set(zip(words(source), words(source)[1:], strict=False))
    return sum(pair in theirs for pair in pairs) / len(pairs) if pairs else 0.0


def new_share(reply: str, source: str) -> float:
    """Share of the reply's content stems that `source` does not have, in [0, 1]; 0 for an empty reply."""
    mine, theirs = content_stems(reply), set(content_stems(source))
    return sum(s not in theirs for s in mine) / len(mine) if mine else 0.0


def repeated_share(text: str, n: int = 3) -> float:
    """Share of word n-grams that occurred before in the text, in [0, 1]."""
    tokens = words(text)
    grams = Counter(tokens[i : i + n] for i in range(len(tokens) - n + 1))
    total = sum(grams.values())
    return (total - len(grams)) / total if total else 0.0
