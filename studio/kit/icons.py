"""Icons by name, drawn as outlines in a colour of the theme at any size. Read lazily, kept.

The set is Material Design Icons 6 (Apache-2.0), whose font the package qtawesome carries. Only its files
are used: importing qtawesome costs more than a tenth of a second at start-up, reading the outlines one
hundredth. Names are "mdi6.text-box-outline"; the prefix may be left out.
"""

import json
import logging
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from weakref import WeakMethod

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QIconEngine, QPainter, QPainterPath, QPixmap, QRawFont, QTransform

log = logging.getLogger(__name__)
PREFIX = "mdi6."
FALLBACK = "help-circle-outline"
FONT = "materialdesignicons6-webfont-*.ttf"
CHARMAP = "materialdesignicons6-webfont-charmap-*.json"
EM = 512.0
ASCENT = 448.0
# Never freed. When the garbage collector finds an icon and its engine together, it may free the engine in
# Python first, and the icon then frees it once more: a crash, long after the window that used them has gone.
_ALIVE: list[QIcon] = []


class Icons:
    """The icons of one theme. `colour` gives the present colour of a token."""

    def __init__(self, colour: Callable[[str], QColor]):
        self._colour = colour
        self._kept: dict[tuple[str, str], QIcon] = {}

    def get(self, name: str, colour: str) -> QIcon:
        """The icon; its colour is looked up whenever it is drawn. An unknown name gives a question mark."""
        key = name.removeprefix(PREFIX), colour
        if key not in self._kept:
            self._kept[key] = QIcon(_Engine(key[0], colour, WeakMethod(self._colour)))
            _ALIVE.append(self._kept[key])
        return self._kept[key]


class _Engine(QIconEngine):
    """Paints an outline; disabled and selected states take the theme's colours for them."""

    def __init__(self, name: str, colour: str, find: "WeakMethod[Callable[[str], QColor]]"):
        super().__init__()
        self._name, self._token, self._find = name, colour, find
        self._kept: dict[tuple[int, int, int, float], QPixmap] = {}

    def clone(self) -> QIconEngine:
        return _Engine(self._name, self._token, self._find)

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._shade(mode))
        side = min(rect.width(), rect.height())
        box = QRectF(0, 0, side, side)
        box.moveCenter(QRectF(rect).center())
        painter.drawPath(QTransform(side, 0, 0, side, box.left(), box.top()).map(outline(self._name)))
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:
        """`size` is independent of the device; `scale` device pixels make one of its pixels. Nothing where there is no
        room: buttons ask for that before they have their place."""
        if size.isEmpty():
            return QPixmap()
        key = (size.width(), size.height(), self._shade(mode).rgba(), scale)
        found = self._kept.get(key)
        if found is None:
            size = (QSizeF(size) * scale).toSize()
            found = QPixmap(size)
            found.fill(Qt.GlobalColor.transparent)
            painter = QPainter(found)
            self.paint(painter, QRect(QPoint(0, 0), size), mode, state)
            painter.end()
            found.setDevicePixelRatio(scale)
            self._kept[key] = found
        return found

    def _shade(self, mode: QIcon.Mode) -> QColor:
        find = self._find()
        return find("disabled" if mode == QIcon.Mode.Disabled else self._token) if find else QColor("gray")


@cache
def outline(name: str) -> QPainterPath:
    """The icon's outline in a unit square. An unknown name is logged once and drawn as a question mark."""
    marks = _charmap()
    if name not in marks:
        if name == FALLBACK or not marks:
            return QPainterPath()
        log.info("there is no icon %r", name)
        return outline(FALLBACK)
    font = _font()
    glyph = font.glyphIndexesForString(chr(int(marks[name], 16)))[0]
    return QTransform(1 / EM, 0, 0, 1 / EM, 0, ASCENT / EM).map(font.pathForGlyph(glyph))


@cache
def _charmap() -> dict[str, str]:
    found = _file(CHARMAP)
    return json.loads(found.read_text(encoding="utf-8")) if found else {}


@cache
def _font() -> QRawFont:
    return QRawFont(str(_file(FONT)), EM, QFont.HintingPreference.PreferNoHinting)


def _file(pattern: str) -> Path | None:
    """A file of qtawesome's fonts, found without importing it."""
    spec = find_spec("qtawesome")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        for found in sorted((Path(folder) / "fonts").glob(pattern)):
            return found
    log.info("the icon font %s is missing", pattern)
    return None
