"""The signal check: does the user's reward tell a policy's samples apart, and as a reader would?

    python benchmarks/samples.py --model runs/start --n 8 --out samples.jsonl
    python benchmarks/signal_check.py check samples.jsonl --out readings/mine      # spread, best-of-n, 60 pairs to read blind
    python benchmarks/signal_check.py compare before.jsonl after.jsonl --out mine   # two pairs to each scenario
    python benchmarks/signal_check.py agree readings/mine_key.jsonl a.jsonl b.jsonl

A reader gets the `_pairs` file alone (opening, A, B) and writes a line `{"n": 0, "better": "A"}` for each pair; the `_key` file
says which of the two the reward prefers, or which came after.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from emorl.dialogue import Dialogue, Turn
from emorl.rewards import emotion_trajectory
from emorl.scenarios import load
from emorl.users.appraisal_user import AppraisalUser
from emorl.users.base import Reply

APART, PAIRS, A_SCENARIO = 0.15, 60, 3
"""A pair's least difference in reward; how many pairs; the most of one scenario, unless there are too few."""
SCENARIOS = {s.id: s for split in ("train", "dev", "heldout") for s in load(split)}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def grouped(path: Path) -> dict[str, list[str]]:
    """Scenario id -> replies."""
    groups: dict[str, list[str]] = {}
    for row in lines(path):
        groups.setdefault(row["id"], []).append(row["reply"])
    return groups


def scores(user: AppraisalUser, scenario_id: str, texts: list[str]) -> list[float]:
    """Single-turn `emotion_trajectory` of each reply."""
    scenario = SCENARIOS[scenario_id]
    reactions = user.react(user.reset([scenario] * len(texts), [0] * len(texts)), [Reply(text) for text in texts])
    turns = [Turn(text, r.emotion, r.change, components=r.components) for text, r in zip(texts, reactions, strict=True)]
    return [emotion_trajectory.score(Dialogue(scenario, (turn,), 1, "turn_limit")) or 0.0 for turn in turns]


def write(out: str, pairs: list[tuple[str, str, str]], rng: random.Random) -> None:
    """Pairs of (scenario id, better, worse) in random order and on random sides, and their key."""
    rng.shuffle(pairs)
    files: dict[str, list[dict[str, Any]]] = {"pairs": [], "key": []}
    for n, (scenario_id, better, worse) in enumerate(pairs):
        first = rng.random() < 0.5
        a, b = (better, worse) if first else (worse, better)
        files["pairs"].append({"n": n, "opening": SCENARIOS[scenario_id].opening, "A": a, "B": b})
        files["key"].append({"n": n, "better": "A" if first else "B"})
    for name, rows in files.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        Path(f"{out}_{name}.jsonl").write_text(text, encoding="utf-8")
    print(f"{len(pairs)} pairs in {out}_pairs.jsonl")


def check(samples: Path, out: str) -> None:
    """Print spread and best-of-n, and write pairs that the reward separates."""
    user, rng = AppraisalUser(), random.Random(4)
    groups = grouped(samples)
    scored = {i: scores(user, i, texts) for i, texts in groups.items()}
    spread = [stdev(values) for values in scored.values()]
    best = [max(values) - mean(values) for values in scored.values()]
    print(f"{user.fingerprint}\nmean reward {mean(map(mean, scored.values())):.3f}")
    print(f"spread in a group {mean(spread):.3f}; at least 0.05 in {sum(s >= 0.05 for s in spread)} of {len(spread)}")
    print(f"best above the mean {mean(best):.3f}; at least 0.1 in {sum(b >= 0.1 for b in best)} of {len(best)}")
    chosen: list[tuple[str, str, str]] = []
    rest: list[tuple[str, str, str]] = []
    for i, values in scored.items():
        apart = [(i, groups[i][x], groups[i][y]) for x, v in enumerate(values) for y, w in enumerate(values) if v - w >= APART]
        rng.shuffle(apart)
        chosen += apart[:A_SCENARIO]
        rest += apart[A_SCENARIO:]
    rng.shuffle(rest)
    write(out, (chosen + rest)[:PAIRS], rng)


def compare(before: Path, after: Path, out: str) -> None:
    """Two pairs to each scenario; the key names the reply that came after."""
    old, new = grouped(before), grouped(after)
    write(out, [(i, new[i][k], old[i][k]) for i in old for k in (0, 1)], random.Random(9))


def agree(key: Path, readings: list[Path]) -> None:
    """Print how often each reader chose as the key says, and how often the readers agree."""
    right = {row["n"]: row["better"] for row in lines(key)}
    chosen = [{row["n"]: row["better"] for row in lines(path)} for path in readings]
    for path, reader in zip(readings, chosen, strict=True):
        print(f"{path}: {sum(reader[n] == right[n] for n in right)} of {len(right)}")
    same = [n for n in right if len({reader[n] for reader in chosen}) == 1]
    print(f"agree with each other on {len(same)}, and with the key on {sum(chosen[0][n] == right[n] for n in same)} of these")


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", choices=("check", "compare", "agree"))
parser.add_argument("files", type=Path, nargs="+")
parser.add_argument("--out", default="signal")

if __name__ == "__main__":
    options = parser.parse_args()
    if options.what == "check":
        check(options.files[0], options.out)
    elif options.what == "compare":
        compare(options.files[0], options.files[1], options.out)
    else:
        agree(options.files[0], options.files[1:])
