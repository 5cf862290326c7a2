"""The models this process keeps between jobs.

Owns Residency (what is loaded, who uses it, what goes when room is needed) and JobModels, one job's view
of it. Imports no torch: things with a `.to` are moved, things with `.parameters` are weighed.
"""

import contextlib
import gc
import itertools
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.sdk.operation import ModelInfo
from studio.worker import faults, memory, spare
from studio.worker.baton import Turn
from studio.worker.provenance import Hashes

log = logging.getLogger(__name__)
Load = Callable[[ModelInfo], Any]
Mark = tuple[tuple[str, int, int], ...]
MARKED = {".safetensors", ".json", ".txt", ".model", ".gguf"}
POLL_S = 0.05


@dataclass(slots=True)
class _Resident:
    """A loaded thing. users: jobs inside `use`; used: when it was last wanted, as a count."""

    info: ModelInfo
    key: tuple[str, str, str]
    mark: Mark
    thing: Any
    size: int
    users: int = 0
    used: int = 0
    parked: bool = False


class Residency:
    """Loads one model at a time and keeps it; drops the least recently used that nobody uses for room.

    On a graphics device a model is parked in RAM first, as long as RAM is plentiful.
    """

    def __init__(self, device: str, budget: Callable[[], int] = memory.budget):
        self._device, self._budget = device, budget
        self._lock = threading.Lock()
        self._loading = threading.Lock()
        self._kept: list[_Resident] = []
        self._clock = itertools.count(1)

    def residents(self) -> dict[str, int]:
        """Bytes on the device per model id."""
        with self._lock:
            sizes: dict[str, int] = {}
            for kept in self._kept:
                if not kept.parked:
                    sizes[kept.info.id] = sizes.get(kept.info.id, 0) + kept.size + spare.held(kept.thing)
            return sizes

    def budget(self) -> int:
        return self._budget()

    def unload(self, ref: str = "") -> None:
        """Drops what nobody uses: of one model (by id or folder), or everything."""
        with self._lock:
            self._drop([k for k in self._kept if not k.users and ref in ("", k.info.id, k.info.path)])

    @contextlib.contextmanager
    def use(self, info: ModelInfo, load: Load, key: str, turn: Turn) -> Iterator[Any]:
        """The thing, loaded when it is not here. Raises StudioError and keeps nothing when `load` fails."""
        turn.pinned += 1
        try:
            kept = self._obtain(info, load, key, turn)
        finally:
            turn.pinned -= 1
        try:
            turn.check()
            yield kept.thing
        finally:
            with self._lock:
                kept.users -= 1

    def _obtain(self, info: ModelInfo, load: Load, key: str, turn: Turn) -> _Resident:
        """Found or loaded, with this user counted."""
        identity, mark = (info.path or info.id, key, str(getattr(load, "__module__", ""))), _mark(info.path)
        while not self._loading.acquire(timeout=POLL_S):
            turn.check()
        try:
            turn.check()
            kept = self._find(identity, mark)
            if kept is None:
                self._make_room(info.size)
                kept = self._load(info, load, identity, mark)
            elif kept.parked:
                self._make_room(kept.size)
                self._unpark(kept)
            with self._lock:
                kept.users += 1
                kept.used = next(self._clock)
            return kept
        finally:
            self._loading.release()

    def _find(self, key: tuple[str, str, str], mark: Mark) -> _Resident | None:
        """The resident made of these very files; older ones of the same name are dropped."""
        with self._lock:
            self._drop([k for k in self._kept if k.key == key and k.mark != mark and not k.users])
            return next((k for k in self._kept if k.key == key and k.mark == mark), None)

    def _load(self, info: ModelInfo, load: Load, key: tuple[str, str, str], mark: Mark) -> _Resident:
        failure, short = self._try(info, load, key, mark)
        if isinstance(failure, StudioError) and short and self._free_everything():
            log.info("no memory for %s: every unused model was dropped, once more", info.id)
            failure, _ = self._try(info, load, key, mark)
        if isinstance(failure, StudioError):
            raise failure
        return failure

    def _try(
        self, info: ModelInfo, load: Load, key: tuple[str, str, str], mark: Mark
    ) -> tuple["_Resident | StudioError", bool]:
        """The resident, or the error to raise and whether memory was what lacked."""
        try:
            thing = load(info)
            kept = _Resident(info, key, mark, thing, weigh(thing) or info.size)
        except Exception as error:  # noqa: BLE001 - a plugin's door
            fault = faults.explain(error, f"Loading {info.id}")
            short = faults.is_out_of_memory(error)
            traceback.clear_frames(error.__traceback__)  # they hold half of a model
        else:
            with self._lock:
                self._kept.append(kept)
            return kept, False
        gc.collect()
        return _about_model(fault.error, info), short

    def _make_room(self, need: int) -> None:
        budget = self._budget()
        if not budget:
            return
        with self._lock:
            if self._reclaim(need - budget):
                _empty_cache()
            idle = sorted((k for k in self._kept if not k.users and not k.parked), key=lambda k: k.used)
            for kept in idle:
                if self._taken() + need <= budget:
                    break
                if not self._park(kept):
                    self._drop([kept])
            total, available = memory.machine()
            parked = sorted((k for k in self._kept if k.parked and not k.users), key=lambda k: k.used)
            for kept in parked:
                if available >= total * (1 - memory.SHARE) / 2:
                    break
                self._drop([kept])
                total, available = memory.machine()

    def _taken(self) -> int:
        return sum(k.size + spare.held(k.thing) for k in self._kept if not k.parked)

    def _reclaim(self, over: int) -> int:
        """Frees what things can do without until no more than `-over` bytes are taken; how many it was. Lock held."""
        before = self._taken()
        for kept in sorted(self._kept, key=lambda k: k.used):
            spare.reclaim(kept.thing, self._taken() + over)
        return before - self._taken()

    def _free_everything(self) -> bool:
        """Whether anything was dropped."""
        with self._lock:
            freed = self._reclaim(0)
            idle = [k for k in self._kept if not k.users]
            self._drop(idle)
            if freed and not idle:
                _empty_cache()
            return bool(idle or freed)

    def _park(self, kept: _Resident) -> bool:
        """Moves a thing to RAM; False where it is there already or cannot be moved."""
        if self._device == "cpu" or not callable(getattr(kept.thing, "to", None)):
            return False
        if memory.machine()[1] < kept.size * 1.2:
            return False
        kept.thing.to("cpu")
        kept.parked = True
        _empty_cache()
        return True

    def _unpark(self, kept: _Resident) -> None:
        try:
            kept.thing.to(self._device)
        except RuntimeError as error:
            with self._lock:
                self._drop([kept])
            raise faults.explain(error, f"Moving {kept.info.id} to the device").error from None
        kept.parked = False

    def _drop(self, which: list[_Resident]) -> None:
        """Forgets things; lock held."""
        if which:
            self._kept = [k for k in self._kept if not any(k is gone for gone in which)]
            for gone in which:
                gone.thing = None  # whoever still looks at the list must not keep it alive
            gc.collect()
            _empty_cache()
            memory.give_back()


