"""Loading, exporting and checking scenarios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from emorl import scenarios
from emorl.records import RecordError, from_json, to_json
from emorl.scenario import Disclosure, Scenario, Voice, scenario_seed
from emorl.scenarios import DEFAULT_SYSTEM_PROMPT, ScenarioSet, load, replies
from emorl.scenarios.check import check, disagreements
from tests.scripted_user import make_scenario

FOUR = [make_scenario(i) for i in range(4)]


def write(path: Path, *stories: Scenario) -> Path:
    path.write_text("\n".join(map(to_json, stories)) + "\n", encoding="utf-8")
    return path


def test_a_file_loads_as_a_sequence(tmp_path: Path) -> None:
    found = load(write(tmp_path / "mine.jsonl", *FOUR))
    assert list(found) == FOUR
    assert len(found) == 4
    assert found.ids == ("test-0", "test-1", "test-2", "test-3")
    assert found.by_id("test-2") == found[2] == FOUR[2]
    assert isinstance(found[1:3], ScenarioSet)
    assert list(found[1:3]) == FOUR[1:3]


@pytest.mark.parametrize(
    ("again", "field"),
    [
        (make_scenario(9, id="test-0"), "id"),
        (make_scenario(9, opening="  i FEEL sad about\nthe dog today, number 0."), "opening"),
    ],
)
def test_duplicates_are_refused_by_loader_and_checker(tmp_path: Path, again: Scenario, field: str) -> None:
    file = write(tmp_path / "mine.jsonl", *FOUR, again)
    with pytest.raises(RecordError) as caught:
        load(file)
    assert (caught.value.where, caught.value.field) == (f"{file}, line 5", field)
    assert f"{file}, line 1" in caught.value.problem
    assert caught.value.remedy
    assert [(f.where, f.field) for f in check(file) if "repeats" in f.problem] == [(f"{file}, line 5", field)]


def test_what_is_not_there_is_an_error_that_says_what_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"'?trian'? is neither a packaged split \(train, dev, heldout\) nor a file"):
        load("trian")
    with pytest.raises(FileNotFoundError, match="no packaged replies for split 'test'"):
        replies("test")
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(RecordError, match="holds no scenario"):
        load(tmp_path / "empty.jsonl")


def test_the_packaged_splits_are_sound_and_share_nothing() -> None:
    splits = {split: load(split) for split in scenarios.SPLITS}
    for split in splits:
        assert check(scenarios.DATA / f"{split}.jsonl") == []
    everyone = [s for found in splits.values() for s in found]
    for field in ("id", "opening", "situation"):
        assert len({getattr(s, field) for s in everyone}) == len(everyone)
    assert all(s.apt_path for s in everyone)
    assert set(replies("train")) == set(replies("train", "plain")) == set(splits["train"].ids)


def test_replies_are_read_by_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenarios, "DATA", tmp_path)
    file = tmp_path / "replies_train.jsonl"
    file.write_text('{"id": "a", "good": ["One.", "Two."], "note": "x"}\n{"id": "b", "good": ["Three."]}\n')
    assert replies("train") == {"a": ("One.", "Two."), "b": ("Three.",)}
    with pytest.raises(RecordError, match=r"line 1: field 'plain': is missing or empty"):
        replies("train", "plain")
    file.write_text('{"id": "a", "good": []}\n')
    with pytest.raises(RecordError, match=r"replies_train.jsonl, line 1: field 'good': is missing or empty"):
        replies("train")


@pytest.mark.parametrize("system", [DEFAULT_SYSTEM_PROMPT, "Be brief.", None])
def test_the_dataset_holds_prompt_and_scenario_as_text(system: str | None) -> None:
    data = ScenarioSet(FOUR).to_dataset(system)
    assert data.column_names == ["prompt", "scenario"]
    assert [from_json(Scenario, text) for text in data["scenario"]] == FOUR
    for row, story in zip(data, FOUR, strict=True):
        *head, last = row["prompt"]
        assert last == {"role": "user", "content": story.opening}
        assert head == ([] if system is None else [{"role": "system", "content": system}])
    assert ScenarioSet(FOUR).to_dataset()[0] == ScenarioSet(FOUR).rows(DEFAULT_SYSTEM_PROMPT)[0]


def test_the_seed_is_a_function_of_scenario_and_visit() -> None:
    seeds = [scenario_seed(s.id, visit) for s in FOUR for visit in range(3)]
    assert len(set(seeds)) == len(seeds)
    assert scenario_seed("told-the-bees", 1) == 1353989675  # for all time: stored runs depend on it


VOICE = Voice(("a",), ("b",), ("c",), ("d",), ("e",), ())


@pytest.mark.parametrize(
    ("changes", "field", "problem"),
    [
        ({"particulars": ()}, "particulars", "is empty"),
        ({"helps": ("", "x")}, "helps", "blank entry"),
        ({"disclosures": ()}, "disclosures", "is empty"),
        ({"disclosures": (Disclosure("It began in May.", ()),)}, "disclosures[0].particulars", "is empty"),
        ({"disclosures": (Disclosure(" ", ("May",)),)}, "disclosures[0].text", "is empty"),
        ({"voice": VOICE}, "voice.leave", "is empty"),
        ({"situation": ""}, "situation", "is empty"),
        ({"level": 41.0}, "level", "grief lies below neutral"),
        ({"emotion": "joy"}, "level", "joy lies above neutral"),
        ({"apt_path": ((60.0, 70.0),)}, "apt_path[0]", "30 points from the level 30"),
        ({"apt_path": ((25.0, 45.0), (71.0, 80.0))}, "apt_path[1]", "26 points from the band before it"),
        ({"particulars": ("the dog", "a yellow submarine")}, "particulars[1]", "shares no word"),
    ],
)
def test_fields_that_do_not_agree_are_found(changes: dict[str, Any], field: str, problem: str) -> None:
    assert list(disagreements(make_scenario())) == []
    ((found_field, found_problem, remedy),) = disagreements(make_scenario(**changes))
    assert found_field == field
    assert problem in found_problem
    assert remedy


def test_the_checker_goes_on_after_a_line_that_does_not_load(tmp_path: Path) -> None:
    file = write(tmp_path / "mine.jsonl", FOUR[0], make_scenario(1, disclosures=()))
    file.write_text('{"id": "a"}\n' + file.read_text())
    assert [(f.where, f.field) for f in check(file)] == [(f"{file}, line 1", "emotion"), (f"{file}, line 3", "disclosures")]
    assert check(write(file, *FOUR)) == []
    file.write_text("\n")
    assert [f.problem for f in check(file)] == ["holds no scenario"]
