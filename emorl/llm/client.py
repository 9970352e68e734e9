"""`Client`: bounded, retried, cached, budgeted calls to one server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from emorl.llm.background import Background
from emorl.llm.budget import Budget, Estimate, Meter
from emorl.llm.cache import Cache
from emorl.llm.completion import Malformed, completion_of
from emorl.llm.request import Answer, LLMFailure, Request, Server
from emorl.llm.verdict import OffSchema, Verdict, read

T = TypeVar("T")
EVERY = 10.0
"""Seconds between two lines of progress."""


class Client:
    """All calls to one server go through one of these. Pickles without its connections; one for each process.

    `ask` and `gather` are for async code, `ask_all` for all other. `progress`, such as `print`, gets a line with the counts, the
    latencies and the cost at most every ten seconds.
    """

    def __init__(
        self,
        server: Server,
        *,
        cache: Cache | None = None,
        budget: Budget | None = None,
        progress: Callable[[str], None] | None = None,
    ) -> None:
        self.server, self.cache, self.progress = server, cache, progress
        self.meter = Meter(server, budget)
        self._connect()

    def _connect(self) -> None:
        self._background = Background()
        self._sdk: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = time.monotonic()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_background", "_sdk", "_loop")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._connect()

    async def ask(self, request: Request, schema: type[Verdict] | None = None) -> Answer:
        """The server's answer, its `value` read by `schema`.

        Raises `LLMFailure` where this request failed, and `LLMSetupError` where none can go well.
        """
        key = request.key(self.server, schema.schema_text() if schema else "")
        if self.cache is not None and (kept := self.cache.get(key)) is not None:
            self.meter.hits += 1
            return _valued(kept, schema)
        try:
            answer = await self._fetch(request, schema)
        except LLMFailure:
            self.meter.failed += 1
            raise
        finally:
            self._tell()
        if self.cache is not None:
            self.cache.put(key, answer)
        return answer

    async def gather(self, requests: Sequence[Request], schema: type[Verdict] | None = None) -> list[Answer | LLMFailure]:
        """One entry for each request, in order: its answer, or why it failed. Raises `LLMSetupError`."""

        async def one(request: Request) -> Answer | LLMFailure:
            try:
                return await self.ask(request, schema)
            except LLMFailure as failure:
                return failure

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(request)) for request in requests]
        return [task.result() for task in tasks]

    def ask_all(self, requests: Sequence[Request], schema: type[Verdict] | None = None) -> list[Answer | LLMFailure]:
        """`gather` for code that is not async."""
        return self.run(self.gather(requests, schema))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result, from the client's own loop, for code that is not async."""
        try:
            return self._background.run(work)
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None

    def estimate(self, calls: int, request: Request) -> Estimate:
        """What `calls` such requests would cost at most."""
        tokens_in, tokens_out = calls * request.tokens_guess(), calls * request.max_tokens
        return Estimate(calls, tokens_in, tokens_out, self.server.cost(tokens_in, tokens_out))

    def close(self) -> None:
        """Close connections and loop; a later call opens them again."""
        if self._sdk is not None and self._loop is self._background.loop:
            self._background.run(self._sdk.close())
        self._background.close()
        self._sdk = self._loop = None

    async def _fetch(self, request: Request, schema: type[Verdict] | None) -> Answer:
        """Send, and send again where the reply is not what was asked for."""
        sdk = self._open()
        for attempt in range(self.server.resends + 1):
            problem = ""
            async with self._slots:
                with self.meter.hold(request):
                    start = time.monotonic()
                    try:
                        answer = await completion_of(sdk, self.server, request, schema)
                    except Malformed as err:
                        answer, problem = err.answer, str(err)
                    self.meter.spent(answer, time.monotonic() - start)
            if not problem:
                try:
                    return _valued(answer, schema)
                except OffSchema as err:
                    problem = f"off-schema reply: {err}"
            self.meter.resent += attempt < self.server.resends
        raise LLMFailure(f"{problem} (in each of {self.server.resends + 1} tries)")

    def _open(self) -> Any:
        """The SDK's client and the slots of the running loop: connections do not cross loops."""
        loop = asyncio.get_running_loop()
        if self._sdk is None or self._loop is not loop:
            from emorl.llm.completion import connect

            self._sdk, self._loop = connect(self.server), loop
            self._slots = asyncio.Semaphore(self.server.concurrency)
        return self._sdk

    def _tell(self) -> None:
        if self.progress is not None and time.monotonic() - self._told >= EVERY:
            self._told = time.monotonic()
            self.progress(f"{self.server.model}: {self.meter}")


def _valued(answer: Answer, schema: type[Verdict] | None) -> Answer:
    if schema is None:
        return answer
    return Answer(answer.text, answer.tokens_in, answer.tokens_out, answer.cached, read(schema, answer.text))
