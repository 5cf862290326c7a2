"""How far a job is: a thin bar and one line of words."""

from typing import Any

from PySide6.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from studio.kit.surface import label, restyle

STEPS = 1000


def counted(progress: dict[str, Any]) -> str:
    """ "14 of 30 · 3.2 it/s · 0:05 left", or the stage that comes before the first step."""
    done, total, rate = int(progress.get("done") or 0), progress.get("total"), progress.get("rate")
    unit, stage = str(progress.get("unit") or "it"), str(progress.get("stage") or "")
    parts = [stage]
    if total or done:
        parts.append(f"{done:,} of {total:,}" if total else f"{done:,} {unit}")
    if rate:
        parts.append(f"{rate:.0f} {unit}/s" if rate >= 100 else f"{rate:.1f} {unit}/s")
        left = progress.get("eta_s")
        if left is None and total:
            left = (total - done) / rate
        if left is not None and left >= 1:
            parts.append(f"{clock(left)} left")
    return " · ".join(part for part in parts if part)


def fraction(progress: dict[str, Any]) -> float | None:
    """0 to 1; None when there is no end in sight."""
    total = progress.get("total")
    return min(1.0, (progress.get("done") or 0) / total) if total else None


def clock(seconds: float) -> str:
    """65 as "1:05", 3700 as "1:01:40"."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class ProgressLine(QWidget):
    """Shows the engine's progress: {done, total, rate, unit, stage, eta_s}."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.words = label(small=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.bar)
        column.addWidget(self.words)

    def show_progress(self, progress: dict[str, Any], title: str = "") -> None:
        """`title` stands before the numbers ("Waiting", "Stopping")."""
        part = fraction(progress)
        self.bar.setRange(0, STEPS if part is not None else 0)
        self.bar.setValue(round(STEPS * part) if part is not None else 0)
        text = " · ".join(words for words in (title, counted(progress)) if words)
        self.words.setText(text)
        self.bar.setAccessibleName(text or "Working")

    def set_level(self, level: str) -> None:
        """ "", "success" or "error": the bar's colour."""
        restyle(self.bar, level=level)
