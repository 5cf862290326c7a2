"""The tables of the library's index: rows that can be trusted or are found out, and the search over them.

Each row carries a checksum, so that damage inside a page is noticed too. Nothing here touches a result file.
Imports this package's items only.
"""

import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from studio.library.items import Item, is_trashed, live_path, own_id

T = TypeVar("T")
VERSION = 1
PAGE = 1000
_FIELDS = (
    "id", "artifact", "canonical", "path", "live", "trashed", "job", "kind", "media", "size", "created", "title",
    "prompt", "model", "operation", "excerpt", "stamp",
)  # fmt: skip
_SCHEMA = f"""
CREATE TABLE about (folder TEXT);
CREATE TABLE items (key INTEGER PRIMARY KEY, id TEXT UNIQUE, artifact TEXT, canonical INT, path TEXT UNIQUE,
  live TEXT, trashed INT, job TEXT, kind TEXT, media TEXT, size INT, created REAL, title TEXT, prompt TEXT,
  model TEXT, operation TEXT, excerpt TEXT, stamp TEXT, sum INT);
CREATE INDEX newest ON items (trashed, created DESC, live);
CREATE INDEX kinds ON items (trashed, kind, created DESC, live);
CREATE INDEX claims ON items (artifact);
CREATE INDEX places ON items (live);
CREATE VIRTUAL TABLE words
  USING fts5(title, prompt, text, model, tokenize='unicode61 remove_diacritics 2', prefix='2 3');
PRAGMA user_version = {VERSION};
"""


class Damaged(sqlite3.DatabaseError):
    """The tables do not hold together."""


class Newer(sqlite3.DatabaseError):
    """The tables were made by a newer version."""


