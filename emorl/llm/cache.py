"""Replies kept on disk: SQLite and JSON, safe for several processes, no pickle."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from emorl.llm.request import Answer


class Cache:
    """Key (`Request.key`) -> reply. Only whole, valid replies are put in; the first one under a key stays.

    Raises `sqlite3.DatabaseError` where `path` is not a database, or not one of ours.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as db:
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID")

    def _connect(self) -> sqlite3.Connection:
        # A connection for each use (about 0.1 ms): it crosses neither threads, nor forks, nor pickles. None: autocommit.
        return sqlite3.connect(self.path, timeout=30.0, isolation_level=None)

    def get(self, key: str) -> Answer | None:
        """The reply under `key`, marked as cached."""
        with closing(self._connect()) as db:
            row = db.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        return None if row is None else Answer(**json.loads(row[0]), cached=True)

    def put(self, key: str, answer: Answer) -> None:
        """Keep a reply; does nothing where there is one already."""
        reply = json.dumps({"text": answer.text, "tokens_in": answer.tokens_in, "tokens_out": answer.tokens_out})
        with closing(self._connect()) as db:
            db.execute("INSERT OR IGNORE INTO replies VALUES (?, ?)", (key, reply))

    def __len__(self) -> int:
        with closing(self._connect()) as db:
            return int(db.execute("SELECT count(*) FROM replies").fetchone()[0])
