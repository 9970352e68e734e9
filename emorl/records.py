"""JSON for frozen dataclasses: strict reading, exact round trip, errors that name file, line, field and remedy."""

from __future__ import annotations

import dataclasses
import json
import math
import types
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class RecordError(ValueError):
    """A record that cannot be read: says where, which field, and what to do about it."""

    def __init__(self, problem: str, *, where: str = "", field: str = "", remedy: str = "") -> None:
        self.problem, self.where, self.field, self.remedy = problem, where, field, remedy
        place = ": ".join(part for part in (where, f"field {field!r}" if field else "") if part)
        message = f"{place}: {problem}" if place else problem
        super().__init__(f"{message}. {remedy}" if remedy else message)


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def to_dict(record: Any) -> Any:
    """Plain JSON types (dict, list, str, int, float, bool, None) from a record, recursively."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {f.name: to_dict(getattr(record, f.name)) for f in dataclasses.fields(record)}
    if isinstance(record, Mapping):
        return {str(k): to_dict(v) for k, v in record.items()}
    if isinstance(record, list | tuple):
        return [to_dict(v) for v in record]
    return record


def to_json(record: Any) -> str:
    """One line of JSON; refuses NaN and infinities, which are not JSON."""
    return json.dumps(to_dict(record), ensure_ascii=False, allow_nan=False)


def from_dict(cls: type[T], data: Any, *, where: str = "") -> T:
    """Read `cls` from plain JSON types. Raises `RecordError` on anything missing, unknown or of the wrong type."""
    return _read(cls, data, where, "")  # type: ignore[no-any-return]


def from_json(cls: type[T], text: str, *, where: str = "") -> T:
    """Read `cls` from one JSON text."""
    return from_dict(cls, loads(text, where=where), where=where)


def loads(text: str, *, where: str = "") -> Any:
    """`json.loads`, but strict (a name given twice is an error) and with `RecordError`."""
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as err:
        problem = f"not JSON ({err.msg} at column {err.colno})"
        raise RecordError(problem, where=where, remedy="Put one JSON object on each line.") from err
    except RecordError as err:
        raise RecordError(err.problem, where=where, field=err.field, remedy=err.remedy) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        require(names.count(name) == 1, name, "is given twice", "Give it once.")
    return dict(pairs)


def read_jsonl(cls: type[T], path: str | Path) -> Iterator[T]:
    """Records of a JSON-lines file, in order; blank lines are skipped."""
    return (record for _, record in read_lines(cls, path))


def read_lines(cls: type[T], path: str | Path) -> Iterator[tuple[str, T]]:
    """As `read_jsonl`, each record with the place it stands at ("file, line 3"), for checks across lines."""
    for where, line in text_lines(path):
        yield where, from_json(cls, line, where=where)


def text_lines(path: str | Path) -> Iterator[tuple[str, str]]:
    """The lines of a file that are not blank, each with its place ("file, line 3")."""
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            where = f"{path}, line {number}"
            try:
                text = line.decode("utf-8")
            except UnicodeDecodeError as err:
                raise RecordError(f"not UTF-8 (byte {err.start + 1})", where=where, remedy="Save the file as UTF-8.") from err
            if text.strip():
                yield where, text


def _read(hint: Any, value: Any, where: str, field: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _read_optional(hint, args, value, where, field)
    if origin is Literal:
        if value in args:
            return value
        raise RecordError(
            f"{value!r} is not allowed", where=where, field=field, remedy="Use one of: " + ", ".join(map(str, args)) + "."
        )
    if dataclasses.is_dataclass(hint):
        return _read_record(hint, value, where, field)
    if origin is tuple:
        return _read_tuple(args, value, where, field)
    if origin is not None and issubclass(origin, Mapping):
        _expect(dict, value, where, field)
        return {key: _read(args[1], item, where, f"{field}.{key}") for key, item in value.items()}
    return _read_scalar(hint, value, where, field)


def _read_optional(hint: Any, args: tuple[Any, ...], value: Any, where: str, field: str) -> Any:
    if value is None and type(None) in args:
        return None
    (inner,) = [a for a in args if a is not type(None)]
    return _read(inner, value, where, field)


def _read_record(cls: Any, value: Any, where: str, field: str) -> Any:
    _expect(dict, value, where, field)
    hints, prefix = _hints(cls), f"{field}." if field else ""
    known = {f.name: f for f in dataclasses.fields(cls)}
    if unknown := sorted(set(value) - set(known)):
        raise RecordError(
            "unknown field", where=where, field=prefix + unknown[0], remedy=f"{cls.__name__} has: {', '.join(known)}."
        )
    for name, f in known.items():
        optional = f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING
        if name not in value and not optional:
            raise RecordError("missing", where=where, field=prefix + name, remedy=f"Add {name!r} ({f.type}).")
    fields = {name: _read(hints[name], value[name], where, prefix + name) for name in known if name in value}
    try:
        return cls(**fields)
    except RecordError as err:
        raise RecordError(err.problem, where=where, field=prefix + err.field, remedy=err.remedy) from None


def _read_tuple(args: tuple[Any, ...], value: Any, where: str, field: str) -> tuple[Any, ...]:
    _expect(list, value, where, field)
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_read(args[0], item, where, f"{field}[{i}]") for i, item in enumerate(value))
    if len(value) != len(args):
        raise RecordError(f"has {len(value)} entries", where=where, field=field, remedy=f"Give exactly {len(args)}.")
    return tuple(_read(arg, item, where, f"{field}[{i}]") for i, (arg, item) in enumerate(zip(args, value, strict=True)))


def _read_scalar(hint: Any, value: Any, where: str, field: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        # Whole numbers are numbers; beyond 2^53 they would not come back the same.
        value = float(value) if abs(value) <= 2**53 else math.inf
    _expect(hint, value, where, field)
    if hint is float and not math.isfinite(value):
        raise RecordError(f"{value} is not a finite number", where=where, field=field, remedy="Give a finite number.")
    return value


def _expect(kind: type, value: Any, where: str, field: str) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        names = {dict: "an object", list: "a list", str: "text", int: "a whole number", float: "a number", bool: "true or false"}
        wanted = names.get(kind, kind.__name__)
        raise RecordError(f"is {type(value).__name__}, not {wanted}", where=where, field=field, remedy=f"Give {wanted}.")


def require(condition: bool, field: str, problem: str, remedy: str) -> None:
    """Raise `RecordError` for `field` unless `condition` holds (used by the records' own checks)."""
    if not condition:
        raise RecordError(problem, field=field, remedy=remedy)
