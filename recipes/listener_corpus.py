"""The listener's training examples: the written replies of the train split, and mechanical spoilings of the good ones."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from listener_spoilings import GENERIC, STOCK, grafted, recombined, salad, shuffled, swapped

from emorl.records import read_jsonl
from emorl.scenario import Scenario
from emorl.users.listener import heard
from emorl.users.text import sentences

DATA = Path(__file__).parent.parent / "emorl" / "scenarios" / "data"
EXTRA = Path(__file__).parent / "listener_data"
PLAIN, FAIR = 0.95, 0.55
KIND_OF = {"stock_parrot": "stock", "para_echo": "echo"}
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
    sampled: bool = False
    """A small policy's own reply, or one made from it, graded by a reader."""
    off: tuple[tuple[int, int], ...] | None = None
    """Stretches [start, end) of the reply that do not fit; `None` where nobody said which."""


def written(scenarios: dict[str, Scenario]) -> Iterator[Example]:
    """The replies as written, by scenario."""
    for row in _rows(DATA / "replies_train.jsonl"):
        if scenario := scenarios.get(row["id"]):
            yield from graded(heard(scenario.emotion, scenario.opening), row)


def graded(said: str, row: dict[str, Any]) -> Iterator[Example]:
    """Examples of one row of replies: `good`, `plain`, `fair` and `bad` by kind."""
    yield from (Example(said, reply, 1.0, "fine") for reply in row["good"])
    yield from (Example(said, reply, PLAIN, "fine") for reply in row.get("plain", ()))
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
    for said, row in _to_openings("graded_*.jsonl", scenarios):
        yield Example(said, row["reply"], row["grade"], "", sampled=True)


def edited(scenarios: dict[str, Scenario]) -> Iterator[Example]:
    """Samples with as few words changed as could be, for the better and for the worse: what sets a reply that makes sense
    apart from one that sounds like it, and where (contrast sets: Gardner et al. 2020, arXiv 2004.02709)."""
    for said, row in _to_openings("edited_*.jsonl", scenarios):
        reply, better, worse = row["reply"], row["better"], row["worse"]
        marked = ((reply, changed(reply, better)), (better, ()), (worse, changed(worse, better)))
        for (text, off), grade in zip(marked, row["grades"], strict=True):
            yield Example(said, text, grade, "", sampled=True, off=off)


def changed(text: str, other: str) -> tuple[tuple[int, int], ...]:
    """Stretches [start, end) of `text` whose words are not in `other` at that place."""
    mine = [(m.start(), m.end()) for m in re.finditer(r"\S+", text)]
    matcher = SequenceMatcher(None, text.split(), other.split(), autojunk=False)
    ops = [(i, j) for tag, i, j, _, _ in matcher.get_opcodes() if tag in ("replace", "delete")]
    return tuple((mine[i][0], mine[j - 1][1]) for i, j in ops)


def _to_openings(pattern: str, scenarios: dict[str, Scenario]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what is heard, row) of each row of these files whose scenario, where it names one, is among `scenarios`."""
    for path in sorted(EXTRA.glob(pattern)):
        for row in _rows(path):
            if scenario := scenarios.get(row.get("id", "")):
                row |= {"emotion": scenario.emotion, "opening": scenario.opening}
            if "opening" in row:
                yield heard(row["emotion"], row["opening"]), row


def situations() -> Iterator[Example]:
    """Further situations written for the listener alone: an emotion, an opening, and its replies."""
    for path in sorted(EXTRA.glob("situations_*.jsonl")):
        for row in _rows(path):
            yield from graded(heard(row["emotion"], row["opening"]), row)


def for_anybody(examples: list[Example], rng: random.Random) -> Iterator[Example]:
    """Two replies that fit everyone, for every set of words said."""
    for said in dict.fromkeys(example.said for example in examples):
        yield from (Example(said, reply, MEANT_FOR_ANYBODY, "stock") for reply in rng.sample(GENERIC, 2))


def spoiled(examples: list[Example], rng: random.Random, each: int = 4) -> Iterator[Example]:
    """Mechanical spoilings of good replies, `each` for every set of words said."""
    good: dict[str, list[str]] = {}
    for example in examples:
        if example.grade >= PLAIN:
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


def corpus(seed: int, without: slice = slice(0, 0)) -> list[Example]:
    """All examples but those of the scenarios in `without` (to measure on them); the same for the same seed."""
    everyone = list(read_jsonl(Scenario, DATA / "train.jsonl"))
    left_out = {s.id for s in everyone[without]}
    scenarios = {s.id: s for s in everyone if s.id not in left_out}
    base = [*written(scenarios), *second_turns(scenarios), *situations()]
    rng = random.Random(seed)
    return [*base, *samples(scenarios), *edited(scenarios), *for_anybody(base, rng), *spoiled(base, rng)]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8") as lines:
        yield from (json.loads(line) for line in lines)
