"""What the evidence of a run is worth: the sentences that keep a reader from believing too much."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import floor, log10

from emorl.report import numbers
from emorl.report.html import Markup, tag
from emorl.report.run import Run
from emorl.runfolder import Rollout

FEW_STEPS, SMALL_POLICY = 100, 3e9
WARN, STOP = 0.05, 0.20
_SIZE = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)([mb])(?![a-z0-9])", re.IGNORECASE)


def distinct(rollouts: Sequence[Rollout], field: str) -> list[str]:
    """The values of one of the dialogues' fields, empty ones left out."""
    return sorted({value for r in rollouts if (value := getattr(r.dialogue, field))})


def count(n: int, thing: str) -> str:
    """A number of things."""
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def steps(run: Run) -> int:
    """Optimizer steps made, by whichever file saw the later one."""
    return max([*run.metrics, *(r.step for r in run.rollouts)])


def moved(by: float, error: float | None) -> str:
    """A change with its standard error, to the error's second digit.

    >>> moved(0.2463, 0.0664), moved(7.31, 12.0), moved(0.5, None)
    ('+0.246 ± 0.066', '+7 ± 12', '+0.5')
    """
    if not error:
        return f"{by:+.2g}"
    digits = max(0, 1 - floor(log10(error)))
    return f"{by:+.{digits}f} ± {error:.{digits}f}"


def worth(run: Run) -> Markup:
    """The honest reading of this run."""
    said = [*_about_people(run), *_about_change(run), *_about_failures(run)]
    return tag(
        "aside",
        tag("h2", "What this is worth", id="worth"),
        tag("ul", *(tag("li", s) for s in said)),
        class_="worth",
        aria_labelledby="worth",
    )


def _about_people(run: Run) -> list[str]:
    users, policies = distinct(run.rollouts, "user"), distinct(run.rollouts, "policy")
    small = bool(policies) and all((size := parameters(p)) is not None and size < SMALL_POLICY for p in policies)
    said = [
        f"{'A small model' if small else 'A model'} against a simulated user is evidence about the machinery, not about people. "
        "What moves below is a program's measure of feeling."
    ]
    if len(users) > 1:
        said.append(f"{len(users)} different simulated users are mixed in this folder: their numbers must not be compared.")
    return said


def _about_change(run: Run) -> list[str]:
    n = steps(run)
    said = [f"{count(n, 'step')} show{'s' * (n == 1)} that the machinery runs, not a gain."] if n < FEW_STEPS else []
    train = numbers.change([r for r in run.rollouts if r.phase == "train"], numbers.weighted)
    held_out = numbers.paired(run.rollouts, numbers.weighted)
    said += _verdict("In training the total reward moved by", train, "over groups")
    said += _verdict("On held-out scenarios it moved by", held_out, "over scenarios")
    measured = any(r.phase == "eval" for r in run.rollouts) or any(
        k.startswith("eval_reward") for s in run.metrics.values() for k in s
    )
    if not measured:
        said.append("Nothing was measured on held-out scenarios, so nothing here tells learning from learning by heart.")
    return said


def _verdict(what: str, change: numbers.Change | None, over: str) -> list[str]:
    if change is None or not change.error:
        return []
    by = change.late - change.early
    # Two standard errors: about one false alarm in twenty, and more where there are few groups.
    chance = (
        "chance alone could do that."
        if abs(by) < 2 * change.error
        else "more than chance alone usually does; read the transcripts first."
    )
    return [f"{what} {moved(by, change.error)} (standard error {over}): {chance}"]


def _about_failures(run: Run) -> list[str]:
    rate = sum(map(numbers.failed, run.rollouts)) / len(run.rollouts) if run.rollouts else 0.0
    if rate <= WARN:
        return []
    return [
        f"{rate:.1%} of the dialogues failed. "
        + ("Do not use these numbers." if rate > STOP else "Find out why before you use these numbers.")
    ]


def parameters(name: str) -> float | None:
    """The size that a model's name gives, in parameters.

    >>> parameters("SmolLM2-135M-Instruct"), parameters("Qwen/Qwen2.5-7B-Instruct"), parameters("mine")
    (135000000.0, 7000000000.0, None)
    """
    found = _SIZE.search(name.replace("-", " "))
    return float(found[1]) * {"m": 1e6, "b": 1e9}[found[2].lower()] if found else None
