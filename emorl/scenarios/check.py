"""Checks of a scenario file beyond what the records refuse: do the fields of each scenario agree with one another?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from emorl.records import RecordError, from_json, text_lines
from emorl.scenario import NEUTRAL, STATED, Scenario
from emorl.scenarios import opening_key

REACH = 25.0
"""Points of emotion that one reply can be asked to move, 0-100 scale."""
PLEASANT = frozenset({"joy"})
"""Emotions that start above neutral."""


class Finding(NamedTuple):
    """One thing to mend in a scenario file."""

    where: str
    """File and line."""
    field: str
    problem: str
    remedy: str


def check(path: str | Path) -> list[Finding]:
    """All findings of a JSON-lines file, in order; empty where it is fine. Lines that do not load are findings too.

    >>> from emorl.scenarios import DATA
    >>> check(DATA / "dev.jsonl")
    []
    """
    findings: list[Finding] = []
    seen: dict[tuple[str, str], str] = {}
    for where, line in text_lines(path):
        try:
            scenario = from_json(Scenario, line, where=where)
        except RecordError as err:
            findings.append(Finding(where, err.field, err.problem, err.remedy))
            continue
        for key in (("id", scenario.id), ("opening", opening_key(scenario))):
            if key in seen:
                findings.append(Finding(where, key[0], f"repeats that of {seen[key]}", f"Give every scenario its own {key[0]}."))
            seen.setdefault(key, where)
        findings += [Finding(where, *rest) for rest in disagreements(scenario)]
    if not findings and not seen:
        findings.append(Finding(str(path), "", "holds no scenario", "Put one JSON object on each line."))
    return findings


def disagreements(scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    """(field, problem, remedy) of each thing in one scenario that does not fit the rest of it."""
    yield from _empty(scenario)
    yield from _level(scenario)
    yield from _path(scenario)
    for i, particular in enumerate(scenario.particulars):
        if particular and not _words(particular) & _words(scenario.opening):
            problem = f"{particular!r} shares no word with the opening"
            yield f"particulars[{i}]", problem, "Name details that the opening tells; later ones belong to a disclosure."


def _empty(scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    lists = {name: getattr(scenario, name) for name in ("particulars", "helps", "hurts", "disclosures")}
    lists |= {f"voice.{f.name}": getattr(scenario.voice, f.name) for f in fields(scenario.voice)}
    lists |= {f"disclosures[{i}].particulars": d.particulars for i, d in enumerate(scenario.disclosures)}
    for field, items in lists.items():
        if not items:
            yield field, "is empty", "Give at least one entry."
        elif any(isinstance(item, str) and not item.strip() for item in items):
            yield field, "has a blank entry", "Write it or take it out."
    texts = {"situation": scenario.situation, "life_area": scenario.life_area, "persona.name": scenario.persona.name}
    texts |= {"persona.register": scenario.persona.register}
    texts |= {f"disclosures[{i}].text": d.text for i, d in enumerate(scenario.disclosures)}
    for field, text in texts.items():
        if not text.strip():
            yield field, "is empty", "Write it."


def _level(scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    pleasant = scenario.emotion in PLEASANT
    if scenario.emotion in STATED and (scenario.level > NEUTRAL) != pleasant:
        side = "above" if pleasant else "below"
        yield "level", f"is {scenario.level:g}, but {scenario.emotion} lies {side} neutral", f"Give a level {side} {NEUTRAL:g}."


def _path(scenario: Scenario) -> Iterator[tuple[str, str, str]]:
    """Every band must be within reach of the start and of the band before it."""
    before = (scenario.level, scenario.level)
    for i, (lo, hi) in enumerate(scenario.apt_path or ()):
        gap = max(lo - before[1], before[0] - hi, 0.0)
        if gap > REACH:
            came = f"the level {scenario.level:g}" if i == 0 else f"the band before it, {before}"
            remedy = f"Bring it within {REACH:g} points, what one good reply can move."
            yield f"apt_path[{i}]", f"({lo:g}, {hi:g}) lies {gap:g} points from {came}", remedy
        before = (lo, hi)


def _words(text: str) -> set[str]:
    """Words of three letters and more by their first four, so that forms of a word meet."""
    return {w[:4] for w in re.findall(r"\w{3,}", text.casefold())}
