"""Packaged scenarios, and the loader for your own.

>>> from emorl.scenarios import load
>>> scenarios = load("dev")
>>> scenarios[0].id in scenarios.ids
True
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from emorl.records import RecordError, loads, read_lines, text_lines, to_json
from emorl.scenario import Scenario

if TYPE_CHECKING:
    from datasets import Dataset

DATA = Path(__file__).parent / "data"
SPLITS = ("train", "dev", "heldout")
DEFAULT_SYSTEM_PROMPT = "You are a kind friend. Answer in two short sentences."


class ScenarioSet(Sequence[Scenario]):
    """Scenarios in file order, with unique ids and openings."""

    def __init__(self, scenarios: Sequence[Scenario]) -> None:
        self._scenarios = tuple(scenarios)
        self._by_id = {s.id: s for s in self._scenarios}

    @overload
    def __getitem__(self, index: int) -> Scenario: ...
    @overload
    def __getitem__(self, index: slice) -> ScenarioSet: ...
    def __getitem__(self, index: int | slice) -> Scenario | ScenarioSet:
        return ScenarioSet(self._scenarios[index]) if isinstance(index, slice) else self._scenarios[index]

    def __len__(self) -> int:
        return len(self._scenarios)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids, in order."""
        return tuple(self._by_id)

    def by_id(self, scenario_id: str) -> Scenario:
        """The scenario of that id; raises `KeyError`."""
        return self._by_id[scenario_id]

    def rows(self, system_prompt: str | None = DEFAULT_SYSTEM_PROMPT) -> list[dict[str, Any]]:
        """What a dataset holds: `prompt`, the system message (`None`: without) and the user's opening as chat messages,
        and `scenario`, its JSON text (one column of text: no schema union of Arrow's can touch it)."""
        system = [] if system_prompt is None else [{"role": "system", "content": system_prompt}]
        return [{"prompt": [*system, {"role": "user", "content": s.opening}], "scenario": to_json(s)} for s in self]

    def to_dataset(self, system_prompt: str | None = DEFAULT_SYSTEM_PROMPT) -> Dataset:
        """A `datasets.Dataset` for any TRL trainer that samples from prompts, with the columns of `rows`."""
        from datasets import Dataset

        return Dataset.from_list(self.rows(system_prompt))


def load(split_or_path: str | Path) -> ScenarioSet:
    """A packaged split ("train", "dev", "heldout") or a JSON-lines file of scenarios.

    Raises `RecordError`, naming file, line, field and remedy, where a line cannot be read or repeats an id or an opening.
    """
    path = _path(split_or_path)
    scenarios: list[Scenario] = []
    seen: dict[tuple[str, str], str] = {}
    for where, scenario in read_lines(Scenario, path):
        for field, key in (("id", scenario.id), ("opening", opening_key(scenario))):
            if (field, key) in seen:
                first = seen[field, key]
                raise RecordError(
                    f"repeats that of {first}", where=where, field=field, remedy=f"Give every scenario its own {field}."
                )
            seen[field, key] = where
        scenarios.append(scenario)
    if not scenarios:
        raise RecordError("holds no scenario", where=str(path), remedy="Put one JSON object on each line.")
    return ScenarioSet(scenarios)


def replies(split: str, kind: str = "good") -> Mapping[str, tuple[str, ...]]:
    """The hand-written replies of a packaged split: scenario id -> replies.

    `kind`: "good", two or three sentences as a thoughtful person would write them, or "plain", short and simple, for
    models that can manage no more.
    """
    path = DATA / f"replies_{split}.jsonl"
    if not path.is_file():
        known = ", ".join(sorted(p.stem.removeprefix("replies_") for p in DATA.glob("replies_*.jsonl")))
        raise FileNotFoundError(f"no packaged replies for split {split!r}; there are: {known}")
    return dict(_read_replies(path, kind))


def _read_replies(path: Path, kind: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    for where, line in text_lines(path):
        row = loads(line, where=where)
        if not row.get(kind):
            raise RecordError("is missing or empty", where=where, field=kind, remedy=f"Give at least one {kind} reply.")
        yield row["id"], tuple(row[kind])


def _path(split_or_path: str | Path) -> Path:
    """The file that is meant; a split's name wins over a file of that name."""
    path = DATA / f"{split_or_path}.jsonl" if split_or_path in SPLITS else Path(split_or_path)
    if not path.is_file():
        raise FileNotFoundError(f"{split_or_path!s} is neither a packaged split ({', '.join(SPLITS)}) nor a file")
    return path


def opening_key(scenario: Scenario) -> str:
    """For comparison: case and spacing do not make another opening."""
    return " ".join(scenario.opening.casefold().split())
