"""What is asked, of whom, and what comes back."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from emorl.records import require

Structured = Literal["json_schema", "json_object", "text"]
KEY_VERSION = 1


class LLMError(RuntimeError):
    """A call that did not work out."""


class LLMFailure(LLMError):
    """This one request failed, after all retries; others may go well. Its text is the reason."""


class LLMSetupError(LLMError):
    """No request to this server can go well (wrong address, model or key): stop and mend it."""


@dataclass(frozen=True)
class Server:
    """A server that speaks OpenAI's chat completions, and how to treat it. Holds no secret: the key stays in the environment."""

    model: str
    base_url: str = "https://api.openai.com/v1"
    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the key; servers of one's own mostly need none."""
    structured: Structured = "json_schema"
    """How a schema is asked for: "json_schema" (constrained decoding: vLLM, SGLang, OpenAI), "json_object", or "text" for
    servers that know neither (`transformers serve`); the reply is checked all the same."""
    concurrency: int = 32
    """Requests in flight at a time."""
    timeout: float = 120.0
    """Seconds that a reply may keep us waiting."""
    retries: int = 5
    """Further tries after 408, 409, 429, 5xx, a timeout or a lost connection; waits as the server's Retry-After says, up to
    two minutes, else from 0.5 s doubling to 8 s."""
    resends: int = 2
    """Further tries after a reply that is malformed or off-schema. The same request is sent: a dialogue with a fault in it is
    the dialogue without."""
    price_in: float | None = None
    """US dollars for a million prompt tokens; `None`: not priced."""
    price_out: float | None = None
    """The same for completion tokens."""
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    """Further fields of each request's body, such as `{"chat_template_kwargs": {"enable_thinking": False}}`."""

    def __post_init__(self) -> None:
        require(bool(self.model), "model", "is empty", "Name the model as the server does.")
        web = self.base_url.startswith(("http://", "https://"))
        require(web, "base_url", f"is {self.base_url!r}", "Give the address with http:// or https://, mostly ending in /v1.")
        require(self.concurrency >= 1, "concurrency", f"is {self.concurrency}", "Allow at least one request at a time.")
        require(self.timeout > 0, "timeout", f"is {self.timeout}", "Give seconds above 0.")
        for name in ("retries", "resends"):
            require(getattr(self, name) >= 0, name, f"is {getattr(self, name)}", "Give 0 or more.")
        for name in ("price_in", "price_out"):
            price = getattr(self, name)
            require(price is None or price >= 0, name, f"is {price}", "Give dollars for a million tokens, or leave it out.")
        both = (self.price_in is None) == (self.price_out is None)
        require(both, "price_in", "and price_out do not go together", "Give both or neither.")

    @property
    def api_key(self) -> str:
        """From the environment; servers that need none get a placeholder (the SDK refuses to go without)."""
        return os.environ.get(self.api_key_env) or "none"

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """US dollars, or `None` where there are no prices: not priced is not free."""
        if self.price_in is None or self.price_out is None:
            return None
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6


@dataclass(frozen=True)
class Request:
    """One chat completion to ask for."""

    messages: tuple[tuple[str, str], ...]
    """(role, content), in order."""
    max_tokens: int = 1024
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    repeat: int = 0
    """Which draw of the same request this is: repeated sampling must not be answered from one cached draw."""

    def key(self, server: Server, schema: str = "") -> str:
        """The cache's key, as inspect_ai makes its own: model, address, messages, sampling, schema and the repeat index; not
        how the request travels (timeouts, retries, concurrency, prices)."""
        what = {
            "version": KEY_VERSION,
            "model": server.model,
            "base_url": server.base_url.rstrip("/"),
            "messages": self.messages,
            "sampling": [self.max_tokens, self.temperature, self.top_p, self.seed],
            "extra": dict(server.extra_body),
            "schema": [server.structured, schema] if schema else None,
            "repeat": self.repeat,
        }
        return hashlib.sha256(json.dumps(what, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def tokens_guess(self) -> int:
        """Prompt tokens, guessed from above without a tokenizer: one for three bytes, and sixteen a message."""
        return sum(len(content.encode()) // 3 + 16 for _, content in self.messages)


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    cached: bool = False
    """From the cache, hence without cost."""
    value: Any = None
    """The verdict read from `text`, where a schema was asked for."""
