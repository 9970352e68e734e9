"""RLVER's and SAGE's published profiles as scenarios: people without an apt path, for an LLM user and rewards that need none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from emorl.records import RecordError, loads, text_lines
from emorl.scenario import NEUTRAL, Difficulty, Intention, Persona, Scenario, Voice
from emorl.scenarios import ScenarioSet

FIRST_WORDS = "你好，我最近有些事，想找人聊聊。"
"""The opening of profiles that have none ("Hello, something has been on my mind, and I'd like to talk to somebody")."""
_NAME, _AGE = re.compile(r"(?:姓名|名字|[Nn]ame)\W*[:：]\s*(\S+)"), re.compile(r"(?:年龄|[Aa]ge)\W*[:：]\s*(\d+)")
_INTENTIONS: tuple[tuple[str, Intention], ...] = (("分析", "see_clearly"), ("建议", "decide"))


def profiles(path: str | Path) -> ScenarioSet:
    """The scenarios of a profile file, JSON lines with `id`, `player` (persona), `scene` (story); `first_talk` (opening), `task`
    (what the person wants), `topic` and others may be missing.

    The profiles name neither a feeling nor an apt path: emotion "unstated", level 40, `apt_path` `None`; the hidden aim stands at
    the end of the situation. Raises `RecordError`, naming file, line and field.
    """
    found: dict[str, Scenario] = {}
    for where, line in text_lines(path):
        row = loads(line, where=where)
        scenario = _scenario(row, where)
        if scenario.id in found:
            raise RecordError("is given twice", where=where, field="id", remedy="Give every profile its own id.")
        found[scenario.id] = scenario
    if not found:
        raise RecordError("holds no profile", where=str(path), remedy="Put one JSON object on each line.")
    return ScenarioSet(list(found.values()))


def _scenario(row: Any, where: str) -> Scenario:
    text = {name: _text(row, name, where) for name in ("id", "player", "scene")}
    name, age = _NAME.search(text["player"]), _AGE.search(text["player"])
    task = str(row.get("task") or "")
    return Scenario(
        id=text["id"],
        emotion="unstated",
        level=NEUTRAL,
        life_area=str(row.get("topic") or "unstated"),
        situation=f"{text['scene']}\n\n{task}".strip(),
        opening=str(row.get("first_talk") or FIRST_WORDS),
        particulars=(),
        intention=next((intention for word, intention in _INTENTIONS if word in task), "be_heard"),
        helps=(),
        hurts=(),
        disclosures=(),
        voice=Voice((), (), (), (), (), ()),
        persona=Persona(name[1] if name else "unstated", min(110, max(5, int(age[1]))) if age else 30, text["player"]),
        difficulty=Difficulty(0.5, 0.5, 0.5),
        apt_path=None,
    )


def _text(row: Any, field: str, where: str) -> str:
    value = row.get(field) if isinstance(row, Mapping) else None
    if not isinstance(value, str) or not value.strip():
        raise RecordError("is missing or empty", where=where, field=field, remedy="Give a profile id, player and scene, as text.")
    return value
