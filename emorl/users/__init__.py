"""Simulated users behind one protocol (`emorl.users.base.User`)."""

from __future__ import annotations

from typing import Any

from emorl.users.base import Reaction, Reply, User

__all__ = ["Reaction", "Reply", "User", "make"]


def make(name: str, **options: Any) -> User:
    """A user by name: "appraisal" (options: `backend`, `minilm`). Raises `ValueError` for an unknown name."""
    if name == "appraisal":
        from emorl.users.appraisal_user import AppraisalUser

        return AppraisalUser(**options)
    raise ValueError(f"no user is called {name!r}; there is: appraisal")
