"""The values of a request, read with words for whoever sent something else. Never trusts their types."""

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from studio.errors import StudioError

T = TypeVar("T")


class Asked:
    """What a client sent with a request."""

    def __init__(self, values: dict[str, Any], frames: Sequence[bytes] = ()):
        self._values, self.frames = values, list(frames)

    def __contains__(self, key: str) -> bool:
        return self._values.get(key) is not None

    def get(self, key: str) -> Any:
        return self._values.get(key)

    def text(self, key: str, default: str = "") -> str:
        """Text that files and databases can hold: half characters are replaced."""
        return self._of(key, str, default).encode("utf-8", "replace").decode()

    def flag(self, key: str, default: bool) -> bool:
        return self._of(key, bool, default)

    def object(self, key: str) -> dict[str, Any]:
        return self._of(key, dict, {})

    def texts(self, key: str) -> list[str]:
        found = self._of(key, list, [])
        if not all(isinstance(item, str) for item in found):
            raise self._bad(key, "a list of texts")
        return found

    def number(self, key: str, default: float = 0.0) -> float:
        found = self._values.get(key)
        if found is None:
            return default
        if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
            raise self._bad(key, "a number")
        return float(found)

    def whole(self, key: str, default: T, *, least: int = 0) -> int | T:
        found = self._values.get(key)
        if found is None:
            return default
        if isinstance(found, bool) or not isinstance(found, int) or found < least:
            raise self._bad(key, f"a whole number from {least} up")
        return found

    def _of(self, key: str, kind: type[T], default: T) -> T:
        found = self._values.get(key)
        if found is None:
            return default
        if not isinstance(found, kind):
            names = {str: "text", bool: "true or false", dict: "an object", list: "a list"}
            raise self._bad(key, names.get(kind, kind.__name__))
        return found

    @staticmethod
    def _bad(key: str, wanted: str) -> StudioError:
        return StudioError("The request is not valid", f"“{key}” must be {wanted}.", code="bad-request")
