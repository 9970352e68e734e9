"""The share of dialogues that fail, and when it is too much: a stream of failures in, a verdict out."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, Literal

Verdict = Literal["fine", "warn", "stop"]


class FailureRate:
    """Failure rate over the last `window` dialogues; judged from `minimum` dialogues on.

    Above `warn` (a fraction in [0, 1]) the verdict is "warn", above `stop` it is "stop".
    """

    def __init__(self, *, warn: float = 0.05, stop: float = 0.20, window: int = 256, minimum: int = 32) -> None:
        if not (0.0 <= warn <= stop <= 1.0 and 1 <= minimum <= window):
            raise ValueError("give 0 <= warn <= stop <= 1 and 1 <= minimum <= window")
        self.warn, self.stop, self.minimum = warn, stop, minimum
        self._recent: deque[str] = deque(maxlen=window)

    @property
    def rate(self) -> float:
        """Fraction failed among the recent dialogues, in [0, 1]; 0 before the first."""
        return sum(map(bool, self._recent)) / len(self._recent) if self._recent else 0.0

    def update(self, failures: Sequence[str]) -> Verdict:
        """Take in one entry per dialogue: why it failed, or "" where it did not."""
        self._recent.extend(failures)
        if len(self._recent) < self.minimum:
            return "fine"
        return "stop" if self.rate > self.stop else "warn" if self.rate > self.warn else "fine"

    def reason(self) -> str:
        """What failed, for people: the rate and the three most frequent reasons."""
        failed = Counter(filter(None, self._recent))
        common = "; ".join(f"{count} x {why}" for why, count in failed.most_common(3))
        return f"{sum(failed.values())} of the last {len(self._recent)} dialogues failed ({self.rate:.0%}): {common}"

    def state_dict(self) -> dict[str, Any]:
        return {"recent": list(self._recent)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._recent.clear()
        self._recent.extend(state["recent"])
        if self.rate > self.stop:  # whoever resumes a run that stopped itself has mended the cause: judge afresh
            self._recent.clear()
