"""An X/Y/Z table as data: its axes, its cells and what became of each. Imports no Qt.

The document that outlives the window holds the shared settings, the axes with their values and the jobs' ids; the
cells' settings are made of those again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from studio.sdk.params import Params
from studio.sdk.progress import place, share

from .axes import Cell, Chosen, Values, axes, cell, places

Place = tuple[int, int, int]
ENDED = frozenset({"finished", "failed", "cancelled", "gone"})
RUNS = frozenset({"starting", "running", "cancelling"})
WORDS = {
    "": "Not asked yet",
    "queued": "Waiting",
    "paused": "Paused",
    "starting": "Starting",
    "running": "Painting",
    "cancelling": "Stopping",
    "finished": "Finished",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "gone": "No longer there",
}


@dataclass
class State:
    """One cell and its job. frame: the newest preview. path: the picture's file."""

    cell: Cell
    job: str = ""
    state: str = ""
    path: str = ""
    frame: bytes = b""
    params: Values = field(default_factory=dict)
    progress: dict[str, Any] = field(default_factory=dict)
    error: dict[str, Any] | None = None

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def share(self) -> float:
        """How much of it is done, 0 to 1."""
        return (share(self.progress) or 0.0) if self.state in RUNS else 0.0

    def words(self) -> str:
        if self.state == "failed" and self.error:
            return str(self.error.get("title") or WORDS["failed"])
        if self.state in RUNS and self.progress.get("total"):
            at = place(self.progress)
            return at[:1].upper() + at[1:]
        return WORDS.get(self.state, self.state)

    def settings(self) -> Values:
        """What made this cell, drawn seeds included."""
        return {**self.cell.params, **self.params}

    def begin(self, job: str) -> None:
        self.job, self.state, self.error, self.path, self.frame = job, "queued", None, "", b""

    def take(self, job: dict[str, Any]) -> None:
        """The engine's word on the job."""
        self.state = str(job.get("state", self.state))
        self.error = job.get("error")
        self.params = dict(job.get("params") or self.params)
        live = job.get("live") or {}
        self.progress = dict(live.get("progress") or self.progress) if self.state in RUNS else {}
        pictures = [a for a in job.get("artifacts", ()) if a.get("kind", "image") == "image"]
        self.path = str(pictures[0]["path"]) if pictures else ""
        if self.state == "queued":
            self.frame = b""


class Table:
    """All cells of one table, in the order they are queued."""

    def __init__(self, operation: str, base: Values, chosen: Sequence[Chosen], cells: Sequence[Cell]):
        self.operation, self.base, self.chosen = operation, base, tuple(chosen)
        self.states: dict[Place, State] = {one.place: State(one) for one in cells}
        self._jobs: dict[str, Place] = {}

    def __iter__(self) -> Iterator[State]:
        return iter(self.states.values())

    def length(self, way: int) -> int:
        return len(self.chosen[way].values) if way < len(self.chosen) else 1

    def label(self, way: int, at: int) -> str:
        return self.chosen[way].labels[at] if way < len(self.chosen) else ""

    def title(self, way: int) -> str:
        return self.chosen[way].axis.title if way < len(self.chosen) else ""

    def begun(self, place: Place, job: str) -> None:
        self.states[place].begin(job)
        self._jobs[job] = place

    def place_of(self, job: str) -> Place | None:
        return self._jobs.get(job)

    def open_jobs(self) -> list[str]:
        """Jobs that have not ended."""
        return [state.job for state in self if state.job and not state.ended]

    def counts(self) -> tuple[int, int, int]:
        """Finished, failed, and all."""
        states = [state.state for state in self]
        return states.count("finished"), states.count("failed"), len(states)

    def document(self) -> dict[str, Any]:
        """JSON from which `restored` makes the table again."""
        return {
            "operation": self.operation,
            "values": self.base,
            "axes": [
                {"key": one.axis.key, "values": list(one.values), "labels": list(one.labels)} for one in self.chosen
            ],
            "cells": [
                [*place, state.job, state.path, state.state if state.ended else ""]
                for place, state in self.states.items()
                if state.job
            ],
        }


def restored(document: dict[str, Any], params: type[Params]) -> Table | None:
    """The table of a document; None where it no longer fits this version's settings."""
    try:
        base = dict(document["values"])
        known = {axis.key: axis for axis in axes(params, base)}
        chosen = [
            Chosen(replace(known[one["key"]], choices={}), tuple(one["values"]), tuple(map(str, one["labels"])))
            for one in document["axes"]
        ]
        table = Table(str(document["operation"]), base, chosen, [cell(base, chosen, at) for at in places(chosen)])
        for x, y, z, job, path, state in document.get("cells", ()):
            if (x, y, z) in table.states:
                table.begun((x, y, z), str(job))
                table.states[x, y, z].path, table.states[x, y, z].state = str(path), str(state) or "queued"
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None
    return table
