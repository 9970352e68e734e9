"""How well the listener judges what it was never trained on: 41 openings left out for this alone.

    python benchmarks/listener.py                                   # the packaged delta
    python benchmarks/listener.py runs/a.safetensors runs/b.safetensors

Samples: the share of pairs of a small policy's replies to the same opening that *sense* ranks as a blind reader's grades do,
equal grades a half; of all pairs, and of the half and the quarter that it separates most. Near misses: how often it puts one of
five good replies above a bad one made from them, in four ways or (16 more openings) in fifteen.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, product
from math import log
from pathlib import Path
from statistics import mean
from typing import Any

from emorl.users.listener import DELTA, Listener, heard

DATA = Path(__file__).parent.parent / "recipes" / "listener_data"


def rows(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what is heard, row) of each line."""
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield heard(row["emotion"], row["opening"]), row


def logit(listener: Listener, said: str, reply: str) -> float:
    sense = min(max(listener.judge(said, reply).sense, 1e-6), 1 - 1e-6)
    return log(sense / (1 - sense))


def samples(listener: Listener) -> list[float]:
    """Shares of pairs ranked rightly: of all, of the half and of the quarter that are furthest apart."""
    groups = defaultdict(list)
    for said, row in rows("left_out_graded.jsonl"):
        groups[said].append((logit(listener, said, row["reply"]), row["grade"]))
    pairs = []
    for group in groups.values():
        for (a, grade), (b, other) in combinations(group, 2):
            pairs.append((abs(a - b), 0.5 if grade == other else float((a > b) == (grade > other))))
    pairs.sort(reverse=True)
    return [mean(right for _, right in pairs[: len(pairs) // share]) for share in (1, 2, 4)]


def near_misses(listener: Listener, name: str) -> float:
    """Share of (good, bad) pairs of the same opening ranked rightly."""
    right = []
    for said, row in rows(name):
        bad = [reply for some in row["bad"].values() for reply in some]
        right += [logit(listener, said, a) > logit(listener, said, b) for a, b in product(row["good"], bad)]
    return mean(right)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("deltas", type=Path, nargs="*", default=[DELTA])
print("delta                           pairs   half   quarter   near misses: four ways   fifteen")
for delta in parser.parse_args().deltas:
    judge = Listener(delta=delta)
    every, half, quarter = samples(judge)
    four, fifteen = (near_misses(judge, f"left_out_{name}.jsonl") for name in ("situations", "kinds"))
    print(f"{delta.name:30} {every:6.1%} {half:6.1%} {quarter:9.1%} {four:24.1%} {fifteen:9.1%}")
