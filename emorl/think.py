"""Private thoughts: telling the think block of a completion from the reply that the user sees."""

from __future__ import annotations

OPEN, CLOSE = "<think>", "</think>"


def split_think(text: str) -> tuple[str, str]:
    """The think part and the visible reply.

    Everything up to the last `</think>` and after an unclosed `<think>` is thought, so that no thought ever reaches the
    user. A leading `<think>` may be missing, since some chat templates put it into the prompt. Of a malformed completion
    the stray tags stay inside the think part, where `ThinkFormat` finds them.

    >>> split_think("<think>He lost his dog.</think> I am so sorry.")
    ('He lost his dog.', 'I am so sorry.')
    >>> split_think("I am so sorry.")
    ('', 'I am so sorry.')
    """
    thought, _, tail = text.rpartition(CLOSE)
    reply, unclosed, rest = tail.partition(OPEN)
    return (thought.strip().removeprefix(OPEN) + unclosed + rest).strip(), reply.strip()


def well_formed(think: str, reply: str) -> bool:
    """Whether the two parts come from exactly one think block, not empty, before a reply that is not empty."""
    return bool(think.strip() and reply.strip()) and not any(tag in part for tag in (OPEN, CLOSE) for part in (think, reply))
