"""The command line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from emorl import __version__, cli
from emorl.dialogue import Dialogue, Status, Turn
from emorl.records import to_json
from emorl.rewards import final_emotion
from emorl.rewards.summary import read_dialogues, summarise
from tests.scripted_user import make_scenario


def talk(i: int, emotion: float, reply: str, failure: str = "") -> Dialogue:
    status: Status = "failed" if failure else "scored"
    return Dialogue(make_scenario(i), (Turn(reply, emotion, 0.0, "[bold]ok[/bold]"),), 1, "turn_limit", status, failure)


TALKS = [talk(0, 20.0, "one"), talk(1, 40.0, "one two"), talk(2, 60.0, "one two three"), talk(3, 30.0, "x", "timed out")]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    # Both shapes: a dialogue on its own, and one inside a row of a run.
    lines = [to_json(TALKS[0]), *(json.dumps({"step": 1, "dialogue": json.loads(to_json(t))}) for t in TALKS[1:])]
    (tmp_path / "rollouts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path


def test_summary_by_hand() -> None:
    s = summarise(final_emotion, TALKS)
    assert (s.name, s.scored, s.unscored) == ("final_emotion", 3, 1)
    assert s.mean == pytest.approx(0.4)
    assert s.sd == pytest.approx(0.2)
    assert s.length_r == pytest.approx(1.0)
    alone = summarise(final_emotion, TALKS[:1])
    assert (alone.mean, alone.sd, alone.length_r) == (0.2, None, None)
    same_length = summarise(final_emotion, [talk(0, 20.0, "a"), talk(0, 30.0, "b")])
    assert same_length.length_r is None


def test_score_prints_one_row_per_reward(
    run_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    assert list(read_dialogues(run_dir / "rollouts.jsonl")) == TALKS
    cli.main(["score", str(run_dir / "rollouts.jsonl"), "--rewards", "final_emotion", "think_format"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines() if "_" in line]
    cells = [[cell for cell in row if cell != "│"] for row in rows]
    assert cells == [
        ["final_emotion", "0", "to", "1", "0.400", "0.200", "3", "1", "+1.00"],
        ["think_format", "0", "to", "1", "0.000", "0.000", "3", "1", "-"],
    ]


def test_rollouts_prints_the_worst_first_and_markup_stays_text(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["rollouts", str(run_dir), "--worst", "2", "--reward", "final_emotion"])
    out = capsys.readouterr().out
    assert out.index("test-0  final_emotion 0.200") < out.index("test-1  final_emotion 0.400")
    assert "test-2" not in out and "test-3" not in out
    assert "[bold]ok[/bold]" in out


def test_scenarios_check_exits_with_1_where_something_is_to_mend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text(to_json(make_scenario()) + "\n")
    cli.main(["scenarios", "check", str(file)])
    assert capsys.readouterr().out == f"{file}: fine\n"
    file.write_text(to_json(make_scenario(helps=())) + "\n")
    with pytest.raises(SystemExit) as stopped:
        cli.main(["scenarios", "check", str(file)])
    assert stopped.value.code == 1
    assert capsys.readouterr().out.startswith(f"{file}, line 1: helps: is empty. Give at least one entry.\n")


@pytest.mark.parametrize(
    ("system", "first"), [([], "You are a kind friend."), (["--system-prompt", "Hm."], "Hm."), (["--system-prompt", ""], None)]
)
def test_scenarios_export_writes_a_file_that_datasets_loads(tmp_path: Path, system: list[str], first: str | None) -> None:
    from datasets import load_dataset

    file, out = tmp_path / "mine.jsonl", tmp_path / "out" / "train.jsonl"
    file.write_text(to_json(make_scenario()) + "\n")
    cli.main(["scenarios", "export", str(file), "--out", str(out), *system])
    (row,) = load_dataset(str(out.parent), cache_dir=str(tmp_path / "cache"))["train"]
    assert row["scenario"] == to_json(make_scenario())
    assert [m["role"] for m in row["prompt"]] == (["user"] if first is None else ["system", "user"])
    assert first is None or row["prompt"][0]["content"].startswith(first)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["score", "{run}/rollouts.jsonl", "--rewards", "kindness"], "no reward is called 'kindness'. There are: final_emotion,"),
        (["score", "{run}/nothing.jsonl"], "nothing.jsonl"),
        (["score", "{run}/bad.jsonl"], "bad.jsonl, line 1: not JSON"),
        (["score", "{run}/mixed.jsonl"], "holds talks with 2 users: a/1, b/1"),
        (["scenarios", "export", "test", "--out", "{run}/x.jsonl"], "test is neither a packaged split"),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(
    run_dir: Path, capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    (run_dir / "bad.jsonl").write_text("{")
    mixed = (dataclasses.replace(TALKS[0], user=user) for user in ("b/1", "a/1"))
    (run_dir / "mixed.jsonl").write_text("\n".join(map(to_json, mixed)))
    with pytest.raises(SystemExit) as stopped:
        cli.main([a.format(run=run_dir) for a in args])
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("emorl: ") and err.count("\n") == 1
    assert message in err


def test_env_prints_versions_and_no_environment_variable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    cli.main(["env"])
    out = capsys.readouterr().out
    assert out.startswith(f"emorl {__version__}\npython 3.")
    assert "\ntrl " in out
    assert "hf_secret" not in out
