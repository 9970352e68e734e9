"""A run as one HTML file: what ran, the curves, and transcripts to read. It needs no network.

>>> from emorl.report import write  # doctest: +SKIP
>>> write("runs/demo")  # doctest: +SKIP
PosixPath('runs/demo/report.html')
"""

from __future__ import annotations

from pathlib import Path

from emorl.report.page import SECTIONS, Section, render
from emorl.report.run import Run, read


def write(run_dir: str | Path) -> Path:
    """Read a run folder, write its `report.html` (replacing an earlier one) and return that file's path.

    Raises `FileNotFoundError` where there is no such folder, `RecordError` where there is nothing in it to report or a
    line cannot be read. What else is missing is said on the page.
    """
    run = read(run_dir)
    page = Path(run_dir) / "report.html"
    # In one step: a browser that reloads while training goes on never sees half a page.
    draft = page.with_suffix(".tmp")
    draft.write_text(render(run), encoding="utf-8")
    draft.replace(page)
    return page


__all__ = ["SECTIONS", "Run", "Section", "read", "render", "write"]
