"""Simulated users behind one protocol (`emorl.users.base.User`)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from emorl.users.base import Reaction, Reply, User

__all__ = ["NAMES", "Reaction", "Reply", "User", "check_options", "make"]

NAMES = ("appraisal", "sentient")


def make(name: str, **options: Any) -> User:
    """A user by name: "appraisal" (options: those of `AppraisalUser`) or "sentient" (those of `sentient_options.sentient`).

    Raises `ValueError` for an unknown name or option, or one that is missing.
    """
    maker = _maker(name)
    check_options(name, options)
    return maker(**options)


def check_options(name: str, options: dict[str, Any]) -> None:
    """Raise `ValueError` where `options` are not the user's; nothing is loaded."""
    maker = _maker(name)
    try:
        inspect.signature(maker).bind(**options)
    except TypeError as err:
        known = ", ".join(inspect.signature(maker).parameters)
        raise ValueError(f"the user {name!r}: {err}; its options are: {known}") from None


def _maker(name: str) -> Callable[..., User]:
    if name == "appraisal":
        from emorl.users.appraisal_user import AppraisalUser

        return AppraisalUser
    if name == "sentient":
        from emorl.users.sentient_options import sentient

        return sentient
    raise ValueError(f"no user is called {name!r}; there are: {', '.join(NAMES)}")