class Store:
    """One open index; in memory without a file. Raises sqlite3.DatabaseError when it cannot be trusted."""

    def __init__(self, file: Path | None):
        self.file = file
        # A lost index is made again from the files, so it need not survive a power cut: no sync.
        self._db = sqlite3.connect(str(file or ":memory:"), timeout=10, check_same_thread=False, isolation_level=None)
        try:
            self._db.row_factory = sqlite3.Row
            self._db.execute("PRAGMA journal_mode = TRUNCATE")
            self._db.execute("PRAGMA synchronous = OFF")
            self.fresh = self._prepare()
        except sqlite3.Error:
            self._db.close()
            raise

    def close(self) -> None:
        self._db.close()

    def transaction(self, work: Callable[[], T]) -> T:
        """Runs `work`; all of it is kept, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            result = work()
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
        return result

    def folder(self) -> str:
        row = self._db.execute("SELECT folder FROM about").fetchone()
        return row[0] if row else ""

    def clear(self, folder: str) -> None:
        """Empties the tables, which are about `folder` from now on."""
        for table in ("items", "words", "about"):
            self._db.execute(f"DELETE FROM {table}")
        self._db.execute("INSERT INTO about VALUES (?)", (folder,))

    def put(self, item: Item) -> set[str]:
        """Adds the item, or replaces the one at its path. Returns the ids that now mean something else."""
        touched = self.drop(item.path)
        values = {name: getattr(item, name) for name in _FIELDS if name not in ("id", "live", "trashed", "canonical")}
        values |= {"id": None, "live": live_path(item.path), "trashed": int(is_trashed(item.path))}
        values |= {"canonical": int(item.canonical), "sum": 0}
        marks = ", ".join(f":{name}" for name in values)
        key = self._db.execute(f"INSERT INTO items ({', '.join(values)}) VALUES ({marks})", values).lastrowid
        words = (key, item.title, item.searched_prompt, item.searched_text, item.model)
        self._db.execute("INSERT INTO words (rowid, title, prompt, text, model) VALUES (?, ?, ?, ?, ?)", words)
        return touched | self._settle(item.artifact, values["live"])

    def drop(self, path: str) -> set[str]:
        """Removes the item at `path`, if there is one. Returns the ids that now mean something else."""
        row = self._db.execute("SELECT key, id, artifact, live FROM items WHERE path = ?", (path,)).fetchone()
        if row is None:
            return set()
        self._db.execute("DELETE FROM items WHERE key = ?", (row["key"],))
        self._db.execute("DELETE FROM words WHERE rowid = ?", (row["key"],))
        return {row["id"]} | self._settle(row["artifact"], row["live"])

    def get(self, identity: str) -> sqlite3.Row | None:
        return self._db.execute("SELECT * FROM items WHERE id = ?", (identity,)).fetchone()

    def by_path(self, path: str) -> sqlite3.Row | None:
        return self._db.execute("SELECT * FROM items WHERE path = ?", (path,)).fetchone()

    def stamps(self) -> dict[str, str]:
        return dict(self._db.execute("SELECT path, stamp FROM items").fetchall())

    def trashed(self) -> list[sqlite3.Row]:
        return self._db.execute("SELECT * FROM items WHERE trashed = 1").fetchall()

    def page(
        self, query: str, kind: str, trashed: bool, offset: int, limit: int
    ) -> tuple[int, list[sqlite3.Row]]:  # fmt: skip
        """How many items match, and those from `offset` on, newest first."""
        tests: list[str] = ["trashed = ?"]
        values: list[Any] = [int(trashed)]
        if kind:
            tests.append("kind = ?")
            values.append(kind)
        for test, value in _conditions(query):
            tests.append(f"key IN (SELECT rowid FROM words WHERE {test})")
            values.append(value)
        where = " AND ".join(tests)
        total = self._db.execute(f"SELECT count(*) FROM items WHERE {where}", values).fetchone()[0]
        order = "ORDER BY created DESC, live, id LIMIT ? OFFSET ?"
        clamped = [max(0, min(limit, PAGE)), max(0, min(offset, 1 << 40))]
        rows = self._db.execute(f"SELECT * FROM items WHERE {where} {order}", [*values, *clamped]).fetchall()
        return total, rows

    def _prepare(self) -> bool:
        """Whether the tables had to be made. Raises Newer, Damaged or sqlite3.DatabaseError."""
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise Newer(f"version {version}")
        if version < VERSION:
            if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise Damaged("no version")
            self._db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
            return True
        self._verify()
        return False

    def _verify(self) -> None:
        found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise Damaged(found)
        count = 0
        for row in self._db.execute(f"SELECT sum, {', '.join(_FIELDS)} FROM items"):
            if row[0] != _sum(tuple(row)[1:]):
                raise Damaged(f"the row of {row['path']!r}")
            count += 1
        if count != self._db.execute("SELECT count(*) FROM words").fetchone()[0]:
            raise Damaged("words and items differ")
        self._db.execute("INSERT INTO words (words, rank) VALUES ('integrity-check', 1)")

    def _settle(self, artifact: str, live: str) -> set[str]:
        """Gives ids to all rows whose id depends on the claim `artifact` or the place `live`.

        Of several files with one claim, the one under its published name has the id, then the first by path:
        the same whatever order the files were found in.
        """
        asked = "SELECT key, id, path, live, artifact, trashed FROM items WHERE live = ?"
        claims = " OR artifact = ?" if artifact else ""
        rows = self._db.execute(asked + claims, (live, artifact) if artifact else (live,)).fetchall()
        wanted = {row["key"]: self._identity(row) for row in rows}
        changed = [row for row in rows if row["id"] != wanted[row["key"]]]
        self._db.executemany("UPDATE items SET id = NULL WHERE key = ?", [(row["key"],) for row in changed])
        for row in changed:
            self._db.execute("UPDATE items SET id = ? WHERE key = ?", (wanted[row["key"]], row["key"]))
            full = self._db.execute(f"SELECT {', '.join(_FIELDS)} FROM items WHERE key = ?", (row["key"],)).fetchone()
            self._db.execute("UPDATE items SET sum = ? WHERE key = ?", (_sum(tuple(full)), row["key"]))
        return {wanted[row["key"]] for row in changed} | {row["id"] for row in changed if row["id"]}

    def _identity(self, row: sqlite3.Row) -> str:
        if row["artifact"]:
            first = "SELECT key FROM items WHERE artifact = ? ORDER BY canonical DESC, live, trashed LIMIT 1"
            if self._db.execute(first, (row["artifact"],)).fetchone()[0] == row["key"]:
                return row["artifact"]
        twin = "SELECT 1 FROM items WHERE live = ? AND key != ?"
        if row["trashed"] and self._db.execute(twin, (row["live"], row["key"])).fetchone():
            return own_id(row["path"])
        return own_id(row["live"])


def _sum(values: tuple[Any, ...]) -> int:
    return zlib.crc32(repr(values).encode("utf-8", "replace"))


def _conditions(query: str) -> list[tuple[str, str]]:
    """Tests on the table of words, one a word of the query: the beginning of a word, or any part of a text.

    Scripts without spaces are one long word to the tokenizer, and signs are none, so those are looked for
    anywhere.
    """
    found: list[tuple[str, str]] = []
    for word in query.replace("\x00", " ").replace('"', " ").split()[:32]:
        word = word[:100].encode("utf-8", "ignore").decode("utf-8")
        if any(character.isalnum() for character in word) and all(ord(c) < 0x0E00 for c in word):
            found.append(("words MATCH ?", f'"{word}"*'))
        elif word:
            escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            anywhere = "title || char(10) || prompt || char(10) || text || char(10) || model"
            found.append((f"{anywhere} LIKE ? ESCAPE '\\'", f"%{escaped}%"))
    return found