class JobModels:
    """`ctx.models` of one job. `used`: what took part, for the recipe."""

    def __init__(self, residency: Residency, hashes: Hashes, turn: Turn, models: dict[str, Any]):
        self._residency, self._hashes, self._turn = residency, hashes, turn
        self._infos = {ref: info_from(values) for ref, values in models.items()}
        self.used: dict[str, ModelInfo] = {}

    def info(self, ref: str) -> ModelInfo:
        """By the name the params gave it, or by its id. Raises StudioError code "unknown-model"."""
        found = self._infos.get(ref) or next((info for info in self._infos.values() if info.id == ref), None)
        if found is None:
            known = ", ".join(sorted(info.id for info in self._infos.values())) or "none"
            raise StudioError("The model is not known", f"{ref!r}; given to this job: {known}.", code="unknown-model")
        return found

    def budget(self) -> int:
        return self._residency.budget()

    def use(self, ref: str, load: Load, *, key: str = "") -> contextlib.AbstractContextManager[Any]:
        info = self.info(ref)
        self.used[ref] = info
        if info.path and not info.sha256:
            self._hashes.begin(info.path)
        return self._residency.use(info, load, key, self._turn)


def info_from(values: dict[str, Any]) -> ModelInfo:
    """The info as the engine sent it; what this version does not know is left out."""
    known = ModelInfo.__dataclass_fields__
    return ModelInfo(**{key: value for key, value in values.items() if key in known})


def weigh(thing: Any) -> int:
    """Bytes of the parameters and buffers in `thing` or directly in its attributes, items or values."""
    inside: list[Any] = [thing]
    if isinstance(thing, dict):
        inside += thing.values()
    elif isinstance(thing, list | tuple):
        inside += thing
    else:
        inside += getattr(thing, "__dict__", {}).values()
        slots = getattr(type(thing), "__slots__", ())
        inside += [getattr(thing, name, None) for name in ((slots,) if isinstance(slots, str) else slots)]
    tensors = {}
    for part in inside:
        for name in ("parameters", "buffers"):
            give = getattr(part, name, None)
            if callable(give) and not isinstance(part, type):
                found = (part for t in give() if hasattr(t, "element_size") for part in _stored(t))  # type: ignore[union-attr]
                tensors.update({id(t): t for t in found})
    return sum(t.numel() * t.element_size() for t in tensors.values())


def _stored(tensor: Any) -> list[Any]:
    """What a tensor really holds: of a packed one the numbers and scales inside."""
    inside: Any = getattr(tensor, "__tensor_flatten__", None)
    return [tensor] if inside is None else [getattr(tensor, name) for name in inside()[0]]


def _about_model(error: StudioError, info: ModelInfo) -> StudioError:
    if error.code != "plugin":
        return error
    hint = "Its files may be damaged or of a kind this operation cannot use. Choose another model."
    return StudioError(f"The model {info.id} could not be loaded", error.detail, hint, code="model-load", log=error.log)


def _mark(path: str) -> Mark:
    """Changes when the model's files change."""
    folder = Path(path) if path else None
    if folder is None or not folder.exists():
        return ()
    files = [folder] if folder.is_file() else [*folder.glob("*"), *folder.glob("*/*")]
    found = []
    for file in files:
        if file.suffix in MARKED and file.is_file():
            status = file.stat()
            found.append((str(file), status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))


def _empty_cache() -> None:
    torch: Any = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
