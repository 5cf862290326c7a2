"""Saving a clip elsewhere: as MP4, WebP, GIF or single PNG pictures, off the window's thread."""

import contextlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from studio.errors import StudioError
from studio.kit.session import Session

from . import containers

FILTERS = {
    ".mp4": "MP4 film (*.mp4)",
    ".webp": "Animated WebP (*.webp)",
    ".gif": "Animated GIF (*.gif)",
    ".png": "Single pictures (*.png)",
}


@dataclass(frozen=True, slots=True)
class Order:
    """One clip to be saved: which, and where. The ending of `target` says as what."""

    source: Path
    target: Path


def save(order: Order) -> str:
    """Writes it; what was written, in words. Raises StudioError or OSError."""
    source, target = order.source, order.target
    suffix = target.suffix.lower()
    if suffix not in FILTERS:
        raise StudioError(
            "A clip cannot be saved like this", target.name, f"Endings that can: {', '.join(FILTERS)}.", code="suffix"
        )
    if suffix == source.suffix.lower():
        shutil.copyfile(source, target)
        return str(target)
    _, _, fps = containers.facts(source)
    frames = containers.read(source)
    if suffix == ".png":
        count = 0
        for count, frame in enumerate(frames, 1):
            frame.save(target.with_name(f"{target.stem}-{count:04}.png"))
        return f"{count:,} pictures beside {target.with_name(f'{target.stem}-0001.png')}"
    if suffix == ".gif":
        containers.write_gif(target, frames, fps)
    else:
        containers.write(target, suffix[1:], frames, fps)
    return str(target)


class _Signals(QObject):
    done = Signal(str)
    failed = Signal(str, str)


class _Saving(QRunnable):
    def __init__(self, order: Order, signals: _Signals):
        super().__init__()
        self._order, self._signals = order, signals

    def run(self) -> None:
        with contextlib.suppress(RuntimeError):  # the window has gone meanwhile
            try:
                self._signals.done.emit(save(self._order))
            except StudioError as error:
                self._signals.failed.emit(error.title, f"{error.detail} {error.hint}".strip())
            except (OSError, ValueError) as error:
                self._signals.failed.emit("The clip cannot be saved", str(error))


class Export(QObject):
    """Asks where to, then saves; says how it went."""

    def __init__(self, session: Session, parent: QWidget):
        super().__init__(parent)
        self._session, self._widget = session, parent
        self.dialog: QFileDialog | None = None
        # No child: a saving that is under way still speaks through it after this is gone.
        self._signals = _Signals()
        self._signals.done.connect(self._on_done)
        self._signals.failed.connect(self._on_failed)

    def ask(self, source: Path) -> QFileDialog:
        """Opens a dialog that holds nothing up."""
        dialog = QFileDialog(self._widget, "Save the clip as", str(Path.home() / source.name))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(list(FILTERS.values()))
        dialog.selectNameFilter(FILTERS.get(source.suffix.lower(), FILTERS[".mp4"]))
        dialog.setDefaultSuffix(source.suffix[1:])
        dialog.filterSelected.connect(lambda chosen: _rename(dialog, _suffix_of(chosen)))
        dialog.fileSelected.connect(self._taker(source))
        dialog.finished.connect(dialog.deleteLater)
        self.dialog = dialog
        dialog.open()
        return dialog

    def save(self, order: Order) -> None:
        QThreadPool.globalInstance().start(_Saving(order, self._signals))

    def _on_done(self, where: str) -> None:
        self._session.notify("The clip was saved", where)

    def _on_failed(self, title: str, detail: str) -> None:
        self._session.notify(title, detail, "error")

    def _taker(self, source: Path) -> Callable[[str], None]:
        return lambda chosen: self.save(Order(source, Path(chosen)))


def _rename(dialog: QFileDialog, suffix: str) -> None:
    """The name's ending follows the kind of file that was chosen."""
    dialog.setDefaultSuffix(suffix[1:])
    for chosen in dialog.selectedFiles()[:1]:
        dialog.selectFile(Path(chosen).with_suffix(suffix).name)


def _suffix_of(chosen: str) -> str:
    return next((suffix for suffix, words in FILTERS.items() if words == chosen), ".mp4")
