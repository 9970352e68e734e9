"""`SentientUser` from flat options, as a command line or a preset gives them."""

from __future__ import annotations

import logging
from typing import Any

from emorl import embedded
from emorl.llm import Budget, Cache, Client, Server
from emorl.users.sage import RULES
from emorl.users.sentient import Hardness, SentientUser

log = logging.getLogger("emorl")


def sentient(
    *,
    model: str,
    base_url: str,
    api_key_env: str = "OPENAI_API_KEY",
    structured: str = "json_schema",
    concurrency: int = 32,
    timeout: float = 120.0,
    retries: int = 5,
    resends: int = 2,
    price_in: float | None = None,
    price_out: float | None = None,
    extra_body: dict[str, Any] | None = None,
    cache: str | None = None,
    budget_tokens: int | None = None,
    budget_cost: float | None = None,
    hardness: Hardness = "vanilla",
    language: str = "English",
    rules: str = "own",
    temperature: float = 0.7,
    max_tokens: int = 1024,
) -> SentientUser:
    """The user; options as in `Server`, `Budget` and `SentientUser`.

    `cache` is a file for the replies ("none": no cache; left out: llm.sqlite in emorl's cache folder); `rules` is the name of
    one of `sage.RULES`. Raises `ValueError` (`RecordError`) for what cannot be. The key is read from the environment.
    """
    if rules not in RULES:
        raise ValueError(f"rules {rules!r} are unknown; there are: {', '.join(RULES)}")
    if structured not in ("json_schema", "json_object", "text"):
        raise ValueError(f"structured {structured!r} is unknown; use json_schema, json_object or text")
    server = Server(
        model,
        base_url,
        api_key_env,
        structured,  # type: ignore[arg-type]  # checked above
        concurrency,
        timeout,
        retries,
        resends,
        price_in,
        price_out,
        extra_body or {},
    )
    kept = None if cache == "none" else Cache(cache or embedded.cache_dir() / "llm.sqlite")
    client = Client(server, cache=kept, budget=Budget(budget_tokens, budget_cost), progress=log.info)
    return SentientUser(
        client, hardness=hardness, language=language, rules=RULES[rules], temperature=temperature, max_tokens=max_tokens
    )
