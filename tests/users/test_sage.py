"""SAGE's published dialogues and RLVER's profiles, where one has them; small ones of the same shape otherwise.

`EMORL_SAGE` names a folder with `*_result.jsonl` and `*profile*.jsonl` (github.com/Tencent/digitalhuman, MIT).
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emorl.records import RecordError
from emorl.scenarios.check import disagreements
from emorl.scenarios.profiles import FIRST_WORDS, profiles
from emorl.users import make
from emorl.users.sage import RLVER, SAGE, published, replay

FILES = Path(os.environ.get("EMORL_SAGE", "/nowhere"))
needs_files = pytest.mark.skipif(not FILES.is_dir(), reason="EMORL_SAGE names no folder with SAGE's published files")


def record(changes: list[int], start: float = 40.0) -> dict[str, Any]:
    history: list[dict[str, Any]] = [{"role": "user", "content": "…", "emotion-point": start}]
    for change in changes:
        start = min(100, start + max(-10, min(10, change)))
        history.append({"role": "assistant", "content": "…"})
        history.append({"role": "user", "content": "…", "emotion-point": start, "planning": {"change": change}})
    return {"history": history}


@given(st.lists(st.integers(-30, 30), max_size=10))
def test_a_record_of_the_published_shape_replays(changes: list[int]) -> None:
    assert all(ours == theirs for ours, theirs in replay(record(changes)))
    assert len(replay(record(changes))) == len(changes) + 1


def test_rlver_starts_lower_and_does_not_clip() -> None:
    assert [ours for ours, _ in replay(record([25, -40]), RLVER)] == [30.0, 55.0, 15.0]


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x_result.jsonl").write_text('{"id": 1}\n')
    with pytest.raises(RecordError, match=r"line 1.*history"):
        list(published(tmp_path / "x_result.jsonl"))


@needs_files
def test_every_published_emotion_comes_out_as_published() -> None:
    dialogues = emotions = 0
    for path in sorted(FILES.glob("*_result.jsonl")):
        for where, published_record in published(path):
            steps = replay(published_record, SAGE)
            assert all(ours == theirs for ours, theirs in steps), where
            assert steps[-1][0] == published_record["emo_point"], where
            dialogues, emotions = dialogues + 1, emotions + len(steps) - 1
    print(f"{dialogues} dialogues, {emotions} changes of emotion")
    assert dialogues > 0


@needs_files
def test_the_published_profiles_load() -> None:
    found = sorted(FILES.glob("*profile*.jsonl"))
    assert found
    for path in found:
        people = profiles(path)
        assert len(people) == 100
        assert all(p.apt_path is None and p.situation and p.opening for p in people)


def profile(**changes: Any) -> dict[str, Any]:
    player = "* 姓名：李雷\n* 年龄：23岁\n* 说话风格：直接"
    row = {"id": "a-1", "player": player, "scene": "背景", "task": "你想分析原因", "first_talk": "我头大。", "main_cha": "负面型"}
    return {name: value for name, value in (row | changes).items() if value is not None}


def written(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    path = tmp_path / "profiles.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_profile_becomes_a_scenario_without_an_apt_path(tmp_path: Path) -> None:
    one, bare = profiles(written(tmp_path, profile(), profile(id="b-2", first_talk=None, task=None, player="谁")))
    assert (one.persona.name, one.persona.age, one.intention, one.opening) == ("李雷", 23, "see_clearly", "我头大。")
    assert (one.emotion, one.level, one.apt_path) == ("unstated", 40.0, None) and "你想分析原因" in one.situation
    assert (bare.opening, bare.intention, bare.persona.age) == (FIRST_WORDS, "be_heard", 30)
    assert not [d for d in disagreements(one) if d[0] == "level"]


@pytest.mark.parametrize(
    ("rows", "problem"), [([profile(scene=None)], "'scene'.*missing"), ([profile()] * 2, "given twice"), ([], "no prof")]
)
def test_a_broken_profile_file_is_refused_with_its_place(tmp_path: Path, rows: list[dict[str, Any]], problem: str) -> None:
    with pytest.raises(RecordError, match=problem):
        profiles(written(tmp_path, *rows))


def test_a_user_that_needs_a_path_says_so(tmp_path: Path) -> None:
    (one,) = profiles(written(tmp_path, profile()))
    with pytest.raises(ValueError, match="apt_path"):
        make("appraisal", backend="lexical").reset([one], [0])
