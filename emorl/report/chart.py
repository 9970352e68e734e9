"""Line charts as inline SVG. Colours are classes, so that the style sheet decides them for light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from emorl.report.html import Markup, join, tag
from emorl.report.numbers import Point, thinned
from emorl.report.scale import Scale, number, ticks

# About one unit per CSS pixel in a card, on a phone as on a desktop: text keeps its size.
WIDTH, HEIGHT = 340.0, 180.0
HUES = 6
"""Colours that the style sheet has for lines."""
TRAIN, HELD_OUT = "training", "held out"
LEFT, RIGHT, TOP, BOTTOM = 44.0, 12.0, 10.0, 26.0


@dataclass(frozen=True)
class Series:
    """One line (or, with `marks`, one set of separate points)."""

    name: str
    points: Sequence[Point]
    hue: int = 0
    """Which of the style sheet's colours, 0-5."""
    marks: bool = False
    """Diamonds instead of a line: values at a few steps, such as held-out evaluations."""


def line_chart(
    title: str, series: Sequence[Series], *, about: str = "", scatter: Sequence[Point] = (), zero: bool = False
) -> Markup:
    """A figure: title, what it tells, the drawing, a legend where there are several series, and the numbers as a table.

    `scatter` are faint dots behind the lines (the single groups); `zero` makes the axis begin at 0.
    """
    thin = [(s, *thinned(s.points)) for s in series if s.points]
    size = max((n for _, _, n in thin), default=1)
    drawn = [Series(s.name, points, s.hue, s.marks) for s, points, _ in thin]
    faint = list(scatter) if size == 1 and len(scatter) <= 800 else []
    note = f" Each point is the mean of {size} neighbouring ones." if size > 1 else ""
    return tag(
        "figure",
        tag("figcaption", tag("h3", title), tag("p", about + note)),
        _drawing(title, drawn, faint, zero),
        tag("p", class_="readout", aria_hidden="true"),
        _legend(drawn, bool(faint)),
        _table(title, drawn),
        class_="chart",
    )


def missing_chart(title: str, why: str) -> Markup:
    """The place of a chart that cannot be drawn, with the reason."""
    return tag("figure", tag("figcaption", tag("h3", title)), tag("p", why, class_="missing"), class_="chart")


def _drawing(title: str, series: Sequence[Series], scatter: Sequence[Point], zero: bool) -> Markup:
    points = [p for s in series for p in s.points] + list(scatter)
    steps, values = [x for x, _ in points], [y for _, y in points]
    heights = ticks(min(values + [0.0] * zero), max(values))
    y = Scale(heights[0], heights[-1], HEIGHT - BOTTOM, TOP)
    low, high = min(steps), max(steps)
    x = Scale(low, high, LEFT + 6, WIDTH - RIGHT) if high > low else Scale(low - 1, low + 1, LEFT, WIDTH - RIGHT)
    return tag(
        "svg",
        _y_axis(y, heights),
        _x_axis(x, low, high),
        *(tag("circle", class_="faint", cx=x(a), cy=y(b), r=2) for a, b in scatter),
        *(_marks(s, x, y) if s.marks else _line(s, x, y) for s in series),
        *_columns(series, x),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        aria_label=f"{title}. " + " ".join(map(_spoken, series)),
    )


def _y_axis(y: Scale, heights: Sequence[float]) -> Markup:
    rules = (tag("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=y(h), y2=y(h)) for h in heights)
    labels = (tag("text", number(h), x=LEFT - 6, y=y(h) + 3.5, text_anchor="end") for h in heights)
    return join(*rules, *labels)


def _x_axis(x: Scale, low: float, high: float) -> Markup:
    whole = sorted({round(s) for s in ticks(low, high) if low <= s <= high}) if high > low else [round(low)]
    labels = (
        tag("text", f"{s:,}" if i else f"step {s:,}", x=x(s), y=HEIGHT - 8, text_anchor="middle") for i, s in enumerate(whole)
    )
    return join(*labels)


def _line(s: Series, x: Scale, y: Scale) -> Markup:
    path = " ".join(f"{x(a):g},{y(b):g}" for a, b in s.points)
    dots = s.points if len(s.points) <= 24 else s.points[-1:]
    return join(
        tag("polyline", class_=f"line hue{s.hue}", points=path),
        *(tag("circle", class_=f"dot hue{s.hue}", cx=x(a), cy=y(b), r=2.4) for a, b in dots),
    )


def _marks(s: Series, x: Scale, y: Scale) -> Markup:
    r = 5.5 if len(s.points) <= 24 else 3.5

    def diamond(a: float, b: float) -> str:
        return f"M{x(a):g} {y(b) - r:g}l{r} {r}l-{r} {r}l-{r} -{r}z"

    return join(*(tag("path", class_=f"mark hue{s.hue}", d=diamond(a, b)) for a, b in s.points))


def _columns(series: Sequence[Series], x: Scale) -> list[Markup]:
    """Invisible strips, one for each step, that say their values when pointed at."""
    steps = sorted({a for s in series for a, _ in s.points})
    edges = [x.start, *(round((x(a) + x(b)) / 2, 1) for a, b in pairwise(steps)), x.end]
    strips = []
    for i, step in enumerate(steps):
        said = [f"{s.name} {number(dict(s.points)[step])}" for s in series if step in dict(s.points)]
        strips.append(
            tag(
                "g",
                tag("line", class_="rule", x1=x(step), x2=x(step), y1=TOP, y2=HEIGHT - BOTTOM),
                tag("rect", x=edges[i], y=0, width=max(0.1, round(edges[i + 1] - edges[i], 1)), height=HEIGHT),
                class_="column",
                data_say=f"step {number(step)}: " + ", ".join(said),
            )
        )
    return strips


def _spoken(s: Series) -> str:
    (first, start), (last, end) = s.points[0], s.points[-1]
    if len(s.points) == 1:
        return f"{s.name}: {number(end)} at step {number(last)}."
    return f"{s.name}: {number(start)} at step {number(first)}, {number(end)} at step {number(last)}."


def _legend(series: Sequence[Series], scatter: bool) -> Markup | None:
    if len(series) < 2 and not scatter:
        return None
    entries = [tag("li", tag("i", class_=f"{'mark' if s.marks else 'line'} hue{s.hue}"), s.name) for s in series]
    entries += [tag("li", tag("i", class_="faint"), "one group")] if scatter else []
    return tag("ul", *entries, class_="legend")


def _table(title: str, series: Sequence[Series]) -> Markup:
    columns = [dict(s.points) for s in series]
    head = tag("tr", tag("th", "step", scope="col"), *(tag("th", s.name, scope="col") for s in series))
    rows = (
        tag("tr", tag("th", number(step), scope="row"), *(tag("td", number(c[step]) if step in c else "") for c in columns))
        for step in sorted({step for c in columns for step in c})
    )
    table = tag("table", tag("caption", title), tag("thead", head), tag("tbody", *rows))
    scrolling = tag("div", table, class_="scroll", tabindex=0, role="region", aria_label=f"Numbers of {title}")
    return tag("details", tag("summary", "Numbers"), scrolling, class_="numbers")
