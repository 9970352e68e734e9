"""The one place where text becomes HTML. Whatever is not `Markup` is escaped, so a transcript can only ever be text."""

from __future__ import annotations

import html
import re

_NAME = re.compile(r"[a-z][a-zA-Z0-9-]*\Z")
_VOID = frozenset({"meta", "input"})
# What no HTML file may hold, and lone surrogates, which JSON can name and UTF-8 cannot: shown as the replacement sign.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

Attribute = str | int | float | bool | None


class Markup(str):
    """Text that is HTML already: made by `tag` and `join`, or our own style sheet and script."""

    __slots__ = ()


def text(value: object) -> Markup:
    """Escaped text; `Markup` stays as it is, `None` is nothing.

    >>> text('<img onerror="x">')
    '&lt;img onerror=&quot;x&quot;&gt;'
    """
    if isinstance(value, Markup):
        return value
    return Markup("" if value is None else html.escape(_UNPRINTABLE.sub("\ufffd", str(value)), quote=True))


def join(*children: object) -> Markup:
    """The children one after another, each escaped unless it is `Markup`."""
    return Markup("".join(text(child) for child in children))


def tag(name: str, /, *children: object, **attributes: Attribute) -> Markup:
    """One element. In attribute names `_` stands for `-` and one at the end is dropped (`class_`, `for_`).

    `True` is an attribute without a value; `None` and `False` leave it out.

    >>> tag("a", "x < y", class_="m", data_step=3)
    '<a class="m" data-step="3">x &lt; y</a>'
    """
    parts = [name, *(_attribute(key, value) for key, value in attributes.items() if value is not None and value is not False)]
    start = Markup(f"<{' '.join(parts)}>")
    return start if name in _VOID else Markup(f"{start}{join(*children)}</{name}>")


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    # A name can't be escaped; and text that the browser would run has no place here.
    if not _NAME.match(name) or name.startswith("on"):
        raise ValueError(f"{name!r} is no attribute of this page")
    return name if value is True else f'{name}="{text(value)}"'
