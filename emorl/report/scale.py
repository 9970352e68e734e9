"""From numbers to places and to words: axes, ticks, three significant digits."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, log10


@dataclass(frozen=True)
class Scale:
    """Data to SVG units on one axis."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)


def number(value: float) -> str:
    """For reading: three significant digits, and no `-0`.

    >>> number(0.41234), number(1e-06), number(128.0), number(-0.0)
    ('0.412', '1e-06', '128', '0')
    """
    return f"{value + 0.0:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def signed(value: float, digits: int) -> str:
    """A change, with a minus as wide as a plus.

    >>> signed(3.6, 0), signed(-0.25, 1) == "\\u22120.2", signed(-0.01, 1)
    ('+4', True, '0.0')
    """
    shown = round(value, digits)
    return f"{shown:+.{digits}f}".replace("-", "\u2212") if shown else f"{0:.{digits}f}"


def ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers that span `low` to `high`.

    >>> ticks(0.0, 0.93)
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    if high <= low:
        low, high = low - (abs(low) or 1.0) * 0.1, low + (abs(low) or 1.0) * 0.1
    raw = (high - low) / about
    power = 10.0 ** floor(log10(raw))
    step = next(factor * power for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= raw * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]
