"""Charts of what the trainer logged, as a table: one line for each."""

from __future__ import annotations

from dataclasses import dataclass

from emorl.report.chart import HELD_OUT, TRAIN, Series, line_chart, missing_chart
from emorl.report.html import Markup
from emorl.report.numbers import Point
from emorl.report.run import Run


@dataclass(frozen=True)
class Logged:
    """One scalar of metrics.jsonl, with its `eval_` twin where there is one."""

    title: str
    key: str
    about: str = ""
    zero: bool = False
    """Whether the axis begins at 0."""


TALKING = (
    Logged("Entropy", "entropy", "Of the next token, in nats. A steady fall to near 0 is a collapse.", zero=True),
    Logged("KL to the start", "kl", "How far the policy has gone from the model it began as.", zero=True),
    Logged("Length in tokens", "completions/mean_length", "Mean length of a completion, thoughts and all turns included."),
    Logged("Cut off", "completions/clipped_ratio", "Share of completions that ran into the token limit.", zero=True),
    Logged("Groups without spread", "frac_reward_zero_std", "Share of groups whose siblings all scored the same.", zero=True),
)
OPTIMISER = (
    Logged("Loss", "loss", "In GRPO its size says little."),
    Logged("Gradient norm", "grad_norm", "Before clipping.", zero=True),
    Logged("Learning rate", "learning_rate", zero=True),
    Logged("Seconds per step", "step_time", zero=True),
)


def points(run: Run, key: str) -> list[Point]:
    """One scalar at the steps that logged it."""
    return [(step, scalars[key]) for step, scalars in run.metrics.items() if key in scalars]


def both(run: Run, key: str) -> list[Series]:
    """One scalar in training and held out."""
    return [Series(TRAIN, points(run, key)), Series(HELD_OUT, points(run, f"eval_{key}"), hue=1, marks=True)]


def chart(run: Run, what: Logged) -> Markup:
    """The chart of one scalar, or why there is none."""
    series = both(run, what.key)
    if not any(s.points for s in series):
        return missing_chart(what.title, _why_not(run, what.key))
    return line_chart(what.title, series, about=what.about, zero=what.zero)


def _why_not(run: Run, key: str) -> str:
    if not run.metrics:
        return "There are no metrics to draw it from."
    if key != "kl":
        return f"metrics.jsonl has no {key}."
    beta = run.setting("beta")
    if beta is None:
        return "metrics.jsonl has no kl. TRL logs it only where beta is above 0; its default is 0."
    return "Not logged, because beta is 0: TRL compares with the start only above 0." if beta == 0 else "metrics.jsonl has no kl."
