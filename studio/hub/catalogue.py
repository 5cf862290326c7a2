"""The models on this machine: found below the chosen folders, remembered while nothing in them changed.

Owns the list, the ids and the memory file. Blocking; call it from a thread. Imports paths, errors, sdk,
library.atomic and this package's files only.
"""

import hashlib
import json
import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from studio.errors import StudioError
from studio.hub import companions, inspect, pipeline
from studio.hub.checked_json import read_json
from studio.hub.entry import ModelEntry
from studio.hub.walk import FOLDER_LIMIT, Place, Walk, place_of
from studio.library import atomic
from studio.paths import bundled

RULES = 7  # raised when a look at the same files may say something else than before
_MEMORY_LIMIT = 256 << 20


@dataclass(frozen=True)
class Folder:
    """A folder that is looked at. problem: why it could not be, or not completely."""

    path: str
    models: int
    bundled: bool
    problem: dict[str, Any] | None = None


@dataclass(frozen=True)
class _Seen:
    """What a look at a folder found when its files had this signature."""

    signature: str
    entries: tuple[ModelEntry, ...]


class Catalogue:
    """The models below `folders` and those shipped with the application."""

    def __init__(self, folders: Iterable[Path | str], cache_file: Path | None, shipped: Path | None = None):
        self._roots = [Path(folder) for folder in folders]
        self._shipped = bundled("assets") / "models" if shipped is None else shipped
        self._cache_file = cache_file
        self._lock = threading.Lock()
        self._seen: dict[str, _Seen] | None = None
        self._models: list[ModelEntry] | None = None
        self._folders: list[Folder] = []

    @property
    def folders(self) -> list[Folder]:
        """The folders as the last scan found them."""
        return list(self._folders)

    def set_folders(self, folders: Iterable[Path | str]) -> None:
        """Other folders; scan() looks at them."""
        self._roots = [Path(folder) for folder in folders]

    def scan(self) -> list[ModelEntry]:
        """Looks at every folder, and again into those that changed. Never raises for what is in them."""
        with self._lock:
            before = self._remembered()
            now: dict[str, _Seen] = {}
            models: dict[str, ModelEntry] = {}
            folders: list[Folder] = []
            done: set[str] = set()
            for root, shipped in [(self._shipped, True), *((root, False) for root in self._roots)]:
                if (real := os.path.realpath(root)) in done:
                    continue
                done.add(real)
                folders.append(self._scan_root(root, shipped, before, now, models))
            if now.keys() != before.keys() or any(before[path] is not seen for path, seen in now.items()):
                self._seen = now
                self._remember(now)
            found = companions.paired(models.values())
            self._models = sorted(found, key=lambda entry: (not entry.starter, entry.id.lower(), entry.id))
            self._folders = folders
            return list(self._models)

    def models(self, capability: str = "") -> list[ModelEntry]:
        """What the last scan found (a first one is made when there was none), broken ones included.

        Those that were made for `capability` come first; the first usable one is its default.
        """
        found = self.scan() if self._models is None else self._models
        fitting = [entry for entry in found if entry.can(capability)]
        return sorted(fitting, key=lambda entry: not entry.suits(capability))

    def find(self, ref: str, capability: str = "") -> ModelEntry:
        """The model with the id or path `ref`; "" is the default one for `capability`.

        A path may lie outside the folders. Raises StudioError "unknown-model" with what there is instead;
        a broken model is returned: its `require_usable()` raises.
        """
        models, fitting = self.models(), self.models(capability)
        if not ref:
            usable = [entry for entry in fitting if entry.problem is None]
            if usable:
                return usable[0]
            raise StudioError(
                "There is no model for this yet",
                f"No folder holds a usable model for {capability or 'anything'}.",
                "Add a folder with models in the Models panel.",
                code="unknown-model",
            )
        for test in (lambda entry: entry.id == ref, lambda entry: entry.path == ref):
            if match := next(filter(test, models), None):
                return match
        named = [entry for entry in fitting if entry.title == ref]
        if len(named) == 1:
            return named[0]
        if (outside := _outside(ref)) is not None:
            return next(companions.paired([outside], beside=models))
        raise _unknown(ref, fitting)

    def _scan_root(
        self, root: Path, shipped: bool, before: dict[str, _Seen], now: dict[str, _Seen], models: dict[str, ModelEntry]
    ) -> Folder:
        walk = Walk(root)
        count = 0
        for place in walk.places():
            path = str(place.path)
            if path in now:  # below two of the chosen folders
                continue
            signature = _signature(place)
            known = before.get(path)
            if known is None or known.signature != signature:
                known = _Seen(signature, tuple(_look(place)))
            now[path] = known
            for entry in known.entries:
                identity = _identity(place, entry, models)
                models[identity] = _named(entry, identity, shipped)
                count += 1
        if walk.problem is not None:
            # A drive that is away comes back: what was known below it stays in memory.
            prefix = str(root) + os.sep
            now.update({path: seen for path, seen in before.items() if path == str(root) or path.startswith(prefix)})
        return Folder(str(root), count, shipped, _trouble(root, walk, shipped))

    def _remembered(self) -> dict[str, _Seen]:
        if self._seen is None:
            self._seen = _load(self._cache_file)
        return self._seen

    def _remember(self, now: dict[str, _Seen]) -> None:
        if self._cache_file is None:
            return
        places = {path: [seen.signature, [e.model_dump() for e in seen.entries]] for path, seen in now.items()}
        try:
            self._cache_file.parent.mkdir(parents=True, exist_ok=True)
            data = json.dumps({"rules": RULES, "places": places}, separators=(",", ":"))
            atomic.write_file(self._cache_file, data.encode("ascii"))
        except (StudioError, OSError):
            return  # the next start looks again; nothing is lost but time


