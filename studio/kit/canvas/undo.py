"""Taking back what was painted: each change keeps only the tiles it touched, packed, within a budget of memory."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import ref

from PySide6.QtCore import QObject, QRect

from studio.kit.canvas.background import Background
from studio.kit.canvas.mask import Mask, Pixels, Tile
from studio.kit.history import History

BUDGET = 64 * 2**20
"""Bytes that all changes of one mask may keep; the oldest are given up first."""


@dataclass(frozen=True, slots=True)
class Packed:
    data: bytes


ALL: Tile = (-1, -1)
"""Stands for the whole mask, kept as one piece: hundreds of tiles one by one would be felt."""


class Change:
    """What a mask held in the touched tiles before (or, once undone, after) one change."""

    def __init__(self, mask: Mask, title: str):
        self.mask, self.title = mask, title
        self.tiles: dict[Tile, Pixels | Packed] = {}

    def keep_all(self) -> None:
        self.tiles = {ALL: self.mask.read_all()}

    def keep(self, rect: QRect) -> None:
        """Must be called before `rect` is painted on."""
        for tile in self.mask.tiles(rect):
            if tile not in self.tiles:
                self.tiles[tile] = self.mask.read(tile)

    def prune(self) -> None:
        """Forgets tiles that are as they were."""
        self.tiles = {tile: kept for tile, kept in self.tiles.items() if self._now(tile) != kept}

    def swap(self) -> QRect:
        """Puts the kept pixels back and keeps those that were there. What it returns looks different now."""
        place = QRect()
        for tile, kept in self.tiles.items():
            self.tiles[tile] = self._now(tile)
            pixels = zlib.decompress(kept.data) if isinstance(kept, Packed) else kept
            if tile == ALL and isinstance(pixels, bytes):
                self.mask.write_all(pixels)
                return self.mask.rect
            self.mask.write(tile, pixels)
            place = place.united(self.mask.place(tile))
        return place

    def _now(self, tile: Tile) -> Pixels:
        return self.mask.read_all() if tile == ALL else self.mask.read(tile)

    def raw(self) -> dict[Tile, bytes]:
        return {tile: kept for tile, kept in self.tiles.items() if isinstance(kept, bytes)}

    def take_packed(self, raw: dict[Tile, bytes], packed: dict[Tile, Packed]) -> None:
        """Of tiles that have not changed meanwhile."""
        for tile, found in packed.items():
            if self.tiles.get(tile) is raw[tile]:
                self.tiles[tile] = found

    def size(self) -> int:
        found = 0
        for kept in self.tiles.values():
            found += 64 if isinstance(kept, int) else len(kept.data if isinstance(kept, Packed) else kept)
        return found


class MaskUndo(QObject):
    """Records changes of a mask in the window's history. `shown(rect)` is called when one was taken back or redone."""

    def __init__(self, history: History, shown: Callable[[QRect], None], parent: QObject | None = None):
        super().__init__(parent)
        self._history, self._shown = history, shown
        self._background = Background(self)
        self._changes: list[ref[Change]] = []
        self.budget = BUDGET

    def push(self, change: Change) -> bool:
        """False when the change has changed nothing."""
        change.prune()
        if not change.tiles:
            return False

        def swap() -> None:
            self._shown(change.swap())
            self._pack(change)

        self._changes.append(ref(change))
        self._history.push(change.title, swap, swap, owner=change)
        self._pack(change)
        return True

    def size(self) -> int:
        """Bytes kept at present."""
        return sum(change.size() for change in self._alive())

    def forget(self) -> None:
        """Takes every step out of the history: the mask they belong to is gone."""
        for change in self._alive():
            self._history.drop(change)
        self._changes = []

    def _alive(self) -> list[Change]:
        found = [change for one in self._changes if (change := one()) is not None]
        self._changes = [ref(change) for change in found]
        return found

    def _pack(self, change: Change) -> None:
        raw = change.raw()
        if not raw:
            self._bound()
            return

        def taken(packed: Any) -> None:
            change.take_packed(raw, packed)
            self._bound()

        self._background.run(lambda: {tile: Packed(zlib.compress(data, 1)) for tile, data in raw.items()}, taken)

    def _bound(self) -> None:
        """The newest change stays, however large."""
        changes = self._alive()
        while len(changes) > 1 and sum(change.size() for change in changes) > self.budget:
            self._history.drop(changes.pop(0))
        self._changes = [ref(change) for change in changes]
