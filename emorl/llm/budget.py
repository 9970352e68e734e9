"""What the calls cost, how long they take, and where they must stop."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from emorl.llm.request import Answer, LLMFailure, Request, Server

WINDOW = 2000
"""Calls that the latencies' percentiles look back on."""


@dataclass(frozen=True)
class Budget:
    """Hard limits of one client; `None`: no limit."""

    tokens: int | None = None
    """Prompt and completion tokens together."""
    cost: float | None = None
    """US dollars; needs a server with prices."""


@dataclass(frozen=True)
class Estimate:
    """What some calls would cost at most, before any is made."""

    calls: int
    tokens_in: int
    tokens_out: int
    cost: float | None

    def __str__(self) -> str:
        money = "not priced" if self.cost is None else f"at most ${self.cost:,.2f}"
        return f"{self.calls:,} calls, up to {self.tokens_in:,} tokens in and {self.tokens_out:,} out, {money}"


class Meter:
    """Counts one client's calls and holds them to its budget.

    What a call may cost at most is set aside before it is sent, so that calls in flight together cannot overrun the limit.
    """

    def __init__(self, server: Server, budget: Budget | None = None) -> None:
        self.server, self.budget = server, budget or Budget()
        if self.budget.cost is not None and server.price_in is None:
            raise ValueError("a budget in dollars needs prices: give price_in and price_out, or a budget in tokens")
        self.calls = self.hits = self.failed = self.resent = 0
        self.tokens_in = self.tokens_out = 0
        self._held_in = self._held_out = 0
        self._latencies: deque[float] = deque(maxlen=WINDOW)

    @contextmanager
    def hold(self, request: Request) -> Iterator[None]:
        """Set aside what `request` may cost while it is under way; raises `LLMFailure` where the budget has not that much."""
        least_in, most_out = request.tokens_guess(), request.max_tokens
        tokens_in = self.tokens_in + self._held_in + least_in
        tokens_out = self.tokens_out + self._held_out + most_out
        limit, dollars = self.budget.tokens, self.server.cost(tokens_in, tokens_out)
        if limit is not None and tokens_in + tokens_out > limit:
            raise LLMFailure(f"the budget of {limit:,} tokens is spent ({self.tokens_in + self.tokens_out:,} used)")
        if self.budget.cost is not None and dollars is not None and dollars > self.budget.cost:
            raise LLMFailure(f"the budget of ${self.budget.cost:,.2f} is spent (${self.cost or 0.0:,.2f} used)")
        self._held_in += least_in
        self._held_out += most_out
        try:
            yield
        finally:
            self._held_in -= least_in
            self._held_out -= most_out

    def spent(self, answer: Answer, seconds: float) -> None:
        """Take in a reply of the server's, valid or not."""
        self.calls += 1
        self.tokens_in += answer.tokens_in
        self.tokens_out += answer.tokens_out
        self._latencies.append(seconds)

    @property
    def cost(self) -> float | None:
        """US dollars spent; `None` where there are no prices."""
        return self.server.cost(self.tokens_in, self.tokens_out)

    def latency(self, share: float) -> float:
        """Seconds that `share` (0-1) of the recent calls stayed under, retries included; 0 before the first."""
        ordered = sorted(self._latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0

    def metrics(self) -> dict[str, float]:
        """For a run's log."""
        numbers = {"calls": self.calls, "cached": self.hits, "failed": self.failed, "resent": self.resent}
        numbers |= {"tokens_in": self.tokens_in, "tokens_out": self.tokens_out}
        seconds = {"p50_s": self.latency(0.5), "p95_s": self.latency(0.95)}
        priced = {} if self.cost is None else {"cost_usd": self.cost}
        return {f"llm/{name}": float(value) for name, value in (numbers | seconds | priced).items()}

    def __str__(self) -> str:
        money = "not priced" if self.cost is None else f"${self.cost:,.2f}"
        told = f"{self.calls:,} calls, {self.hits:,} cached, {self.failed:,} failed"
        times = f"p50 {self.latency(0.5):.1f} s, p95 {self.latency(0.95):.1f} s"
        return f"{told}; {times}; {self.tokens_in + self.tokens_out:,} tokens, {money}"
