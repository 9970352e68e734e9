"""One completion through the `openai` SDK, whose retries honour Retry-After; no retries are stacked on its own."""

from __future__ import annotations

import json
import re
from typing import Any

from emorl.llm.request import Answer, LLMFailure, LLMSetupError, Request, Server
from emorl.llm.verdict import Verdict

try:
    import openai
except ImportError as err:
    raise ImportError("users and judges behind a server need openai and pydantic: pip install 'emorl[llm]'") from err

NOTHING = Answer("")


class Malformed(ValueError):
    """A reply that is no completion, or only part of one; `answer` has what it cost."""

    def __init__(self, problem: str, answer: Answer = NOTHING) -> None:
        super().__init__(problem)
        self.answer = answer


def connect(server: Server) -> openai.AsyncOpenAI:
    """The SDK's client: one for each event loop, reused."""
    return openai.AsyncOpenAI(
        api_key=server.api_key, base_url=server.base_url, timeout=server.timeout, max_retries=server.retries
    )


async def completion_of(sdk: openai.AsyncOpenAI, server: Server, request: Request, schema: type[Verdict] | None) -> Answer:
    """The server's reply to `request`. Raises `Malformed` (worth sending again), `LLMFailure` or `LLMSetupError`."""
    try:
        completion = await sdk.chat.completions.create(**_body(server, request, schema))
    except (openai.APIResponseValidationError, json.JSONDecodeError) as err:
        raise Malformed(f"malformed reply: {type(err).__name__}") from err
    except openai.APITimeoutError as err:
        raise LLMFailure(f"no reply within {server.timeout:g} s ({server.retries + 1} tries)") from err
    except openai.APIConnectionError as err:
        raise LLMFailure(f"no connection to {server.base_url} ({server.retries + 1} tries): {clean(str(err.__cause__))}") from err
    except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as err:
        raise LLMSetupError(_remedy(server, err.status_code, clean(err.message))) from err
    except openai.BadRequestError as err:
        if "response_format" in err.message:
            raise LLMSetupError(f"{server.base_url} knows no {server.structured}: set structured to 'text'") from err
        raise LLMFailure(f"HTTP 400: {clean(err.message)}") from err
    except openai.APIStatusError as err:
        raise LLMFailure(f"HTTP {err.status_code}: {clean(err.message)}") from err
    return _answer(completion)


def _body(server: Server, request: Request, schema: type[Verdict] | None) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": server.model,
        "messages": [{"role": role, "content": content} for role, content in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
    }
    if request.seed is not None:
        body["seed"] = request.seed
    if schema is not None and server.structured == "json_schema":
        form = {"name": schema.__name__, "strict": True, "schema": schema.model_json_schema()}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    elif schema is not None and server.structured == "json_object":
        body["response_format"] = {"type": "json_object"}
    return body | ({"extra_body": dict(server.extra_body)} if server.extra_body else {})


def _answer(completion: Any) -> Answer:
    """What counts as a whole reply: one that ended by itself, with text in it, from a server that spoke the protocol."""
    choices = getattr(completion, "choices", None)
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = getattr(choice, "message", None)
    if choice is None or message is None:
        raise Malformed("malformed reply: no message in it")
    usage = completion.usage
    tokens = (getattr(usage, "prompt_tokens", 0) or 0, getattr(usage, "completion_tokens", 0) or 0)
    text = message.content if isinstance(message.content, str) else ""
    answer = Answer(text, *tokens)
    if choice.finish_reason == "content_filter" or getattr(message, "refusal", None):
        raise LLMFailure("the model refused to answer")
    if choice.finish_reason == "length":
        raise Malformed("reply cut off by max_tokens", answer)
    if not text.strip():
        raise Malformed("empty reply", answer)
    return answer


def _remedy(server: Server, status: int, message: str) -> str:
    place = f"{server.base_url} answered HTTP {status} ({message})"
    if status == 404:
        return f"{place}. Check base_url (mostly ends in /v1) and the model's name, {server.model!r}."
    return f"{place}. Put a valid key into the environment variable {server.api_key_env}."


def clean(text: str) -> str:
    """What a server says, fit for one line of a record: no control characters, at most 200 characters."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\s]+", " ", text).strip()[:200]
