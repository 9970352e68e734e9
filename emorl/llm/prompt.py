"""Prompts as text files, filled in one pass: what is filled in is never read as a placeholder or a format."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

_SLOT = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Prompt:
    """A text with slots such as `{{scene}}`.

    >>> Prompt("Hello {{name}}").fill(name="{{name}} {0}")
    'Hello {{name}} {0}'
    """

    text: str

    @classmethod
    def read(cls, path: str | Path) -> Prompt:
        """From a UTF-8 file, without the blank lines at its ends."""
        return cls(Path(path).read_text(encoding="utf-8").strip())

    @property
    def slots(self) -> frozenset[str]:
        return frozenset(_SLOT.findall(self.text))

    @property
    def hash(self) -> str:
        """Eight hexadecimal digits, for fingerprints."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]

    def fill(self, **values: str) -> str:
        """The text with every slot filled. Raises `KeyError` where the values are not just the slots."""
        if set(values) != self.slots:
            raise KeyError(f"the prompt has the slots {sorted(self.slots)}, given were {sorted(values)}")
        return _SLOT.sub(lambda slot: values[slot[1]], self.text)
