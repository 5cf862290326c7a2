"""The durable queue: one SQLite file, one connection, one thread that uses it.

WAL with synchronous=FULL: what `commit` returned from survives a killed process and a power cut. Payloads
are JSON. SQLite before 3.51.3 can corrupt a WAL that one connection writes while another checkpoints, so
there is never a second one.
"""

import contextlib
import json
import logging
import os
import shutil
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.errors import StudioError

log = logging.getLogger(__name__)
SCHEMA = 1
RESERVE = 1 << 20
BACKUPS = 3
BACKUP_AGE_S = 20 * 3600
CREATE = """
CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, seq INTEGER NOT NULL, state TEXT NOT NULL, payload TEXT NOT NULL)
WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""

Row = tuple[str, int, str, str]


@dataclass(slots=True)
class Commit:
    """What one transaction makes durable. `saves` maps job id to its row; the last state of a job wins."""

    saves: dict[str, Row] = field(default_factory=dict)
    erases: set[str] = field(default_factory=set)
    meta: dict[str, str] = field(default_factory=dict)

    def save(self, job: dict[str, Any]) -> None:
        self.saves[job["id"]] = (job["id"], job["seq"], job["state"], json.dumps(job))
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
        self._keep_reserve()

    def load(self) -> tuple[list[dict[str, Any]], dict[str, str]]:
        """All jobs in the order of their submission, and the meta values. A row that is no job is skipped and said."""
        jobs, broken = [], 0
        for (payload,) in self._db.execute("SELECT payload FROM jobs ORDER BY seq"):
            try:
                jobs.append(json.loads(payload))
            except ValueError:
                broken += 1
        if broken:
            self.notices.append(StudioError(f"{broken} entries of the queue could not be read", code="journal"))
        return jobs, dict(self._db.execute("SELECT key, value FROM meta"))

    def commit(self, work: Commit) -> None:
        """Makes `work` durable before it returns. Raises StudioError code "disk-full" or "journal"."""
        try:
            self._write(work)
        except sqlite3.Error as error:
            if not self._free_reserve():
                raise self._refused(error) from error
            try:
                self._write(work)
            except sqlite3.Error as again:
                raise self._refused(again) from again

    def backup(self, *, at_least_s: float = BACKUP_AGE_S) -> None:
        """Keeps the newest few copies, one at most every `at_least_s`. A copy that cannot be made is only logged."""
        copies = self._copies()
        if copies and time.time() - copies[0].stat().st_mtime < at_least_s:
            return
        target = self._backups / f"journal-{time.time_ns()}.sqlite"
        try:
            self._backups.mkdir(exist_ok=True)
            self._db.execute("VACUUM INTO ?", (str(target),))
        except (sqlite3.Error, OSError) as error:
            log.info("no backup of the journal: %s", error)
            target.unlink(missing_ok=True)
            return
        for old in self._copies()[BACKUPS:]:
            old.unlink(missing_ok=True)

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
            db.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            raise

    def _refused(self, error: sqlite3.Error) -> StudioError:
        full = "full" in str(error)
        return StudioError(
            "The disk is full: the queue cannot be saved" if full else "The queue cannot be saved",
            f"{self.path}: {error}.",
            "Free some space; nothing that was accepted is lost." if full else "Check the disk and the folder.",
            code="disk-full" if full else "journal",
        )

    # Opening ------------------------------------------------------------------------------------------

    def _open_whatever(self) -> sqlite3.Connection:
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
        except sqlite3.DatabaseError as error:
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
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA busy_timeout=5000")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA:
                raise _Newer(version)
            (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise sqlite3.DatabaseError(found)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(CREATE)
            db.execute(f"PRAGMA user_version={SCHEMA}")
            db.execute("SELECT count(*), max(seq), max(length(payload)) FROM jobs").fetchone()
        except BaseException:
            db.close()
            raise
        return db

    def _put_aside(self, why: str) -> Path:
        aside = self.path.with_name(f"{self.path.stem}.{why}-{time.time_ns()}{self.path.suffix}")
        self.path.rename(aside)
        for tail in ("-wal", "-shm"):
            beside = self.path.with_name(self.path.name + tail)
            if beside.exists():
                beside.rename(aside.with_name(aside.name + tail))
        return aside

    def _restore(self) -> str:
        """Puts the newest copy that can be read in place; how that went, as the end of a sentence."""
        for copy in self._copies():
            shutil.copyfile(copy, self.path)
            try:
                self._open().close()
            except (sqlite3.DatabaseError, _Newer):
                self.path.unlink()
                continue
            when = time.strftime("%d %B %H:%M", time.localtime(copy.stat().st_mtime))
            return f"a copy of {when} was put in its place."
        return "there was no copy of it, so a new queue was begun."

    def _copies(self) -> list[Path]:
        return sorted(self._backups.glob("journal-*.sqlite"), reverse=True)

    def _keep_reserve(self) -> None:
        """A file that is given up when the disk is full: even deleting a row needs room."""
        if self._reserve.exists():
            return
        try:
            with self._reserve.open("wb") as file:
                file.write(os.urandom(RESERVE))
        except OSError as error:
            log.info("no reserve for a full disk: %s", error)
            self._reserve.unlink(missing_ok=True)

    def _free_reserve(self) -> bool:
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True


class _Newer(Exception):
    """The file's schema is of a later version."""
