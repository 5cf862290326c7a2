"""What runs really needed, so that the next estimate is nearer to it. One small file a data folder.

An estimate's working memory is multiplied by the largest ratio of measured to estimated that was seen for
this operation on these models, slowly forgotten. Only runs that were alone on a worker whose models were
resident already tell their working memory apart from weights and neighbours; and an estimate is never
lowered, because memory that a process keeps for reuse hides a run's need.
"""

import dataclasses
import json
import logging
from pathlib import Path

from studio.errors import StudioError
from studio.library import atomic
from studio.sdk.operation import Estimate

log = logging.getLogger(__name__)
LARGEST = 8.0
FORGET = 0.9
NOISE = 64 << 20


class Corrections:
    """Ratios by operation and models."""

    def __init__(self, path: Path):
        self._path = path
        self._ratios = _read(path)

    def applied(self, operation: str, models: tuple[str, ...], estimate: Estimate) -> Estimate:
        """`estimate` with its working memory corrected; "measured" among its parts says by how many bytes."""
        ratio = self._ratios.get(_key(operation, models), 1.0)
        more = int(estimate.working * (ratio - 1.0))
        if more <= 0:
            return estimate
        parts = {**estimate.parts, "measured": more}
        return dataclasses.replace(estimate, working=estimate.working + more, parts=parts)

    def learn(self, operation: str, models: tuple[str, ...], estimated: int, measured: int) -> None:
        """Takes a run's working memory in bytes: what the uncorrected estimate said and what was measured."""
        if estimated <= 0 or measured < NOISE:
            return
        key = _key(operation, models)
        seen = min(LARGEST, measured / estimated)
        ratio = max(1.0, seen, 1.0 + (self._ratios.get(key, 1.0) - 1.0) * FORGET)
        if abs(ratio - self._ratios.get(key, 1.0)) < 0.01:
            return
        self._ratios[key] = round(ratio, 3)
        try:
            atomic.write_file(self._path, json.dumps(self._ratios, indent=1, sort_keys=True).encode())
        except StudioError as error:
            log.info("the measured memory was not kept: %s", error)


def _key(operation: str, models: tuple[str, ...]) -> str:
    return " ".join((operation, *sorted(models)))


def _read(path: Path) -> dict[str, float]:
    """The ratios on disk; what is no ratio is left out, as it only costs a measurement."""
    try:
        found = json.loads(path.read_bytes())
        return {str(key): float(ratio) for key, ratio in found.items() if 1.0 <= float(ratio) <= LARGEST}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
