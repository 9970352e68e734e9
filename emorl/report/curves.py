"""The curves of a run: what each tells in a sentence, and where one is missing, why."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from emorl.report import logged, numbers
from emorl.report.chart import HELD_OUT, HUES, TRAIN, Series, line_chart, missing_chart
from emorl.report.html import Markup, tag
from emorl.report.numbers import Value
from emorl.report.run import Run


def section(run: Run) -> Markup:
    """All curves; those of the optimiser are folded away."""
    charts = [
        total(run),
        *rewards(run),
        spread(run),
        *(draw(run) for draw in FROM_ROLLOUTS),
        *(logged.chart(run, what) for what in logged.TALKING),
    ]
    inside = [logged.chart(run, what) for what in logged.OPTIMISER]
    return tag(
        "section",
        tag("h2", "Curves", id="curves"),
        tag(
            "p",
            "Across: optimizer steps. Curves from the dialogues stand at the steps the speaking policy had made, those that the "
            "trainer logged at the step it logged them. Point at a curve, or open its numbers.",
            class_="hint",
        ),
        tag("div", *charts, class_="charts"),
        tag("details", tag("summary", "Optimiser"), tag("div", *inside, class_="charts"), class_="more"),
        aria_labelledby="curves",
    )


def _both(run: Run, value: Value) -> list[Series]:
    """A value of the rollouts in training and held out."""
    phases = ([r for r in run.rollouts if r.phase == phase] for phase in ("train", "eval"))
    train, held_out = (numbers.mean_curve(some, value) for some in phases)
    return [Series(TRAIN, train), Series(HELD_OUT, held_out, hue=1, marks=True)]


def _reward_chart(run: Run, title: str, about: str, value: Value, key: str) -> Markup:
    series = _both(run, value)
    if not any(s.points for s in series):
        # No rollouts, or no scores in them: what the trainer logged is the next best.
        series = logged.both(run, key)
    if not any(s.points for s in series):
        return missing_chart(title, f"No dialogue has this score and metrics.jsonl has no {key}.")
    dots = numbers.group_means([r for r in run.rollouts if r.phase == "train"], value)
    return line_chart(title, series, about=about, scatter=dots)


def total(run: Run) -> Markup:
    """The weighted sum of the rewards."""
    about = (
        "The weighted sum of all rewards, which training pushes up. Dots are single groups: how far they scatter is the noise."
    )
    return _reward_chart(run, "Total reward", about, numbers.weighted, "reward")


def rewards(run: Run) -> list[Markup]:
    """One chart for each reward, unweighted."""
    names = numbers.reward_names(run.rollouts) or _logged_rewards(run)
    return [
        _reward_chart(
            run, name, "Before weighting: mean over the dialogues of a step.", numbers.reward(name), f"rewards/{name}/mean"
        )
        for name in names
    ]


def _logged_rewards(run: Run) -> list[str]:
    keys = dict.fromkeys(key for scalars in run.metrics.values() for key in scalars)
    return [key[len("rewards/") : -len("/mean")] for key in keys if key.startswith("rewards/") and key.endswith("/mean")]


def spread(run: Run) -> Markup:
    """Within-group spread of the total and of each reward."""
    title = "Spread inside a group"
    train = [r for r in run.rollouts if r.phase == "train"]
    series = [Series("total", numbers.spread_curve(train, numbers.weighted))]
    names = numbers.reward_names(train)
    # As many as can be told apart; the others are named.
    curves = ((name, numbers.spread_curve(train, numbers.reward(name))) for name in names[: HUES - 1])
    series += [Series(name, curve, hue=i) for i, (name, curve) in enumerate(curves, 1)]
    if not any(s.points for s in series):
        return missing_chart(title, "No group has two scored siblings, so there is nothing to compare within a group.")
    about = "Standard deviation (n - 1) over siblings, averaged over groups. Group-relative training learns from it."
    about += f" Not drawn: {', '.join(names[HUES - 1 :])}." if names[HUES - 1 :] else ""
    return line_chart(title, series, about=about, zero=True)


def _from_rollouts(title: str, about: str, value: Value, run: Run) -> Markup:
    series = _both(run, value)
    if not any(s.points for s in series):
        return missing_chart(title, "There are no scored dialogues to draw it from.")
    return line_chart(title, series, about=about, zero=True)


def endings(run: Run) -> Markup:
    """How talks end."""
    kinds = {
        "satisfied": ("satisfied",),
        "walked out": ("walked_out",),
        "policy ended": ("policy_ended",),
        "out of turns": ("turn_limit",),
        "out of tokens": ("token_limit",),
    }
    train = [r for r in run.rollouts if r.phase == "train"]
    curves = {name: numbers.mean_curve(train, numbers.ended(*stops)) for name, stops in kinds.items()}
    series = [Series(name, points, hue=i) for i, (name, points) in enumerate(curves.items()) if any(y for _, y in points)]
    if not series:
        return missing_chart("How talks end", "There are no scored training dialogues to draw it from.")
    return line_chart("How talks end", series, about="Share of the scored training dialogues.", zero=True)


FROM_ROLLOUTS: list[Callable[[Run], Markup]] = [
    partial(
        _from_rollouts,
        "Emotion at the end",
        "Of scored dialogues, 0 to 100; 40 is neutral. Higher is not better: apt is.",
        numbers.last_emotion,
    ),
    endings,
    partial(_from_rollouts, "Words per reply", "What the user saw, thoughts left out.", numbers.words_per_reply),
    partial(
        _from_rollouts,
        "Failed dialogues",
        "Share that could not be scored. Above 0.05 is a warning, above 0.20 stops a run.",
        numbers.failed,
    ),
]
