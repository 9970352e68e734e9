"""The emotion path of one dialogue, drawn before its apt bands."""

from __future__ import annotations

from emorl.dialogue import Dialogue, Turn
from emorl.report.html import Markup, join, tag
from emorl.report.scale import Scale
from emorl.scenario import NEUTRAL

WIDTH, HEIGHT = 320.0, 150.0
MANY = 8
"""From this number of replies on, only the first and last emotion are written at the path."""


def heard(dialogue: Dialogue) -> tuple[Turn, ...]:
    """The turns that the user reacted to: of a failed dialogue the last one is the one that failed."""
    return dialogue.turns[:-1] if dialogue.status == "failed" else dialogue.turns


def felt(dialogue: Dialogue) -> tuple[float, ...]:
    """`e_0`, then the emotion after each turn of `heard`."""
    return (dialogue.scenario.level, *(turn.emotion for turn in heard(dialogue)))


def full(dialogue: Dialogue) -> Markup:
    """The path with its axis, numbers and bands, and the same in words for who can't see it."""
    y = Scale(0.0, 100.0, HEIGHT - 20, 8.0)
    x = Scale(-0.3, dialogue.planned_turns + 0.5, 26.0, WIDTH - 4)
    levels = [
        join(
            tag("line", class_="neutral" if level == NEUTRAL else "grid", x1=26, x2=WIDTH - 4, y1=y(level), y2=y(level)),
            tag("text", f"{level:g}", x=21, y=y(level) + 3.5, text_anchor="end"),
        )
        for level in (0.0, NEUTRAL, 100.0)
    ]
    svg = tag(
        "svg",
        *levels,
        _bands(dialogue, x, y),
        *(tag("text", name, x=x(k), y=HEIGHT - 4, text_anchor="middle") for k, name in _names(dialogue)),
        _line(dialogue, x, y),
        *_numbers(dialogue, x, y),
        viewBox=f"0 0 {WIDTH:g} {HEIGHT:g}",
        role="img",
        aria_label=in_words(dialogue),
    )
    return tag("figure", svg, tag("figcaption", _caption(dialogue)), class_="path")


def spark(dialogue: Dialogue) -> Markup:
    """The path without words, for the overview."""
    x, y = Scale(-0.2, dialogue.planned_turns + 0.5, 2.0, 78.0), Scale(0.0, 100.0, 30.0, 2.0)
    drawing = (_bands(dialogue, x, y), _line(dialogue, x, y))
    return tag("svg", *drawing, viewBox="0 0 80 32", class_="spark", aria_hidden="true")


def in_words(dialogue: Dialogue) -> str:
    """The path read aloud."""
    said = [f"Emotion starts at {dialogue.scenario.level:.0f}"]
    for k, emotion in enumerate(felt(dialogue)[1:], 1):
        said.append(
            f"after reply {k} it is {emotion:.0f}"
            + (f", {against_band(dialogue, k, emotion)}" if dialogue.scenario.apt_path else "")
        )
    return "; ".join(said) + "."


def against_band(dialogue: Dialogue, k: int, emotion: float) -> str:
    """Where the emotion after reply `k` lies against its apt band."""
    low, high = dialogue.scenario.band(k)
    band = f"the apt {low:.0f} to {high:.0f}"
    off = max(low - emotion, emotion - high)
    if off <= 0:
        return f"within {band}"
    # Half a point outside is outside: say "under 1", never "0 below".
    return f"{'under 1' if off < 0.5 else f'{off:.0f}'} {'below' if emotion < low else 'above'} {band}"


def _caption(dialogue: Dialogue) -> str:
    if dialogue.scenario.apt_path is None:
        return "Emotion. Dashed: neutral. This scenario has no apt path."
    return "Emotion. Dashed: neutral. Shaded: the apt band of each turn."


def _bands(dialogue: Dialogue, x: Scale, y: Scale) -> Markup:
    if dialogue.scenario.apt_path is None:
        return join()
    rects = []
    for k in range(1, dialogue.planned_turns + 1):
        low, high = dialogue.scenario.band(k)
        width, height = x(k + 0.5) - x(k - 0.5), y(low) - y(high)
        rects.append(tag("rect", class_="band", x=x(k - 0.5), y=y(high), width=round(width, 1), height=round(height, 1)))
    return join(*rects)


def _line(dialogue: Dialogue, x: Scale, y: Scale) -> Markup:
    points = [(x(k), y(e)) for k, e in enumerate(felt(dialogue))]
    path = " ".join(f"{a:g},{b:g}" for a, b in points)
    return join(tag("polyline", class_="line", points=path), *(tag("circle", class_="dot", cx=a, cy=b, r=3) for a, b in points))


def _numbers(dialogue: Dialogue, x: Scale, y: Scale) -> list[Markup]:
    emotions = felt(dialogue)
    shown = range(len(emotions)) if len(emotions) <= MANY else (0, len(emotions) - 1)
    # Above the dot, or below it where it lies high and the number would leave the drawing.
    return [
        tag(
            "text",
            f"{emotions[k]:.0f}",
            class_="value",
            x=x(k),
            y=y(emotions[k]) + (17 if emotions[k] > 84 else -8),
            text_anchor="middle",
        )
        for k in shown
    ]


def _names(dialogue: Dialogue) -> list[tuple[int, str]]:
    planned = dialogue.planned_turns
    every = -(-planned // MANY)
    return [(0, "start"), *((k, f"reply {k}" if planned <= 4 else str(k)) for k in range(every, planned + 1, every))]
