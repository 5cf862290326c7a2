"""A table as one picture: every layer below the last, with headings, within a bounded size.

Runs in a thread: touches images and fonts, no widget. Files are read one by one at the size they are drawn.
"""

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QImageReader, QPainter

from studio.kit.pictures import read_scaled

from .ui_table_cells import Table

MOST_SIDE = 16_384
MOST_PIXELS = 64_000_000
LARGEST_CELL = 1024
SMALLEST_CELL = 16
GAP = 8
CENTRE = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap


@dataclass(frozen=True)
class Sheet:
    """What is drawn: all that a thread needs, taken from the table beforehand."""

    across: tuple[str, ...]
    down: tuple[str, ...]
    layers: tuple[str, ...]
    titles: tuple[str, str, str]
    paths: dict[tuple[int, int, int], str]
    words: dict[tuple[int, int, int], str]
    paper: QColor
    ink: QColor
    font: QFont


def sheet(table: Table, paper: QColor, ink: QColor, font: QFont) -> Sheet:
    names = [tuple(table.label(way, at) for at in range(table.length(way))) for way in range(3)]
    return Sheet(
        across=names[0], down=names[1], layers=names[2],
        titles=(table.title(0), table.title(1), table.title(2)),
        paths={place: state.path for place, state in table.states.items() if state.path},
        words={place: state.words() for place, state in table.states.items()},
        paper=paper, ink=ink, font=font,
    )  # fmt: skip


@dataclass(frozen=True)
class Measures:
    """cell: size of one picture. head, left: room for headings. layer: height of one layer."""

    cell: QSize
    head: int
    left: int
    layer: int
    whole: QSize


def measures(found: Sheet) -> Measures:
    """The largest cells with which the sheet stays within its bounds, no larger than the pictures are."""
    largest = _largest(found)
    metrics = QFontMetrics(found.font)
    scale = 1.0
    while True:
        cell = QSize(
            max(SMALLEST_CELL, int(largest.width() * scale)), max(SMALLEST_CELL, int(largest.height() * scale))
        )
        head = metrics.height() * 2 + GAP
        widest = max(metrics.horizontalAdvance(words) for words in (*found.down, found.titles[1]))
        left = min(max(cell.width() // 2, 160), widest + 2 * GAP) if any(found.down) else GAP
        title = metrics.height() + GAP if any(found.layers) else 0
        layer = title + head + len(found.down) * (cell.height() + GAP)
        whole = QSize(left + len(found.across) * (cell.width() + GAP) + GAP, layer * len(found.layers) + GAP)
        fits = max(whole.width(), whole.height()) <= MOST_SIDE and whole.width() * whole.height() <= MOST_PIXELS
        if fits or max(cell.width(), cell.height()) <= SMALLEST_CELL:
            return Measures(cell, head, left, layer, whole)
        scale *= 0.9


def _largest(found: Sheet) -> QSize:
    size = QSize()
    for path in found.paths.values():
        size = size.expandedTo(QImageReader(path).size())
    if size.isEmpty():
        return QSize(256, 256)
    most = QSize(LARGEST_CELL, LARGEST_CELL)
    return (
        size
        if max(size.width(), size.height()) <= LARGEST_CELL
        else size.scaled(most, Qt.AspectRatioMode.KeepAspectRatio)
    )


def drawn(found: Sheet) -> QImage:
    """The whole sheet."""
    size = measures(found)
    image = QImage(size.whole, QImage.Format.Format_RGB32)
    image.fill(found.paper)
    painter = QPainter(image)
    painter.setFont(found.font)
    painter.setPen(found.ink)
    for z, layer in enumerate(found.layers):
        top = z * size.layer
        if layer:
            line = QRect(GAP, top + GAP // 2, size.whole.width() - 2 * GAP, size.layer)
            painter.drawText(line, Qt.AlignmentFlag.AlignTop, f"{found.titles[2]}: {layer}")
        _draw_layer(painter, found, size, z, (z + 1) * size.layer - len(found.down) * (size.cell.height() + GAP))
    painter.end()
    return image


def _draw_layer(painter: QPainter, found: Sheet, size: Measures, z: int, top: int) -> None:
    wide, high = size.cell.width(), size.cell.height()
    for x, words in enumerate(found.across):
        left = size.left + x * (wide + GAP)
        if words:
            painter.drawText(QRect(left, top - size.head, wide, size.head), CENTRE, f"{found.titles[0]}\n{words}")
        for y in range(len(found.down)):
            _draw_cell(painter, found, (x, y, z), QRect(QPoint(left, top + y * (high + GAP)), size.cell))
    for y, words in enumerate(found.down):
        if words:
            place = QRect(GAP // 2, top + y * (high + GAP), size.left - GAP, high)
            painter.drawText(place, CENTRE, f"{found.titles[1]}\n{words}")


def _draw_cell(painter: QPainter, found: Sheet, place: tuple[int, int, int], box: QRect) -> None:
    path = found.paths.get(place)
    image = read_scaled(path, box.size())[0] if path else QImage()
    if image.isNull():
        painter.drawRect(box)
        painter.drawText(box, CENTRE, found.words.get(place, ""))
        return
    lying = QRect(QPoint(0, 0), image.size())
    lying.moveCenter(box.center())
    painter.drawImage(lying.topLeft(), image)


def written(found: Sheet, path: Path) -> str:
    """Writes the sheet as PNG; "" or what went wrong. A file half written is not left behind."""
    beside = path.with_name(f".{path.name}.part")
    image = drawn(found)
    try:
        if not image.save(str(beside), "PNG"):  # type: ignore[call-overload]
            beside.unlink(missing_ok=True)
            return f"{path} cannot be written."
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        return f"{path}: {error.strerror or error}"
    return ""