def _look(place: Place) -> Iterator[ModelEntry]:
    """The models of a place. Ids are given later: they depend on the other models."""
    if place.kind == "pipeline":
        yield pipeline.diffusers(place.path, set(place.names), place.identity)
    elif place.kind == "model":
        if _is_model(place):
            yield inspect.huggingface(place.path, place.names, place.identity)
    else:
        for name in sorted(place.names):
            if inspect.WEIGHTS.search(name) or inspect.MODEL_PICKLES.match(name) or name.lower().endswith(".gguf"):
                yield inspect.lone_file(place.path / name, f"{place.identity}/{name}".removeprefix("/"))


def _is_model(place: Place) -> bool:
    """Many programs have a config.json: without weights beside it, it must speak of a model."""
    if any(inspect.WEIGHTS.search(name) or inspect.PICKLES.search(name) for name in place.names):
        return True
    if any(name.endswith(".safetensors.index.json") for name in place.names):
        return True
    try:
        config = read_json(place.path / "config.json")
    except StudioError:
        return any(name in place.names for name in inspect.TOKENIZERS)
    return "model_type" in config or "architectures" in config


def _identity(place: Place, entry: ModelEntry, taken: dict[str, ModelEntry]) -> str:
    wanted = entry.id if entry.layout == "file" else inspect.shown(place.identity)
    if wanted not in taken:
        return wanted
    return f"{wanted}@{hashlib.sha256(os.fsencode(entry.path)).hexdigest()[:8]}"


def _named(entry: ModelEntry, identity: str, starter: bool) -> ModelEntry:
    if entry.id == identity and entry.starter == starter:
        return entry
    return entry.model_copy(update={"id": identity, "title": identity.rsplit("/", 1)[-1], "starter": starter})


def _signature(place: Place) -> str:
    text = repr((place.kind, place.identity, place.marks))
    return hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def _outside(ref: str) -> ModelEntry | None:
    """A model that `ref` is the path of, in no chosen folder."""
    path = Path(os.path.expanduser(ref))  # noqa: PTH111  Path.expanduser() raises for an unknown user
    try:
        if not path.is_absolute() or not path.exists():
            return None
        if path.is_file():
            return inspect.lone_file(path, str(path))
    except (OSError, ValueError):
        return None
    place = place_of(path)
    found = next(_look(place), None) if place is not None and place.kind != "collection" else None
    return None if found is None else found.model_copy(update={"id": str(path), "title": path.name})


def _unknown(ref: str, fitting: list[ModelEntry]) -> StudioError:
    names = [entry.id for entry in fitting if entry.problem is None]
    listed = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return StudioError(
        "This model is not there",
        f"No model is called {ref[:200]!r}. There {'is' if len(names) == 1 else 'are'}: {listed or 'none'}.",
        "Choose one of these, or add the folder that holds it in the Models panel.",
        code="unknown-model",
    )


def _trouble(root: Path, walk: Walk, shipped: bool) -> dict[str, Any] | None:
    if walk.problem is not None and not (shipped and isinstance(walk.problem, FileNotFoundError)):
        return inspect.vanished(root, walk.problem).to_dict()
    if walk.cut:
        return StudioError(
            "This folder holds too many folders",
            f"Only the first {FOLDER_LIMIT:,} below {root} were looked at.",
            "Add the folders that hold the models instead.",
            code="too-many",
        ).to_dict()
    return None


def _load(file: Path | None) -> dict[str, _Seen]:
    if file is None or not file.is_file():
        return {}
    try:
        raw = read_json(file, _MEMORY_LIMIT)
        if raw["rules"] != RULES:
            return {}
        return {
            path: _Seen(signature, tuple(ModelEntry.model_validate(entry) for entry in entries))
            for path, (signature, entries) in raw["places"].items()
        }
    except (StudioError, ValidationError, KeyError, TypeError, ValueError, AttributeError):
        return {}
