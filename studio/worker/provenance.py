"""What only the worker knows about a result: hashes of the models, versions of what was imported.

Owns Hashes and the completion of a recipe. Imports nothing heavy: versions are read from what others imported.
"""

import logging
import math
import platform
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import studio
from studio.errors import StudioError
from studio.hub.hashes import HashCache, weights_hash
from studio.sdk.artifact import ModelUse, Recipe
from studio.sdk.operation import ModelInfo

log = logging.getLogger(__name__)
LIBRARIES = (
    "torch", "transformers", "diffusers", "peft", "accelerate", "trl", "safetensors", "tokenizers", "numpy",
    "huggingface_hub", "soundfile", "PIL", "gguf", "llguidance", "bitsandbytes", "torchao",
)  # fmt: skip
LOOK_S = 0.25


class Hashes:
    """Hashes model folders on a thread of its own, while the model is being loaded and used."""

    def __init__(self, cache: HashCache):
        self._cache = cache
        self._asked: queue.SimpleQueue[tuple[str, list[str], threading.Event]] = queue.SimpleQueue()
        self._begun: dict[str, tuple[list[str], threading.Event]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, path: str) -> None:
        """Asks for the hash of the weights in `path` again: files that did not change cost nothing."""
        result: list[str] = []
        ended = threading.Event()
        with self._lock:
            self._begun[path] = (result, ended)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="hashes", daemon=True)
                self._thread.start()
        self._asked.put((path, result, ended))

    def get(self, path: str, waiting: Callable[[], bool]) -> str:
        """The hash that was begun; "" when the files could not be read, or when `waiting` gives up on it."""
        with self._lock:
            begun = self._begun.get(path)
        if begun is None:
            return ""
        result, ended = begun
        while not ended.wait(LOOK_S):
            if not waiting():
                return ""
        return result[0] if result else ""

    def _work(self) -> None:
        while True:
            path, result, ended = self._asked.get()
            try:
                result.append(weights_hash(path, self._cache))
            except (StudioError, OSError) as error:
                log.warning("no hash of %s: %s", path, error)
            finally:
                ended.set()


def complete(
    recipe: Recipe, device: str, dtype: str, models: Iterable[ModelUse], facts: dict[str, Any], artifact: str
) -> Recipe:
    """The recipe with everything the worker knows added."""
    added = {
        "artifact": artifact,
        "created": time.time(),
        "versions": {**recipe.versions, **versions()},
        "device": device,
        "dtype": str(facts.get("dtype", dtype)),
        "models": tuple(models) or recipe.models,
        "rung": str(facts.get("rung", recipe.rung)),
        "facts": {**recipe.facts, **facts},
    }
    return recipe.model_copy(update=added)


def uses(used: dict[str, ModelInfo], hashes: Hashes, waiting: Callable[[], bool]) -> list[ModelUse]:
    """The models that took part, each once, with their hashes."""
    found = {info.id: info for info in used.values()}
    return [
        ModelUse(ref=info.id, sha256=info.sha256 or hashes.get(info.path, waiting), path=info.path)
        for info in found.values()
    ]


def versions() -> dict[str, str]:
    """Versions of the application, Python and those of LIBRARIES that are imported."""
    found = {"atelier": studio.__version__, "python": platform.python_version()}
    for name in LIBRARIES:
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is not None:
            found[name] = str(version)
    return found


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: numbers of other libraries become numbers, what is not finite becomes words."""
    if value is None or isinstance(value, bool | str):
        return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    item = getattr(value, "item", None)  # one number of numpy or torch
    if callable(item):
        try:
            number = item()
        except (ValueError, RuntimeError):
            return str(value)
        return plain(number) if isinstance(number, bool | int | float) else str(value)
    return str(value)
