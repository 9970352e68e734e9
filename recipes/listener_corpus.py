"""The listener's training examples: the written replies of the train split, and mechanical spoilings of the good ones."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emorl.records import read_jsonl
from emorl.scenario import Scenario
from emorl.users.listener import heard
from emorl.users.text import FUNCTION_WORDS, sentences, words

DATA = Path(__file__).parent.parent / "emorl" / "scenarios" / "data"
EXTRA = Path(__file__).parent / "listener_data"
FAIR = 0.55
KIND_OF = {"stock_parrot": "stock", "para_echo": "echo"}
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
MEANT_FOR_ANYBODY = 0.25


@dataclass(frozen=True)
class Example:
    """One reply to some words, graded by its writer."""

    said: str
    """What the listener hears first (`emorl.users.listener.heard`)."""
    reply: str
    grade: float
    """1 good, 0 bad."""
    kind: str
    """One of `KINDS`, or "" where only the grade is known."""


def written(scenarios: dict[str, Scenario]) -> Iterator[Example]:
    """The replies as written, by scenario."""
    for row in _rows(DATA / "replies_train.jsonl"):
        if scenario := scenarios.get(row["id"]):
            yield from graded(heard(scenario.emotion, scenario.opening), row)


def graded(said: str, row: dict[str, Any]) -> Iterator[Example]:
    """Examples of one row of replies: `good`, `fair` and `bad` by kind."""
    yield from (Example(said, reply, 1.0, "fine") for reply in row["good"])
    yield from (Example(said, reply, FAIR, "fine") for reply in row.get("fair", ()))
    for kind, replies in row.get("bad", {}).items():
        yield from (Example(said, reply, 0.0, KIND_OF.get(kind, kind)) for reply in replies)


def second_turns(scenarios: dict[str, Scenario]) -> Iterator[Example]:
    """Replies to a disclosure, heard after the opening as the user does."""
    for path in sorted(EXTRA.glob("second_turns*.jsonl")):
        for row in _rows(path):
            if scenario := scenarios.get(row["id"]):
                latest = scenario.disclosures[row["disclosure"]].text
                yield from graded(heard(scenario.emotion, f"{scenario.opening} {latest}"), row)


def samples(scenarios: dict[str, Scenario]) -> Iterator[Example]:
    """Replies of a small policy to train scenarios and to further situations, graded by blind readers on a 0-1 scale."""
    for path in sorted(EXTRA.glob("graded_*.jsonl")):
        for row in _rows(path):
            if scenario := scenarios.get(row.get("id", "")):
                row |= {"emotion": scenario.emotion, "opening": scenario.opening}
            if "opening" in row:
                yield Example(heard(row["emotion"], row["opening"]), row["reply"], row["grade"], "")


def situations() -> Iterator[Example]:
    """Further situations written for the listener alone: an emotion, an opening, and its replies."""
    for path in sorted(EXTRA.glob("situations_*.jsonl")):
        for row in _rows(path):
            yield from graded(heard(row["emotion"], row["opening"]), row)


def for_anybody(examples: list[Example], rng: random.Random) -> Iterator[Example]:
    """Two replies that fit everyone, for every set of words said."""
    for said in dict.fromkeys(example.said for example in examples):
        yield from (Example(said, reply, MEANT_FOR_ANYBODY, "stock") for reply in rng.sample(GENERIC, 2))


def spoiled(examples: list[Example], rng: random.Random, each: int = 7) -> Iterator[Example]:
    """Mechanical spoilings of good replies, `each` for every set of words said."""
    good: dict[str, list[str]] = {}
    for example in examples:
        if example.grade == 1.0:
            good.setdefault(example.said, []).append(example.reply)
    for said, replies in good.items():
        others = [r for s, rs in good.items() if s != said for r in rs]
        near = [r for s, rs in good.items() if s != said and s.split(":")[0] == said.split(":")[0] for r in rs]
        spoilings = [
            (rng.choice(near or others), "elsewhere"),
            (rng.choice(others), "elsewhere"),
            (recombined(rng.choice(replies), said, rng), "nonsense"),
            (shuffled(rng.choice(replies), rng), "nonsense"),
            (swapped(rng.choice(replies), rng), "wrong_person"),
            (grafted(rng.choice(replies), rng.choice(others), rng), "elsewhere"),
            (salad(said, rng), "nonsense"),
            (sentences(rng.choice(replies))[0] + " " + rng.choice(STOCK), ""),
            (rng.choice(STOCK) + " " + rng.choice(STOCK), "stock"),
        ]
        for reply, kind in rng.sample(spoilings, each):
            if reply and reply not in replies:
                yield Example(said, reply, 0.4 if not kind else 0.0, kind)


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


def corpus(seed: int, without: slice = slice(0, 0)) -> list[Example]:
    """All examples but those of the scenarios in `without` (to measure on them); the same for the same seed."""
    everyone = list(read_jsonl(Scenario, DATA / "train.jsonl"))
    left_out = {s.id for s in everyone[without]}
    scenarios = {s.id: s for s in everyone if s.id not in left_out}
    base = [*written(scenarios), *second_turns(scenarios), *situations()]
    rng = random.Random(seed)
    return [*base, *samples(scenarios), *for_anybody(base, rng), *spoiled(base, rng)]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)
