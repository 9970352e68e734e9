"""The page around the sections."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from emorl.report import curves, header, transcripts
from emorl.report.html import Markup, join, tag
from emorl.report.run import Run

Section = Callable[[Run], Markup | None]

SECTIONS: list[Section] = [header.section, curves.section, transcripts.section]
"""The page from top to bottom; append to add to every report. `None` leaves a section out."""

_HERE = Path(__file__).parent


def render(run: Run) -> str:
    """The whole page."""
    script = Markup((_HERE / "page.js").read_text(encoding="utf-8"))
    style = Markup((_HERE / "page.css").read_text(encoding="utf-8"))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(script)),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{run.name} · emorl report"),
        tag("style", style),
    )
    links = (tag("a", name, href=f"#{anchor}") for anchor, name in (("curves", "Curves"), ("transcripts", "Transcripts")))
    body = tag(
        "body", tag("nav", *links, aria_label="On this page"), tag("main", *(s(run) for s in SECTIONS)), tag("script", script)
    )
    return "<!doctype html>\n" + join(tag("html", head, body, lang="en")) + "\n"


def _policy(script: str) -> str:
    """A second wall behind the escaping: the browser runs this very script and no other, and loads nothing at all."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
