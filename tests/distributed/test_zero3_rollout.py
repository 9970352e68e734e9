"""Rollouts on two processes: equal numbers of generate calls under ZeRO-3, and rows that keep their global order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from emorl.scenario import scenario_seed
from tests import tiny

ROOT = Path(__file__).parents[2]


def launch(out: Path, stage: int) -> list[dict[str, Any]]:
    """Two gloo processes; what each of them saw."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += ["-m", "tests.distributed.rollout_worker", str(out), str(stage), tiny.path()]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"DS_ACCELERATOR": "cpu"}, capture_output=True, text=True, timeout=600, check=False
    )
    files = [out / f"rank{rank}.json" for rank in (0, 1)]
    assert all(file.exists() for file in files), done.stdout[-4000:] + done.stderr[-4000:]
    return [json.loads(file.read_text()) for file in files]


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "engine"), [(0, "DistributedDataParallel"), (3, "DeepSpeedEngine")])
def test_processes_keep_step(tmp_path: Path, stage: int, engine: str) -> None:
    ranks = launch(tmp_path, stage)
    assert [rank["engine"] for rank in ranks] == [engine] * 2
    # Two steps of three turns. Process 0's talks end after the first turn; then it keeps step with a row nobody reads.
    first, second = ranks[0]["calls"], ranks[1]["calls"]
    assert first == [4, 1, 1] * 2
    assert second == [4, 4, 4] * 2
    assert ranks[0]["visits"] == ranks[1]["visits"] == {"test-0": 2, "test-1": 2}

    rollouts = [json.loads(line) for line in (tmp_path / "rollouts.jsonl").read_text().splitlines()]
    assert [line["step"] for line in rollouts] == [0] * 8 + [1] * 8  # of both processes, written once
    for visit, batch in enumerate((rollouts[:8], rollouts[8:])):
        talks = [line["dialogue"] for line in batch]
        assert [talk["scenario"]["id"] for talk in talks] == ["test-0"] * 4 + ["test-1"] * 4
        assert [talk["sibling"] for talk in talks] == [0, 1, 2, 3] * 2
        assert [len(talk["turns"]) for talk in talks] == [1] * 4 + [3] * 4
        assert [talk["seed"] for talk in talks] == [scenario_seed(f"test-{i}", visit) for i in (0, 0, 0, 0, 1, 1, 1, 1)]
        assert all(line["rewards"]["final_emotion"] is not None for line in batch)
    metrics = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in metrics] == [1, 2, 2]
    weighted = [line["weighted"] for line in rollouts[:8]]
    assert metrics[0]["reward"] == pytest.approx(sum(weighted) / 8)
    assert metrics[0]["emorl/stop/walked_out"] == pytest.approx(0.5)
