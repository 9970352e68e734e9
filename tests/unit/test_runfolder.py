"""The run folder's two files, and what a resumed or a second run does to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from emorl.dialogue import Dialogue, Turn
from emorl.records import from_dict
from emorl.runfolder import Phase, Rollout, RunFolder
from tests.scripted_user import make_scenario


def rollout(step: int, phase: Phase = "train") -> Rollout:
    dialogue = Dialogue(make_scenario(), (Turn("I hear yöu.", 41.0, 1.0),), 1, "turn_limit", step=step)
    return Rollout(step, phase, {"final_emotion": 0.41, "other": None}, 0.41, dialogue)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_lines_are_as_documented(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin(0)
    folder.add_rollouts([rollout(0)])
    folder.add_metrics(1, {"loss": 0.5, "nan": float("nan"), "inf": float("inf"), "none": None, "text": "x", "n": 3})
    (line,) = lines(folder.rollouts)
    assert {k: line[k] for k in ("step", "phase", "rewards", "weighted")} == {
        "step": 0,
        "phase": "train",
        "rewards": {"final_emotion": 0.41, "other": None},
        "weighted": 0.41,
    }
    assert from_dict(Dialogue, line["dialogue"]) == rollout(0).dialogue
    assert "yöu" in folder.rollouts.read_text(encoding="utf-8")
    assert lines(folder.metrics) == [{"step": 1, "loss": 0.5, "nan": None, "inf": None, "none": None, "n": 3}]


def test_a_resumed_run_drops_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in range(5):
        folder.add_rollouts([rollout(step)])
        folder.add_rollouts([rollout(step, "eval")])
        folder.add_metrics(step, {"loss": 1.0})
    with open(folder.rollouts, "a") as out:
        out.write('{"step": 1, "phase": "tr')  # killed while writing
    RunFolder(tmp_path).begin(3)
    # The policy of step 3 begins anew, but its evaluation was before the checkpoint.
    assert [(x["step"], x["phase"]) for x in lines(folder.rollouts)] == [
        *((step, phase) for step in range(3) for phase in ("train", "eval")),
        (3, "eval"),
    ]
    assert [x["step"] for x in lines(folder.metrics)] == [0, 1, 2, 3]


def test_a_new_run_sets_an_earlier_one_aside(tmp_path: Path) -> None:
    RunFolder(tmp_path).add_rollouts([rollout(0), rollout(1)])
    folder = RunFolder(tmp_path)
    folder.add_rollouts([rollout(0, "eval")])  # evaluated before training
    folder.begin(0)
    folder.add_rollouts([rollout(0)])
    assert [x["phase"] for x in lines(folder.rollouts)] == ["eval", "train"]
    assert len(lines(tmp_path / "rollouts.old.jsonl")) == 2
    folder.begin(0)  # a second train() of the same process goes on
    assert len(lines(folder.rollouts)) == 2


def test_only_the_main_process_writes(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run", main=False)
    folder.begin(0)
    folder.begin(3)
    folder.add_rollouts([rollout(0)])
    folder.add_metrics(1, {"loss": 1.0})
    assert not (tmp_path / "run").exists()
