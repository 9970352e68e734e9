"""The transcripts, with the controls that choose among them."""

from __future__ import annotations

from collections.abc import Sequence

from emorl.report import talk
from emorl.report.chart import HELD_OUT, TRAIN
from emorl.report.html import Markup, tag
from emorl.report.run import Run
from emorl.report.selection import Selection, ranking, select

PHASES = {"train": TRAIN, "eval": HELD_OUT}


def section(run: Run) -> Markup:
    """Best, worst and failed dialogues. Without scripts all of them stand here, from best to worst."""
    by, value = ranking(run)
    selections = [s for phase in PHASES if (s := select(run, phase, value))]
    heading = tag("h2", "Transcripts", id="transcripts")
    if not selections:
        return tag(
            "section", heading, tag("p", "There are no rollouts to read.", class_="missing"), aria_labelledby="transcripts"
        )
    shown = [s for selection in selections for s in selection.talks]
    talks = (talk.article(s, i, open_=i == 1) for i, s in enumerate(shown, 1))
    return tag(
        "section",
        heading,
        tag("p", _which(selections, by), class_="hint"),
        tag("noscript", tag("p", "Choosing among them needs JavaScript; here they all are, from best to worst.", class_="hint")),
        _controls(selections),
        tag("p", class_="status", role="status"),
        tag("div", *talks, class_="talks"),
        aria_labelledby="transcripts",
    )


def _which(selections: Sequence[Selection], by: str) -> str:
    said = []
    for s in selections:
        first, last = s.steps
        where = f"step {last}" if first == last else f"steps {first} to {last}"
        said.append(f"{PHASES[s.phase]}: {s.counts.total()} scored dialogues of {where}")
    return f"Ranked by {by}, from the last steps ({'; '.join(said)}). Tap a line to read, tap a coloured mark for its reason."


def _controls(selections: Sequence[Selection]) -> Markup:
    kinds = [("best", "Best ten"), ("worst", "Worst ten"), ("failed", "Failed")]
    radios = (
        tag("label", tag("input", type="radio", name="kind", value=value, checked=value == "best"), tag("span", name))
        for value, name in kinds
    )
    return tag(
        "form",
        tag("fieldset", tag("legend", "Show"), *radios, class_="kinds"),
        tag("label", tag("span", "Feeling"), tag("select", *_emotions(selections), name="emotion")),
        _phases(selections),
        tag("label", tag("input", type="checkbox", name="reasons"), tag("span", "All reasons"), class_="check"),
        class_="controls",
        hidden=True,
        autocomplete="off",
    )


def _emotions(selections: Sequence[Selection]) -> list[Markup]:
    # How many there are in all depends on the phase: the script picks the right one of these counts.
    names = sorted({s.rollout.dialogue.scenario.emotion for selection in selections for s in selection.talks})
    everyone = tag("option", "all", value="", **{f"data_{s.phase}": s.counts.total() for s in selections})
    each = [
        tag("option", talk.plain(name), value=name, **{f"data_{s.phase}": s.counts[name] for s in selections}) for name in names
    ]
    return [everyone, *each]


def _phases(selections: Sequence[Selection]) -> Markup:
    options = (tag("option", PHASES[s.phase], value=s.phase) for s in selections)
    return tag("label", tag("span", "From"), tag("select", *options, name="phase"), hidden=len(selections) < 2)
