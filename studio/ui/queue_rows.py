"""How one job looks in the queue: state, title, what and how far, in two lines. Paints; owns no data."""

import datetime
from typing import Any

from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPalette
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QWidget

from studio.kit.turns import WAITS
from studio.sdk.progress import share
from studio.ui.activity import counted, title_of
from studio.ui.queue_commands import PRIORITIES
from studio.ui.queue_model import JOB

HEIGHT = 48
BAR = 120
STATE_WORDS = {
    "queued": "Waiting",
    "starting": "Starting",
    "running": "Running",
    "paused": "Paused",
    "cancelling": "Stopping",
    "finished": "Finished",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
STATE_TONES = {
    "running": "accent",
    "starting": "accent",
    "cancelling": "warning",
    "paused": "warning",
    "finished": "success",
    "failed": "danger",
}


class JobDelegate(QStyledItemDelegate):
    """`tones`: name of a colour -> colour, from the theme; `operations`: id -> title.

    waiting: ids of jobs that have begun and wait for the device.
    """

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self.tones: dict[str, QColor] = {}
        self.operations: dict[str, str] = {}
        self.waiting: set[str] = set()

    def sizeHint(self, option: Any, index: Any) -> QSize:
        return QSize(280, HEIGHT)

    def paint(self, painter: QPainter, option: Any, index: Any) -> None:
        self.initStyleOption(option, index)
        option.text = ""
        option.widget.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        job = index.data(JOB)
        painter.save()
        if job is None:
            painter.setPen(self._tone("muted", option.palette))
            painter.drawText(option.rect, int(Qt.AlignmentFlag.AlignCenter), "…")
        else:
            self._paint_job(painter, option, job)
        painter.restore()

    def _paint_job(self, painter: QPainter, option: Any, job: dict[str, Any]) -> None:
        muted, selected = self._tone("muted", option.palette), bool(option.state & QStyle.StateFlag.State_Selected)
        ink = option.palette.color(QPalette.ColorRole.HighlightedText if selected else QPalette.ColorRole.Text)
        state, rect = str(job.get("state", "")), option.rect.adjusted(12, 6, -12, -6)
        whole = rect.adjusted(0, 0, 0, 0)
        mark = QRect(whole.left(), whole.top(), 8, whole.height())
        text = whole.adjusted(18, 0, 0, 0)
        progress = (job.get("live") or {}).get("progress") or {}
        at_work = state in ("starting", "running", "cancelling")
        if at_work:
            text.setRight(text.right() - BAR - 12)
            bar = QRect(text.right() + 12, whole.center().y() - 3, BAR, 6)
            self._bar(painter, QStyle.visualRect(option.direction, whole, bar), share(progress), option.palette)
        mark = QStyle.visualRect(option.direction, whole, mark)
        text = QStyle.visualRect(option.direction, whole, text)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._tone(STATE_TONES.get(state, "muted"), option.palette))
        painter.drawEllipse(QPoint(mark.center().x(), mark.center().y()), 4, 4)
        half = text.height() // 2
        first, second = text.adjusted(0, 0, 0, -half), text.adjusted(0, half, 0, 0)
        self._line(painter, option, first, title_of(job), ink)
        self._line(painter, option, second, self.detail(job), ink if selected else muted)

    def _line(self, painter: QPainter, option: Any, rect: QRect, text: str, ink: QColor) -> None:
        painter.setPen(ink)
        cut = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
        side = QStyle.visualAlignment(option.direction, Qt.AlignmentFlag.AlignLeading | Qt.AlignmentFlag.AlignVCenter)
        painter.drawText(rect, int(side), cut)

    def _bar(self, painter: QPainter, rect: QRect, part: float | None, palette: QPalette) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._tone("track", palette))
        painter.drawRoundedRect(rect, 3, 3)
        if part:
            painter.setBrush(self._tone("accent", palette))
            painter.drawRoundedRect(QRect(rect.x(), rect.y(), max(6, round(rect.width() * part)), rect.height()), 3, 3)

    def detail(self, job: dict[str, Any]) -> str:
        """The second line: operation, state, how far, when, why."""
        operation, state = str(job.get("operation", "")), str(job.get("state", ""))
        parts = [STATE_WORDS.get(state, state), self.operations.get(operation, operation)]
        progress = (job.get("live") or {}).get("progress")
        if job.get("id") in self.waiting:
            parts.append(WAITS)
        elif progress and state in ("starting", "running"):
            parts.append(counted(progress))
        if state == "queued":
            parts += self._waiting_for(job)
        if job.get("quarantined"):
            parts.append("stopped after it ended its worker twice")
        elif state == "failed" and job.get("error"):
            parts.append(str(job["error"].get("title", "")))
        if job.get("ended"):
            parts.append(when(float(job["ended"])))
        return " · ".join(part for part in parts if part)

    @staticmethod
    def _waiting_for(job: dict[str, Any]) -> list[str]:
        priority = int(job.get("priority", 0))
        words = [PRIORITIES[priority][1].lower() if 0 <= priority < len(PRIORITIES) else ""]
        if job.get("not_before"):
            words.append(f"from {when(float(job['not_before']))}")
        if job.get("depends_on"):
            words.append("after another job")
        return words

    def _tone(self, name: str, palette: QPalette) -> QColor:
        fallback = QPalette.ColorRole.Highlight if name == "accent" else QPalette.ColorRole.PlaceholderText
        return self.tones[name] if name in self.tones else palette.color(fallback)


def when(at: float, now: datetime.datetime | None = None) -> str:
    """A time of today as 14:05, another as 21 Nov 14:05."""
    moment, now = datetime.datetime.fromtimestamp(at), now or datetime.datetime.now()
    if moment.date() == now.date():
        return f"{moment:%H:%M}"
    return f"{moment.day} {moment:%b %H:%M}"
