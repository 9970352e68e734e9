"""Records: exact JSON round trip, strict loading, and errors that say where, which field and what to do."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorl.dialogue import Component, Dialogue, Stop, Turn
from emorl.records import RecordError, from_dict, from_json, read_jsonl, to_dict, to_json
from emorl.scenario import Belief, Claim, Difficulty, Disclosure, Emotion, Intention, Persona, Scenario, Voice
from tests.scripted_user import make_scenario

TEXT = st.text(max_size=20)
SOME = st.text(min_size=1, max_size=20).filter(str.strip)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
UNIT = st.floats(0, 1)
LEVEL = st.floats(0, 100)
SEED = st.integers(-(2**70), 2**70)

CLAIMS = st.builds(
    Claim,
    question=TEXT,
    gold=st.lists(TEXT, min_size=1, max_size=2).map(tuple),
    wrong=st.lists(TEXT, min_size=1, max_size=2).map(tuple),
    statement=TEXT,
    belief=st.sampled_from(get_args(Belief)),
    source=TEXT,
)
SCENARIOS = st.builds(
    Scenario,
    id=SOME,
    emotion=st.sampled_from(get_args(Emotion)),
    level=LEVEL | st.integers(0, 100),
    life_area=TEXT,
    situation=TEXT,
    opening=SOME,
    particulars=TEXTS,
    intention=st.sampled_from(get_args(Intention)),
    helps=TEXTS,
    hurts=TEXTS,
    disclosures=st.lists(st.builds(Disclosure, TEXT, TEXTS), max_size=2).map(tuple),
    voice=st.builds(Voice, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS),
    persona=st.builds(Persona, TEXT, st.integers(5, 110), TEXT, st.dictionaries(TEXT, st.floats(0.5, 2.0), max_size=3)),
    difficulty=st.builds(Difficulty, UNIT, UNIT, UNIT),
    apt_path=st.none() | st.lists(st.tuples(st.floats(0, 40), st.floats(41, 100)), min_size=1, max_size=3).map(tuple),
    belief_attachment=UNIT,
    claims=st.lists(CLAIMS, max_size=1).map(tuple),
)
TURNS = st.builds(
    Turn,
    reply=TEXT,
    emotion=LEVEL,
    change=st.floats(allow_nan=False, allow_infinity=False),
    words=TEXT,
    think=TEXT,
    components=st.lists(st.builds(Component, TEXT, st.floats(-1, 1), TEXT), max_size=2).map(tuple),
    truncated=st.booleans(),
)


@st.composite
def dialogues(draw: st.DrawFn) -> Dialogue:
    turns = tuple(draw(st.lists(TURNS, max_size=3)))
    failed = not turns or draw(st.booleans())
    return Dialogue(
        scenario=draw(SCENARIOS),
        turns=turns,
        planned_turns=draw(st.integers(max(1, len(turns)), 5)),
        stop=draw(st.sampled_from(get_args(Stop))),
        status="failed" if failed else "scored",
        failure=draw(SOME) if failed else "",
        user=draw(TEXT),
        policy=draw(TEXT),
        step=draw(st.integers(0, 10**9)),
        seed=draw(SEED),
        sibling=draw(st.integers(0, 64)),
    )


@given(SCENARIOS | dialogues())
def test_round_trip_is_exact_and_one_line(record: Scenario | Dialogue) -> None:
    text = to_json(record)
    assert "\n" not in text
    again = from_json(type(record), text)
    assert again == record
    assert to_json(again) == to_json(from_json(type(record), to_json(again)))


@given(dialogues(), st.data())
def test_any_required_field_that_is_missing_is_named(record: Dialogue, data: st.DataObject) -> None:
    plain = to_dict(record)
    path, cls, target = data.draw(st.sampled_from([("", Dialogue, plain), ("scenario.", Scenario, plain["scenario"])]))
    required = [f.name for f in dataclasses.fields(cls) if f.default is f.default_factory is dataclasses.MISSING]
    name = data.draw(st.sampled_from(required))
    del target[name]
    with pytest.raises(RecordError) as caught:
        from_dict(Dialogue, plain, where="d.jsonl, line 3")
    assert caught.value.field == path + name
    assert caught.value.where == "d.jsonl, line 3"
    assert name in caught.value.remedy


def _changed(path: str, value: Any) -> dict[str, Any]:
    """The JSON of a scenario with one place changed, such as `difficulty.patience` or `apt_path.0`."""
    plain: dict[str, Any] = json.loads(to_json(make_scenario()))
    *parents, last = path.split(".")
    target: Any = plain
    for step in parents:
        target = target[int(step)] if isinstance(target, list) else target[step]
    target[int(last) if isinstance(target, list) else last] = value
    return plain


@pytest.mark.parametrize(
    ("path", "value", "field", "problem", "remedy"),
    [
        ("moood", 1, "moood", "unknown field", "Scenario has: id, emotion"),
        ("persona.nick", "x", "persona.nick", "unknown field", "Persona has: name, age"),
        ("level", "40", "level", "is str, not a number", "Give a number"),
        ("level", True, "level", "is bool, not a number", "Give a number"),
        ("level", math.nan, "level", "not a finite number", "Give a finite number"),
        ("level", 10**400, "level", "not a finite number", "Give a finite number"),
        ("level", 101, "level", "is 101.0", "between 0 and 100"),
        ("persona.age", 30.5, "persona.age", "is float, not a whole number", "Give a whole number"),
        ("persona.age", 3, "persona.age", "is 3", "between 5 and 110"),
        ("persona.weights", {"warmth": 3}, "persona.weights.warmth", "is 3", "between 0.5 and 2"),
        ("persona.weights", {"warmth": "much"}, "persona.weights.warmth", "is str, not a number", "Give a number"),
        ("persona", [], "persona", "is list, not an object", "Give an object"),
        ("emotion", "hunger", "emotion", "'hunger' is not allowed", "Use one of: grief"),
        ("emotion", ["grief"], "emotion", "is not allowed", "Use one of: grief"),
        ("particulars", "the dog", "particulars", "is str, not a list", "Give a list"),
        ("particulars.0", None, "particulars[0]", "is NoneType, not text", "Give text"),
        ("disclosures.0.text", 1, "disclosures[0].text", "is int, not text", "Give text"),
        ("difficulty.patience", 2, "difficulty.patience", "is 2.0", "between 0 and 1"),
        ("apt_path", [], "apt_path", "is empty", "null for none"),
        ("apt_path.0", [1.0], "apt_path[0]", "has 1 entries", "Give exactly 2"),
        ("apt_path.0", [50, 40], "apt_path[0]", "is (50.0, 40.0)", "lo < hi"),
        ("opening", "  ", "opening", "is empty", "first message"),
        ("id", "", "id", "is empty", "unique id"),
        ("schema_version", 2, "schema_version", "is 2", "reads version 1"),
    ],
)
def test_errors_name_file_line_field_and_remedy(
    tmp_path: Path, path: str, value: Any, field: str, problem: str, remedy: str
) -> None:
    file = tmp_path / "mine.jsonl"
    good = to_json(make_scenario())
    file.write_text(f"{good}\n\n{json.dumps(_changed(path, value))}\n", encoding="utf-8")
    with pytest.raises(RecordError) as caught:
        list(read_jsonl(Scenario, file))
    error = caught.value
    assert error.where == f"{file}, line 3"
    assert error.field == field
    assert problem in error.problem
    assert remedy in error.remedy
    for part in (error.where, repr(error.field), error.problem, error.remedy):
        assert part in str(error)


@pytest.mark.parametrize(
    ("line", "problem", "remedy"),
    [
        (b'{"id": ', "not JSON", "one JSON object on each line"),
        (b"[]", "is list, not an object", "Give an object"),
        (b'{"id": "a", "id": "b"}', "is given twice", "Give it once"),
        (b'{"id": "\xff"}', "not UTF-8 (byte 9)", "Save the file as UTF-8"),
    ],
)
def test_lines_that_are_no_object(tmp_path: Path, line: bytes, problem: str, remedy: str) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_bytes(line + b"\n")
    with pytest.raises(RecordError) as caught:
        list(read_jsonl(Scenario, file))
    assert caught.value.where == f"{file}, line 1"
    assert problem in caught.value.problem
    assert remedy in caught.value.remedy


def test_line_separators_inside_text_do_not_split_records(tmp_path: Path) -> None:
    scenario = make_scenario(opening="One.\u2028Two.\x85Three.\r\nFour.")
    file = tmp_path / "mine.jsonl"
    file.write_text(to_json(scenario) + "\r\n", encoding="utf-8", newline="")
    assert list(read_jsonl(Scenario, file)) == [scenario]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"planned_turns": 0}, "planned_turns"),
        ({"planned_turns": 1, "turns": (Turn("a", 1, 0), Turn("b", 2, 1))}, "turns"),
        ({"status": "failed"}, "failure"),
        ({"failure": "timed out"}, "failure"),
        ({"turns": ()}, "turns"),
    ],
)
def test_dialogues_that_contradict_themselves_are_refused(changes: dict[str, Any], field: str) -> None:
    fields: dict[str, Any] = {"scenario": make_scenario(), "turns": (Turn("a", 50, 1),), "planned_turns": 2, "stop": "turn_limit"}
    Dialogue(**fields)
    with pytest.raises(RecordError) as caught:
        Dialogue(**fields | changes)
    assert caught.value.field == field
    assert caught.value.remedy


def test_not_a_number_is_never_written() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        to_json(Dialogue(make_scenario(), (Turn("a", 50.0, math.nan),), 1, "turn_limit"))


def test_bands_hold_from_the_last_and_planned_emotions_follow_the_ending() -> None:
    scenario = make_scenario(apt_path=((20.0, 40.0), (30.0, 50.0)))
    assert [scenario.band(k) for k in (1, 2, 3)] == [(20.0, 40.0), (30.0, 50.0), (30.0, 50.0)]
    with pytest.raises(ValueError, match="numbered from 1"):
        scenario.band(0)
    turns = (Turn("a", 35.0, 1.0),)
    planned = {stop: Dialogue(scenario, turns, 3, stop).planned_emotions() for stop in get_args(Stop)}
    assert planned.pop("satisfied") == (35.0, 35.0, 35.0)
    assert set(planned.values()) == {(35.0, None, None)}
    assert Dialogue(scenario, turns, 3, "satisfied").emotions == (scenario.level, 35.0)
