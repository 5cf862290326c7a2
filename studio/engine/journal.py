"""The durable queue: one SQLite file, one connection, one thread that uses it.

WAL with synchronous=FULL: what `commit` returned from survives a killed process and a power cut. Payloads
are JSON with a checksum each. SQLite before 3.51.3 can corrupt a WAL that one connection writes while another
checkpoints, so there is never a second one: the file is locked for as long as it is open, which also keeps
out a second engine whose runtime folder is another one.
"""

import contextlib
import json
import logging
import os
import shutil
import sqlite3
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.engine import crash
from studio.errors import StudioError

log = logging.getLogger(__name__)
SCHEMA = 1
RESERVE = 4 << 20
BACKUPS = 3
BACKUP_AGE_S = 20 * 3600
CREATE = """
CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, sum INTEGER NOT NULL,
  payload TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

# Primary result codes of SQLite.
BUSY, IO_ERROR, CORRUPT, FULL, NOT_A_DATABASE = 5, 10, 11, 13, 26

Row = tuple[str, int, int, str]


class Damaged(Exception):
    """The file broke under its reader; what memory holds must be written to a new one."""


@dataclass(slots=True)
class Commit:
    """What one transaction makes durable. `saves` maps job id to its row; the last state of a job wins."""

    saves: dict[str, Row] = field(default_factory=dict)
    erases: set[str] = field(default_factory=set)
    meta: dict[str, str] = field(default_factory=dict)

    def save(self, job: dict[str, Any]) -> None:
        payload = json.dumps(job)
        self.saves[job["id"]] = (job["id"], job["seq"], zlib.crc32(payload.encode()), payload)
        self.erases.discard(job["id"])

    def erase(self, id: str) -> None:
        self.saves.pop(id, None)
        self.erases.add(id)

    def merge(self, later: "Commit") -> None:
        for row in later.saves.values():
            self.saves[row[0]] = row
            self.erases.discard(row[0])
        for id in later.erases:
            self.erase(id)
        self.meta.update(later.meta)

    def __bool__(self) -> bool:
        return bool(self.saves or self.erases or self.meta)


class Journal:
    """Opens the file, puts a broken or newer one aside, and says so in `notices`."""

    def __init__(self, path: Path):
        self.path = path
        self.notices: list[StudioError] = []
        self._reserve = path.with_name(path.name + ".reserve")
        self._backups = path.with_name("backups")
        self._db = self._open_whatever()
        self.keep_reserve()

    def load(self) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """All jobs in the order of their submission, and the meta values."""
        rows = self._db.execute("SELECT payload FROM jobs ORDER BY seq")
        return [json.loads(payload) for (payload,) in rows], dict(self._db.execute("SELECT key, value FROM meta"))

    def commit(self, work: Commit, *, spend_reserve: bool = True) -> None:
        """Makes `work` durable before it returns. Raises StudioError code "disk-full" or "journal", and Damaged.

        On a full disk the reserve is given up for it, unless it can as well be refused.
        """
        crash.point("commit.before")
        try:
            self._write(work)
        except sqlite3.DatabaseError as error:
            if _code(error) in (CORRUPT, NOT_A_DATABASE):
                raise Damaged(str(error)) from error
            if _code(error) not in (FULL, IO_ERROR) or not spend_reserve or not self._free_reserve():
                raise self._refused(error) from error
            try:
                self._write(work)
            except sqlite3.DatabaseError as again:
                raise self._refused(again) from again
        crash.point("commit.after")

    def begin_anew(self, everything: Commit, why: str) -> StudioError:
        """Puts a file that broke aside and writes a new one from memory; what to say about it."""
        self.close()
        aside = self._put_aside("broken")
        self._db = self._open()
        self._write(everything)
        return StudioError(
            "The queue's file was damaged while it was used",
            f"{why}. It was kept as {aside.name}; the queue was written anew and nothing is lost.",
            "Check the disk.",
            code="journal",
        )

    def backup(self, *, at_least_s: float = BACKUP_AGE_S) -> None:
        """Keeps the newest few copies, one at most every `at_least_s`. A copy that cannot be made is only logged."""
        copies = self._copies()
        if copies and time.time() - copies[0].stat().st_mtime < at_least_s:
            return
        target = self._backups / f"journal-{time.time_ns()}.sqlite"
        partial = target.with_suffix(".partial")
        try:
            self._backups.mkdir(exist_ok=True)
            for left in self._backups.glob("*.partial*"):
                left.unlink()
            self._db.execute("VACUUM INTO ?", (str(partial),))
            _sync(partial)
            crash.point("backup.before_rename")
            partial.rename(target)
        except (sqlite3.Error, OSError) as error:
            log.info("no backup of the journal: %s", error)
            partial.unlink(missing_ok=True)
            return
        for old in self._copies()[BACKUPS:]:
            old.unlink(missing_ok=True)

    def keep_reserve(self) -> None:
        """Makes sure of a file that is given up when the disk is full: even deleting a row needs room."""
        if self._reserve.exists():
            return
        partial = self._reserve.with_name(self._reserve.name + ".partial")
        try:
            with partial.open("wb") as file:
                file.write(os.urandom(RESERVE))  # what compresses well would free nothing
                file.flush()
                os.fsync(file.fileno())
            partial.rename(self._reserve)
        except OSError as error:
            log.info("no reserve for a full disk: %s", error)
            partial.unlink(missing_ok=True)

    def close(self) -> None:
        self._db.close()

    def _write(self, work: Commit) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            if work.saves:
                db.executemany("INSERT OR REPLACE INTO jobs VALUES (?, ?, ?, ?)", work.saves.values())
            if work.erases:
                db.executemany("DELETE FROM jobs WHERE id = ?", [(id,) for id in work.erases])
            if work.meta:
                db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", work.meta.items())
            crash.point("commit.inside")
            db.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    def _refused(self, error: sqlite3.Error) -> StudioError:
        full = _code(error) == FULL
        return StudioError(
            "The disk is full: the queue cannot be saved" if full else "The queue cannot be saved",
            f"{self.path}: {error}.",
            "Free some space; nothing that was accepted is lost." if full else "Check the disk and the folder.",
            code="disk-full" if full else "journal",
        )

    # Opening ------------------------------------------------------------------------------------------

    def _open_whatever(self) -> sqlite3.Connection:
        if not self.path.exists():
            self._put_tails_aside()
        try:
            return self._open()
        except _Newer as newer:
            aside = self._put_aside("newer")
            self.notices.append(
                StudioError(
                    "The queue was written by a newer version",
                    f"It is of version {newer} and was kept as {aside.name}. A new queue was begun.",
                    "Update the application to use it again.",
                    code="journal",
                )
            )
        except Damaged as error:
            aside = self._put_aside("broken")
            self.notices.append(
                StudioError(
                    "The queue's file was damaged",
                    f"{error}. It was kept as {aside.name}; {self._restore()}",
                    "Finished results are in the library as before.",
                    code="journal",
                )
            )
        return self._open()

    def _open(self) -> sqlite3.Connection:
        """Raises _Newer, Damaged, and StudioError when the file cannot be used for a reason outside of it."""
        db = None
        try:
            db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            self._prepare(db)
        except BaseException as error:
            if db is not None:
                db.close()
            if not isinstance(error, sqlite3.DatabaseError):
                raise
            if _code(error) == FULL and self._free_reserve():
                return self._open()
            if _code(error) == BUSY:
                raise StudioError(
                    "The queue is in use",
                    f"Another engine has {self.path} open.",
                    "Close the other application that uses this data folder.",
                    code="in-use",
                ) from None
            if _is_outside(error):
                raise self._refused(error) from error
            raise Damaged(str(error)) from error
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        db.execute("PRAGMA busy_timeout=2000")
        db.execute("PRAGMA locking_mode=EXCLUSIVE")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA:
            raise _Newer(version)
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise Damaged(found)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA journal_size_limit=16777216")
        db.executescript(CREATE)
        if version != SCHEMA:
            db.execute(f"PRAGMA user_version={SCHEMA}")
        for id, sum, payload in db.execute("SELECT id, sum, payload FROM jobs"):
            if not isinstance(payload, str) or zlib.crc32(payload.encode("utf-8", "surrogatepass")) != sum:
                raise Damaged(f"the row of job {id!r} is not what was written")
        db.execute("SELECT key, value FROM meta").fetchall()

    def _put_aside(self, why: str) -> Path:
        aside = self.path.with_name(f"{self.path.stem}.{why}-{time.time_ns()}{self.path.suffix}")
        self.path.rename(aside)
        self._put_tails_aside(aside)
        return aside

    def _put_tails_aside(self, aside: Path | None = None) -> None:
        """Moves the log of a file that is gone: SQLite would play it into the next one."""
        aside = aside or self.path.with_name(f"{self.path.stem}.lost-{time.time_ns()}{self.path.suffix}")
        for tail in ("-wal", "-shm"):
            beside = self.path.with_name(self.path.name + tail)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + tail))

    def _restore(self) -> str:
        """Puts the newest copy that can be read in place; how that went, as the end of a sentence."""
        for copy in self._copies():
            partial = self.path.with_name(self.path.name + ".partial")
            shutil.copyfile(copy, partial)
            _sync(partial)
            partial.rename(self.path)
            try:
                self._open().close()
            except (Damaged, _Newer):
                self.path.unlink()
                self._put_tails_aside()
                continue
            when = time.strftime("%d %B %H:%M", time.localtime(copy.stat().st_mtime))
            return f"a copy of {when} was put in its place."
        return "there was no copy of it, so a new queue was begun."

    def _copies(self) -> list[Path]:
        return sorted(self._backups.glob("journal-*.sqlite"), reverse=True)

    def _free_reserve(self) -> bool:
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True


class _Newer(Exception):
    """The file's schema is of a later version."""


def _code(error: BaseException) -> int:
    """SQLite's primary result code; -1 when the error carries none."""
    code = getattr(error, "sqlite_errorcode", None)
    return -1 if code is None else code & 0xFF


def _is_outside(error: sqlite3.DatabaseError) -> bool:
    """Whether the disk or the folder is at fault. A strange schema, too, is an OperationalError, but the file's."""
    outside = (3, 8, IO_ERROR, FULL, 14, 23)  # no permission, read-only, …, cannot open, authorisation
    return isinstance(error, sqlite3.OperationalError) and _code(error) in outside


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
