"""Mechanical spoilings of a good reply, and stock phrases: what a reply must be told apart from, without a writer."""

from __future__ import annotations

import random
import re

from emorl.users.text import FUNCTION_WORDS, sentences, words

SWAPS = (
    ("brother", "sister"), ("mother", "father"), ("mum", "dad"), ("mom", "dad"), ("son", "daughter"), ("husband", "wife"),
    ("he", "she"), ("him", "her"), ("his", "her"), ("aunt", "uncle"), ("grandmother", "grandfather"), ("boss", "customer"),
    ("manager", "client"), ("teacher", "student"), ("neighbour", "cousin"), ("friend", "boss"), ("first", "last"),
    ("you", "they"),
    ("your", "their"), ("won", "lost"), ("never", "always"), ("before", "after"), ("doctor", "lawyer"), ("dog", "cat"),
)  # fmt: skip
STOCK = (
    "I'm so happy for you and proud of you.",
    "I'm so sorry for your loss.",
    "Remember, everything happens for a reason.",
    "You are not alone, and I am here for you always.",
    "It's important to take care of yourself.",
    "What a wonderful thing to hear!",
    "I hope you have a great day.",
    "I'm glad you had such a good time.",
)
GENERIC = (
    "I'm so sorry to hear that. It must be very hard for you, and I want you to know that I'm here.",
    "Thank you for trusting me with this. How are you feeling about it now?",
    "What you feel is completely understandable. Would you like to tell me more?",
    "That must have been a lot to take in. I can see why it stays with you.",
    "It sounds like this matters a great deal to you. What would you need most today?",
    "I hear you. Anyone in your place would feel the same way.",
    "Oh, that is a lot. Be kind to yourself today, and take all the time you need.",
    "You've been through something big. What has been the hardest part of it for you?",
    "I can only imagine how that feels. I'm glad you told me about it.",
    "That's really something! How did it make you feel when it happened?",
)
"""Kind, and meant for anybody."""


def recombined(reply: str, said: str, rng: random.Random) -> str:
    """About half of the reply's content words replaced by the user's own, at random."""
    pool = [w for w in words(said) if w not in FUNCTION_WORDS and len(w) > 3]
    return re.sub(
        r"[A-Za-z']{4,}", lambda m: rng.choice(pool) if m[0].lower() not in FUNCTION_WORDS and rng.random() < 0.5 else m[0], reply
    )


def shuffled(reply: str, rng: random.Random) -> str:
    """The words of each sentence in random order, two by two."""
    out = []
    for sentence in sentences(reply):
        tokens = sentence.rstrip(".!?").split()
        pairs = [tokens[i : i + 2] for i in range(0, len(tokens), 2)]
        rng.shuffle(pairs)
        out.append(" ".join(t for pair in pairs for t in pair) + ".")
    return " ".join(out)


def swapped(reply: str, rng: random.Random) -> str:
    """People or facts exchanged; empty where the reply has none to exchange."""
    table = dict(SWAPS) | {b: a for a, b in SWAPS}
    hits = [w for w in words(reply) if w in table and w not in ("you", "your", "they", "their")]
    if not hits:
        return ""
    chosen = rng.choice(hits)
    return re.sub(rf"\b{chosen}\b", table[chosen], reply, flags=re.IGNORECASE)


def grafted(reply: str, other: str, rng: random.Random) -> str:
    """The first sentence of a good reply, then one that belongs to somebody else's story."""
    return f"{sentences(reply)[0]} {rng.choice(sentences(other))}"


def salad(said: str, rng: random.Random) -> str:
    """The user's content words in random order."""
    pool = [w for w in words(said) if w not in FUNCTION_WORDS]
    rng.shuffle(pool)
    return " ".join(pool[:20]).capitalize() + "."
