"""The library's index: lists and searches what the files say, and is made again from them when in doubt.

Owns one SQLite file, in which nothing is that the result files do not say too, and the trash. Blocking, safe
to use from threads, by one process at a time. Imports sdk, errors and this package's files only.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from studio.errors import StudioError
from studio.library import folder as disk
from studio.library.items import read_item
from studio.library.recipe import read_recipe, text_of, to_json
from studio.library.store import Newer, Store
from studio.sdk.artifact import Artifact, Kind

T = TypeVar("T")
_BATCH = 200
_UNWRITABLE = ("readonly", "read-only", "disk is full", "unable to open", "disk i/o", "permission")


@dataclass
class Changes:
    """Ids that are new or mean something else, and ids that are gone."""

    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


class Index:
    """The index `file` of the library `folder`. `notice` says what happened to it, if anything did."""

    def __init__(self, file: Path | None, folder: Path):
        self.file, self.library = file, folder.absolute()
        self.notice: StudioError | None = None
        self._lock = threading.RLock()
        self._store = self._open()

    def close(self) -> None:
        with self._lock:
            self._store.close()

    def add(self, artifact: Artifact | Path | str) -> dict[str, Any] | None:
        """Reads a published file into the index and returns its item; None when it lies elsewhere or is gone."""
        path = Path(artifact.path if isinstance(artifact, Artifact) else artifact)
        try:
            relative = path.absolute().relative_to(self.library).as_posix()
        except ValueError:
            return None

        def work(store: Store) -> dict[str, Any] | None:
            item = read_item(self.library, relative)
            if item is None:
                return None
            store.put(item)
            row = store.by_path(relative)
            return self._item(row) if row is not None else None

        return self._run(work)

    def list(
        self, query: str = "", kind: str = "", offset: int = 0, limit: int = 200, *, trashed: bool = False
    ) -> dict[str, Any]:
        """{"total", "items"}: what matches every word of `query`, newest first; at most 1,000 at once."""
        total, rows = self._run(lambda store: store.page(query, kind, trashed, offset, limit))
        return {"total": total, "items": [self._item(row) for row in rows]}

    def get(self, identity: str) -> dict[str, Any]:
        """The item with its "recipe" and, of a text, its "text". Raises StudioError "unknown-item"."""
        row = self._row(identity)
        found = self._item(row)
        path = Path(found["path"])
        try:
            found["recipe"] = to_json(read_recipe(path))
        except StudioError as error:
            found["recipe"] = None
            if error.code == "not-found":
                raise
        if row["kind"] == Kind.TEXT:
            found["text"] = text_of(path)
        return found

    def path_of(self, identity: str) -> Path:
        """The file of an item. Raises StudioError "unknown-item"."""
        return disk.inside(self.library, self._row(identity)["path"])

    def places(self, ids: Iterable[str]) -> dict[str, tuple[Path, str]]:
        """Path and kind of those of `ids` that are here; nothing of the files is read."""

        def work(store: Store) -> dict[str, tuple[Path, str]]:
            rows = {identity: store.get(identity) for identity in ids}
            return {
                identity: (self.library / row["path"], row["kind"]) for identity, row in rows.items() if row is not None
            }

        return self._run(work)

    def holds(self, path: Path) -> bool:
        """Whether the file at this place is listed."""
        try:
            relative = path.absolute().relative_to(self.library).as_posix()
        except ValueError:
            return False
        return self._run(lambda store: store.by_path(relative)) is not None

    def trash(self, ids: Iterable[str]) -> Changes:
        """Moves files into the trash; ids stay the same. Files that are gone are reported as removed."""
        return self._move(ids, disk.move_to_trash, into_trash=True)

    def restore(self, ids: Iterable[str]) -> Changes:
        """Moves files back; one whose name was taken meanwhile comes back under another."""
        return self._move(ids, disk.move_back, into_trash=False)

    def empty_trash(self) -> Changes:
        """Deletes what is in the trash for good."""
        changes = Changes()
        with self._lock:
            for row in self._run(lambda store: store.trashed()):
                disk.delete(self.library, row["path"])
                self._run(lambda store, path=row["path"]: store.drop(path))
                changes.removed.append(row["id"])
            disk.clear_trash(self.library)
        return changes

    def reconcile(self) -> Changes:
        """Notices what others added, changed, moved and removed. Reads only files that differ.

        A library that is away (a drive taken out) leaves the index as it is.
        """
        found = disk.listing(self.library)
        if not found.there:
            return Changes()
        known = self._run(lambda store: store.stamps())
        unread = tuple(f"{path}/" for path in found.unread)
        gone = [path for path in known if path not in found.stamps and not path.startswith(unread)]
        differ = [path for path, stamp in found.stamps.items() if known.get(path) != stamp]
        touched: set[str] = set()
        # Files may have been moved since they were listed, but not while the lock is held: looked at again there.
        for start in range(0, len(gone), _BATCH):
            with self._lock:
                batch = [path for path in gone[start : start + _BATCH] if self._is_gone(path)]
                touched |= self._run(lambda store, batch=batch: set().union(*(store.drop(path) for path in batch)))
        for start in range(0, len(differ), _BATCH):
            with self._lock:
                items = [item for path in differ[start : start + _BATCH] if (item := read_item(self.library, path))]
                touched |= self._run(lambda store, items=items: set().union(*(store.put(item) for item in items)))
        return self._run(lambda store: _sorted_out(store, touched))

    def rebuild(self) -> None:
        """Makes the index again from the files."""
        with self._lock:
            self._run(self._fill)

    def _fill(self, store: Store) -> None:
        store.clear(str(self.library))
        for path in sorted(disk.listing(self.library).stamps):
            item = read_item(self.library, path)
            if item is not None:
                store.put(item)

    def _move(self, ids: Iterable[str], move: Callable[[Path, str], str], *, into_trash: bool) -> Changes:
        changes = Changes()
        with self._lock:
            for identity in ids:
                row = self._row(identity)
                if bool(row["trashed"]) == into_trash:
                    continue
                try:
                    path = move(self.library, row["path"])
                except FileNotFoundError:
                    self._run(lambda store, gone=row["path"]: store.drop(gone))
                    changes.removed.append(identity)
                    continue
                item = read_item(self.library, path)

                def work(store: Store, old: str = row["path"], new: Any = item) -> None:
                    store.drop(old)
                    if new is not None:
                        store.put(new)

                self._run(work)
                changes.changed.append(identity)
        return changes

    def _is_gone(self, path: str) -> bool:
        file = self.library / path
        return file.is_symlink() or not file.is_file()

    def _row(self, identity: str) -> sqlite3.Row:
        row = self._run(lambda store: store.get(identity))
        if row is None:
            raise StudioError(
                "This result is not in the library", f"Nothing has the id {identity!r}.", code="unknown-item"
            )
        return row

    def _item(self, row: sqlite3.Row) -> dict[str, Any]:
        names = ("id", "job", "kind", "media", "size", "created", "title", "prompt", "model", "operation", "excerpt")
        item = {name: row[name] for name in names}
        return item | {"path": str(self.library / row["path"]), "trashed": bool(row["trashed"])}

    def _run(self, work: Callable[[Store], T]) -> T:
        """Runs `work` in a transaction; when the index turns out to be damaged, on one made anew."""
        with self._lock:
            try:
                return self._store.transaction(lambda: work(self._store))
            except sqlite3.ProgrammingError:
                raise
            except sqlite3.DatabaseError as error:
                if "locked" in str(error):
                    raise StudioError(
                        "The library's index is busy", str(self.file), "Try again.", code="busy"
                    ) from None
                self._store.close()
                self._store = self._anew(error)
                return self._store.transaction(lambda: work(self._store))

    def _open(self) -> Store:
        try:
            if self.file is not None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
            store = Store(self.file)
        except (OSError, sqlite3.DatabaseError) as error:
            return self._anew(error)
        try:
            if store.fresh or store.folder() != str(self.library):
                store.transaction(lambda: self._fill(store))
        except sqlite3.DatabaseError as error:
            store.close()
            return self._anew(error)
        return store

    def _anew(self, error: Exception) -> Store:
        """A store made from the files: in place of the one that failed, or in memory when nothing can be written."""
        store: Store | None = None
        if self.file is not None and not any(word in str(error).lower() for word in _UNWRITABLE):
            newer = isinstance(error, Newer)
            with contextlib.suppress(OSError, sqlite3.DatabaseError):
                kept = _set_aside(self.file, "newer" if newer else "damaged")
                store = Store(self.file)
                store.transaction(lambda made=store: self._fill(made))
                self.notice = StudioError(
                    "The library's index was made again",
                    f"The old one {'is from a newer version' if newer else 'was damaged'} ({error}). "
                    f"It was kept as {kept.name}. No result is lost: the files are the library.",
                    code="index-rebuilt",
                )
                return store
        if store is not None:
            store.close()
        store = Store(None)
        store.transaction(lambda: self._fill(store))
        self.notice = StudioError(
            "The library's index cannot be written",
            f"{self.file}: {error}. It is kept in memory until the application ends.",
            "Free some space, or make the folder writable.",
            code="index-in-memory",
        )
        return store


def _sorted_out(store: Store, touched: set[str]) -> Changes:
    """Which of the ids mean a file now, and which do not."""
    there = {identity for identity in touched if store.get(identity) is not None}
    return Changes(sorted(there), sorted(touched - there))


def _set_aside(file: Path, why: str) -> Path:
    """Moves the index away, replacing one moved before. Its journal must not meet the next index."""
    kept = file.with_name(f"{file.name}.{why}")
    if file.exists():
        file.replace(kept)
    for ending in ("-journal", "-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)
    return kept
