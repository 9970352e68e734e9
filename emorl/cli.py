"""The `emorl` command: dry runs of rewards, checks and export of scenarios, a look at a run's rollouts, versions, report."""

# ruff: noqa: T201 - printing is what a command line does

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tyro.extras import SubcommandApp

from emorl import __version__
from emorl.records import RecordError

PACKAGES = (
    "emorl",
    "torch",
    "transformers",
    "trl",
    "accelerate",
    "datasets",
    "peft",
    "deepspeed",
    "vllm",
    "numpy",
    "rich",
    "tyro",
)

app = SubcommandApp()
scenarios = SubcommandApp()
app.command(scenarios, name="scenarios", help="Check scenario files, or export them as a dataset.")


@app.command
def score(file: Path, /, rewards: tuple[str, ...] = ()) -> None:
    """Score dialogues without training: one row per reward.

    Args:
        file: JSON lines of dialogues, or a run's rollouts.jsonl.
        rewards: Names of rewards; all ready ones by default.
    """
    from rich.console import Console
    from rich.table import Table

    from emorl.rewards import by_name, registry
    from emorl.rewards.summary import read_dialogues, summarise

    chosen = [by_name(name) for name in rewards or registry]
    dialogues = list(read_dialogues(file))
    if len(users := sorted({d.user for d in dialogues})) > 1:
        # Scores by different users are on different scales: a mean over them says nothing.
        raise RecordError(
            f"holds talks with {len(users)} users: {', '.join(users)}", where=str(file), remedy="Score each user's talks alone."
        )
    table = Table(title=f"{len(dialogues)} dialogues")
    for heading in ("reward", "range", "mean", "sd", "scored", "unscored", "r with length"):
        table.add_column(heading, justify="left" if heading == "reward" else "right")
    for reward in chosen:
        s = summarise(reward, dialogues)
        numbers = ("-" if x is None else f"{x:.3f}" for x in (s.mean, s.sd))
        r = "-" if s.length_r is None else f"{s.length_r:+.2f}"
        table.add_row(s.name, f"{reward.low:g} to {reward.high:g}", *numbers, str(s.scored), str(s.unscored), r)
    Console().print(table)


@scenarios.command
def check(file: Path, /) -> None:
    """Check that a scenario file loads and that the fields of each scenario agree; exits with 1 where they do not.

    Args:
        file: JSON lines of scenarios.
    """
    from emorl.scenarios.check import check as findings_of

    findings = findings_of(file)
    for f in findings:
        print(f"{f.where}: {f.field + ': ' if f.field else ''}{f.problem}. {f.remedy}")
    print(f"{file}: {len(findings)} to mend" if findings else f"{file}: fine")
    if findings:
        raise SystemExit(1)


@scenarios.command
def export(split: str, /, out: Path, system_prompt: str | None = None) -> None:
    """Write a dataset file with the columns prompt and scenario, for `trl grpo --dataset_name <folder of the file>`.

    Args:
        split: "train", "dev" or a file of your own scenarios.
        out: The file to write, such as data/train.jsonl; its name tells TRL the split.
        system_prompt: System message of every prompt; "" for none. Default: emorl.scenarios.DEFAULT_SYSTEM_PROMPT.
    """
    from emorl.scenarios import DEFAULT_SYSTEM_PROMPT, load

    rows = load(split).rows(DEFAULT_SYSTEM_PROMPT if system_prompt is None else system_prompt or None)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} rows in {out}")
    print(f"Train: trl grpo --dataset_name {out.parent} --reward_funcs emorl.rewards.emotion_trajectory …")


@app.command
def rollouts(run: Path, /, worst: int = 3, reward: str = "emotion_trajectory") -> None:
    """Print the worst dialogues of a run.

    Args:
        run: Run folder.
        worst: How many, from the worst.
        reward: Name of the reward that ranks them.
    """
    from rich.console import Console

    from emorl.rewards import by_name
    from emorl.rewards.summary import read_dialogues

    judge, console = by_name(reward), Console()
    ranked = [(s, d) for d in read_dialogues(run / "rollouts.jsonl") if (s := judge.score(d)) is not None]
    for value, dialogue in sorted(ranked, key=lambda pair: pair[0])[:worst]:
        lines = [f"── {dialogue.scenario.id}  {reward} {value:.3f}  step {dialogue.step}  {dialogue.stop}"]
        lines.append(f"user    {dialogue.scenario.opening}  [{dialogue.scenario.level:.0f}]")
        for turn in dialogue.turns:
            lines += [f"policy  {turn.reply}", f"user    {turn.words}  [{turn.emotion:.0f}]"]
        # A transcript is data: brackets in it must not be read as markup.
        console.print("\n".join(lines), markup=False, highlight=False)


@app.command
def env() -> None:
    """Print versions for a bug report; reads no environment variables."""
    print(f"emorl {__version__}\npython {platform.python_version()} on {platform.platform()}")
    for package in PACKAGES:
        try:
            print(f"{package} {version(package)}")
        except PackageNotFoundError:
            print(f"{package} not installed")


@app.command
def report(run: Path, /) -> None:
    """Write report.html into a run folder.

    Args:
        run: Run folder.
    """
    from emorl.report import write

    print(write(run))


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line; bad input is one line on stderr and exit status 2."""
    try:
        app.cli(prog="emorl", description=__doc__, args=args)
    except (RecordError, FileNotFoundError) as err:
        print(f"emorl: {err}", file=sys.stderr)
        raise SystemExit(2) from None
