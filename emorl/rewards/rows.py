"""From the columns that a trainer hands to a reward function to dialogues."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from emorl.dialogue import Dialogue, Turn
from emorl.records import RecordError, from_json
from emorl.scenario import Scenario, scenario_seed
from emorl.think import split_think
from emorl.users.base import Reaction, Reply, User

Completion = str | Sequence[Mapping[str, Any]]
"""Plain text, or the conversational form: a list of message dicts."""

MEMO_SIZE = 4096
"""Single-turn dialogues kept, so that the user reacts once however many rewards ask."""

_memo: OrderedDict[tuple[str, _Row], Dialogue] = OrderedDict()
# AsyncGRPO and OpenRLHF call rewards from several threads; one lock also keeps two of them from asking twice.
_lock = threading.Lock()


class _Row(NamedTuple):
    scenario: str
    think: str
    reply: str
    seed: int


def dialogues(
    completions: Sequence[Completion],
    dialogue: Sequence[Dialogue | str | None] | None,
    scenario: Sequence[str | None] | None,
    seed: Sequence[int] | None,
    user: User | None,
) -> list[Dialogue]:
    """One dialogue per completion: the one provided, else a single turn with `user` (`None`: the embedded one)."""
    found: dict[int, Dialogue] = {}
    rows: dict[int, _Row] = {}
    for i, completion in enumerate(completions):
        given = dialogue[i] if dialogue is not None else None
        if given is not None:
            found[i] = given if isinstance(given, Dialogue) else from_json(Dialogue, given, where=f"row {i}, column 'dialogue'")
            continue
        text = scenario[i] if scenario is not None else None
        if text is None:
            raise RecordError(
                "has neither a 'dialogue' nor a 'scenario'",
                where=f"row {i}",
                remedy="Train on emorl.scenarios.load('train').to_dataset(), or give your dataset a column 'scenario' with the "
                "JSON text of a Scenario (emorl.records.to_json).",
            )
        rows[i] = _Row(text, *read_completion(completion), seed[i] if seed is not None else scenario_seed(_scenario(text).id))
    if rows:
        reacted = _react_once(list(rows.values()), user or default_user())
        found |= dict(zip(rows, reacted, strict=True))
    return [found[i] for i in range(len(completions))]


def read_completion(completion: Completion) -> tuple[str, str]:
    """The think part and the visible reply of a completion: its text, or its last assistant message."""
    if isinstance(completion, str):
        return split_think(completion)
    message = next((m for m in reversed(completion) if m.get("role", "assistant") == "assistant"), None)
    if message is None:
        raise RecordError("a completion has no assistant message", remedy="Give text, or messages with role 'assistant'.")
    content = message.get("content") or ""
    if not isinstance(content, str):
        content = "".join(part.get("text", "") for part in content)
    # Where the tokenizer has a response template, TRL has already taken the thoughts out of the content.
    think = message.get("reasoning_content") or message.get("thinking")
    return (think.strip(), content.strip()) if think else split_think(content)


@cache
def default_user() -> User:
    """The embedded user, made once per process (rewards are pickled without it)."""
    from emorl.users import make

    return make("appraisal")


@lru_cache(maxsize=1024)
def _scenario(text: str) -> Scenario:
    return from_json(Scenario, text, where="column 'scenario'")


def _react_once(rows: Sequence[_Row], user: User) -> list[Dialogue]:
    """The dialogue of each row; the user sees each distinct row that the memo does not hold once, all in one batch."""
    with _lock:
        known = {row: _memo[user.fingerprint, row] for row in rows if (user.fingerprint, row) in _memo}
        new = [row for row in dict.fromkeys(rows) if row not in known]
        if new:
            about = [_scenario(row.scenario) for row in new]
            if user.needs_apt_path and (without := [s.id for s in about if s.apt_path is None]):
                problem = f"the user {user.fingerprint!r} needs an apt_path"
                raise RecordError(problem, where=f"scenario {without[0]!r}", field="apt_path", remedy="Give the scenario one.")
            states = user.reset(about, [row.seed for row in new])
            reactions = user.react(states, [Reply(row.reply) for row in new])
            known |= {row: _dialogue(row, reaction, user) for row, reaction in zip(new, reactions, strict=True)}
        for row in dict.fromkeys(rows):
            _memo[user.fingerprint, row] = known[row]
            _memo.move_to_end((user.fingerprint, row))
        while len(_memo) > MEMO_SIZE:
            _memo.popitem(last=False)
    return [known[row] for row in rows]


def _dialogue(row: _Row, reaction: Reaction, user: User) -> Dialogue:
    """A talk of one planned turn."""
    scenario = _scenario(row.scenario)
    if reaction.failure:  # what was said is kept, the feeling stays where it was
        turn = Turn(row.reply, scenario.level, 0.0, think=row.think)
        return Dialogue(scenario, (turn,), 1, "turn_limit", "failed", reaction.failure, user.fingerprint, seed=row.seed)
    turn = Turn(row.reply, reaction.emotion, reaction.change, reaction.words, row.think, reaction.components)
    return Dialogue(scenario, (turn,), 1, reaction.ending or "turn_limit", user=user.fingerprint, seed=row.seed)
