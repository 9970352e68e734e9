"""The attack table: for each scenario, replies that must earn clearly less than its good reply.

Written attacks come from a replies file; the mechanical ones are made here from the opening and the good reply.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

from emorl.dialogue import Dialogue, Turn
from emorl.records import read_jsonl
from emorl.rewards import emotion_trajectory
from emorl.scenario import Scenario
from emorl.users.base import Reply, User
from emorl.users.text import FUNCTION_WORDS, sentences, words

ROOT = Path(__file__).parent.parent
FILES = {
    "train": (ROOT / "emorl/scenarios/data/train.jsonl", ROOT / "emorl/scenarios/data/replies_train.jsonl"),
    "dev": (ROOT / "emorl/scenarios/data/dev.jsonl", ROOT / "tests/data/replies_dev.jsonl"),
}
MARGIN = 0.1
PASTED = (
    "I'm so sorry you're going through this. Your feelings are valid, and I'm here for you. Be gentle with yourself.",
    "That sounds really difficult. Thank you for telling me. What would help you most right now?",
    "It makes complete sense that you feel this way after what happened. What part of it weighs on you most?",
)
ESSAY = (
    "The Roman road network was built with layers of gravel and stone. Engineers surveyed straight lines with a tool called the "
    "groma. Milestones told travellers how far they had come. Many of these roads are still in use, and some of them lie under "
    "modern motorways. Historians have mapped more than eighty thousand kilometres of them."
)
CALM = "Calm down. There is no reason to be so upset about this. Take a breath and be reasonable."
CHEER = "Cheer up! Look on the bright side, every cloud has a silver lining! Tomorrow will be a wonderful day!"
WORDY = "There are many sides to a situation like this one, and each of them deserves to be looked at with patience and care. "


@dataclass(frozen=True)
class Case:
    """One scenario with its good replies and its attacks by name."""

    scenario: Scenario
    good: tuple[str, ...]
    fair: tuple[str, ...]
    attacks: dict[str, str]


def cases(split: str) -> list[Case]:
    """Every scenario of the split with all its attacks."""
    scenario_file, replies_file = FILES[split]
    rows = {row["id"]: row for row in map(json.loads, replies_file.read_text(encoding="utf-8").splitlines())}
    scenarios = list(read_jsonl(Scenario, scenario_file))
    out = []
    for i, s in enumerate(scenarios):
        other = rows[scenarios[(i + 7) % len(scenarios)].id]["good"][0]
        same = [r for r in scenarios if r.emotion == s.emotion and r.id != s.id]
        row = rows[s.id]
        attacks = {f"{kind} {n}": reply for kind, replies in row["bad"].items() for n, reply in enumerate(replies, 1)}
        attacks |= mechanical(s, row["good"][0], other) | {"of the same feeling": rows[same[0].id]["good"][0]}
        out.append(Case(s, tuple(row["good"]), tuple(row["fair"]), attacks))
    return out


def mechanical(scenario: Scenario, good: str, other: str) -> dict[str, str]:
    """Attacks that need no writer."""
    rng = random.Random(scenario.id)
    content = [w for w in words(scenario.opening) if w not in FUNCTION_WORDS]
    rng.shuffle(content)
    first = sentences(good)[0]
    tokens = good.split()
    return {
        **{f"pasted {n}": reply for n, reply in enumerate(PASTED, 1)},
        "keyword salad": " ".join([*content[:15], "sad", "hurt", "understand", "feel"]).capitalize() + ".",
        "echo": scenario.opening,
        "essay": ESSAY,
        "generic calm down": CALM,
        "generic cheer": CHEER,
        "empty": "",
        "repeated": " ".join([first] * 6),
        "1,000 words": (first + " " + WORDY * 48)[:6500].rsplit(". ", 1)[0] + ".",
        "another's good reply": other,
        "cut off": " ".join(tokens[: max(4, int(len(tokens) * 0.75))]).rstrip(".,;:?!"),
    }


def score(user: User, scenario: Scenario, replies: list[str]) -> list[float]:
    """Single-turn `EmotionTrajectory` of each reply."""
    states = user.reset([scenario] * len(replies), [0] * len(replies))
    out = []
    for reply, r in zip(replies, user.react(states, [Reply(text) for text in replies]), strict=True):
        turn = Turn(reply=reply, emotion=r.emotion, change=r.change, components=r.components)
        value = emotion_trajectory.score(Dialogue(scenario, (turn,), 1, "turn_limit"))
        assert value is not None
        out.append(value)
    return out
