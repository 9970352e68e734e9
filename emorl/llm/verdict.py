"""Verdicts: what a model is asked to say in a fixed form, the reason before the score."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from emorl.think import split_think

try:
    from pydantic import BaseModel, ConfigDict, ValidationError
except ImportError as err:
    raise ImportError("users and judges behind a server need openai and pydantic: pip install 'emorl[llm]'") from err

V = TypeVar("V", bound="Verdict")
LONGEST = 100_000
"""Characters of a reply that are looked at."""


class Verdict(BaseModel):
    """Base class of all schemas: frozen, no unknown fields, and text (the reason) before any number.

    A score that is stated first is not reasoned: what follows only defends it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        first = next(iter(cls.model_fields.items()), None)
        if first is None or first[1].annotation is not str:
            raise TypeError(f"{cls.__name__}: the first field must be text, the reason; the score comes after it")

    @classmethod
    def schema_text(cls) -> str:
        """The JSON schema, as one line of JSON."""
        return json.dumps(cls.model_json_schema(), sort_keys=False)


class OffSchema(ValueError):
    """A reply that is not what was asked for."""


def read(schema: type[V], text: str) -> V:
    """The verdict in a reply: its JSON object, whatever stands around it (fences, thoughts, pleasantries).

    Raises `OffSchema`, saying what is wrong, in linear time on hostile text.
    """
    if len(text) > LONGEST:
        raise OffSchema(f"{len(text):,} characters long")
    _, text = split_think(text)
    first, last = text.find("{"), text.rfind("}")
    if first < 0 or last < first:
        raise OffSchema("holds no JSON object")
    found = text[first : last + 1]
    try:
        value = schema.model_validate_json(found)
    except ValidationError as err:
        problem = err.errors(include_url=False, include_input=False)[0]
        raise OffSchema(f"{'.'.join(map(str, problem['loc'])) or 'reply'}: {problem['msg']}") from None
    given = [name for name in json.loads(found) if name in schema.model_fields]
    if given != [name for name in schema.model_fields if name in given]:
        raise OffSchema("gives its fields in another order, the score before the reason")
    return value
