"""What ran, in plain words, and what the evidence is worth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from emorl.report import numbers
from emorl.report.html import Markup, join, tag
from emorl.report.run import Run
from emorl.report.scale import number
from emorl.report.worth import count, distinct, moved, steps, worth
from emorl.runfolder import Rollout

_SECRET = re.compile(r"(?:\A|[._])(?:hub_token|token|api_key|key|secret|password)\Z", re.IGNORECASE)


def section(run: Run) -> Markup:
    """The head of the page."""
    parts = [
        tag("p", "emorl run", class_="eyebrow"),
        tag("h1", run.name),
        what_ran(run),
        tiles(run),
        worth(run),
        missing(run),
        settings(run),
    ]
    return tag("header", *parts)


def _names(values: Sequence[str]) -> Markup:
    return join(*(join(", " if i else "", tag("code", value)) for i, value in enumerate(values)))


def what_ran(run: Run) -> Markup:
    """Policy, user, steps and scenarios in a few sentences."""
    policies, users = distinct(run.rollouts, "policy"), distinct(run.rollouts, "user")
    train = [r for r in run.rollouts if r.phase == "train"]
    held_out = [r for r in run.rollouts if r.phase == "eval"]
    first = [
        _names(policies) if policies else "A policy that the rollouts do not name",
        " was trained for ",
        tag("b", count(steps(run), "optimizer step")),
    ]
    if train:
        first.append(f" on {count(len(train), 'conversation')} in {count(_scenarios(train), 'scenario')}")
    second = (
        ["The people it talked with are simulated: ", _names(users)] if users else ["The rollouts do not name the simulated user"]
    )
    third = []
    if held_out:
        some = sorted({r.step for r in held_out})
        at = ", ".join(map(str, some)) if len(some) <= 6 else f"{some[0]} to {some[-1]}, {len(some)} times"
        third = [f"On {count(_scenarios(held_out), 'held-out scenario')} it was measured at step{'s' * (len(some) > 1)} {at}."]
    return tag("p", *first, ". ", *second, ". ", *third, class_="lead")


def _scenarios(rollouts: Sequence[Rollout]) -> int:
    return len({r.dialogue.scenario.id for r in rollouts})


def tiles(run: Run) -> Markup | None:
    """The few numbers to take away, each with what it is."""
    if not run.rollouts:
        return None
    train = [r for r in run.rollouts if r.phase == "train"]
    found = []
    for name, value in (("Total reward, training", numbers.weighted), ("Emotion at the end", numbers.last_emotion)):
        if change := numbers.change(train, value):
            found.append(_tile(name, change.early, change.late, f"first {count(change.steps, 'step')} to last", change.error))
    if held_out := numbers.paired(run.rollouts, numbers.weighted):
        found.append(
            _tile(
                "Total reward, held out",
                held_out.early,
                held_out.late,
                f"first to last of {held_out.steps} measurements",
                held_out.error,
            )
        )
    failed = sum(numbers.failed(r) for r in run.rollouts)
    share = f"{int(failed)} of {len(run.rollouts):,} dialogues"
    found.append(
        tag("div", tag("dt", "Failed"), tag("dd", f"{failed / len(run.rollouts):.1%}"), tag("dd", share, class_="small"))
    )
    return tag("dl", *found, class_="tiles")


def _tile(name: str, early: float, late: float, where: str, error: float | None) -> Markup:
    return tag(
        "div",
        tag("dt", name),
        tag("dd", number(early), tag("span", " → ", aria_label=" to "), number(late)),
        tag("dd", f"{where}: ", tag("span", moved(late - early, error), class_="moved"), class_="small"),
    )


def missing(run: Run) -> Markup | None:
    """What the folder lacks."""
    if not run.notes:
        return None
    return tag(
        "aside",
        tag("h2", "Missing here", id="missing"),
        tag("ul", *(tag("li", n) for n in run.notes)),
        class_="notes",
        aria_labelledby="missing",
    )


def settings(run: Run) -> Markup | None:
    """The resolved configuration, folded away; a report is passed on, so what looks like a secret is withheld."""
    if not run.config:
        return None
    rows = (
        tag("tr", tag("th", key, scope="row"), tag("td", tag("code", _shown(key, value)))) for key, value in run.config.items()
    )
    table = tag(
        "div",
        tag("table", tag("caption", "config.yaml"), tag("tbody", *rows)),
        class_="scroll",
        tabindex=0,
        role="region",
        aria_label="Settings",
    )
    return tag("details", tag("summary", "Settings"), table, class_="more")


def _shown(key: str, value: Any) -> str:
    return "(withheld)" if value and _SECRET.search(key) else "none" if value is None else str(value)
