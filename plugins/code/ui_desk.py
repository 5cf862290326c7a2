"""The open files on the panel: one editor each, the project around them, and what changes on disk meanwhile.

Owns FileDesk. It asks nothing of a model; the panel does.
"""

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QWidget

from studio.errors import StudioError
from studio.kit.session import Session

from .buffers import Buffer, Buffers
from .project import Edited, Project, around
from .ui_editor import CodeEditor
from .ui_layout import CodeLayout

LOOK_MS = 2000
RECENT = 8
CONTEXT = 6000
"""Characters of other files that a model is told."""

EXAMPLE = '''def is_palindrome(text):
    """Whether text reads the same from both ends."""
    letters = [c.lower() for c in text if c.isalnum()]
    '''


class FileDesk(QObject):
    """changed: which files are open, or what is saved, is another. typed: in the file on show. switched: another file
    is on show. refused(error): something could not be opened or saved."""

    changed = Signal()
    typed = Signal()
    switched = Signal()
    refused = Signal(object)

    def __init__(self, session: Session, ui: CodeLayout, parent: QObject):
        super().__init__(parent)
        self._session, self._ui = session, ui
        self.buffers = Buffers()
        self.project: Project | None = None
        self.editors: dict[str, CodeEditor] = {}
        self.current: Buffer | None = None
        self._recent: list[Edited] = []
        self._kept: set[str] = set()
        self.dialog: QFileDialog | None = None
        self._look = QTimer(self, interval=LOOK_MS)
        self._look.timeout.connect(self.look_at_disk)
        ui.tree.opened.connect(self.open_path)
        ui.tree.folder_wanted.connect(self.choose_folder)
        ui.tree.new_wanted.connect(lambda: self.new())
        ui.tabs.chosen.connect(self.show)
        ui.tabs.close_wanted.connect(self.close)
        ui.save.clicked.connect(self.save)
        ui.disk.reload.connect(self._reload)
        ui.disk.keep.connect(self._keep)

    # opening ---------------------------------------------------------------------------------

    def open_folder(self, folder: Path) -> None:
        """Its files are shown and told to the model; nothing is opened yet."""
        self.project = Project(folder)
        self.refresh_tree()
        self.changed.emit()

    def refresh_tree(self) -> None:
        if self.project is not None:
            self._ui.tree.show_files(self.project.root.name or str(self.project.root), self.project.files())
        else:
            self._ui.tree.show_files("", ())

    def open_path(self, path: str) -> None:
        """A file of the project."""
        if self.project is not None:
            self._try(lambda: self._add(self.buffers.load(self.project.place(path), path)))  # type: ignore[union-attr]

    def open_file(self, place: Path) -> None:
        """Any file; one below the project's folder by its path in it."""
        name = place.name
        if self.project is not None and place.resolve().is_relative_to(self.project.root):
            name = place.resolve().relative_to(self.project.root).as_posix()
        elif (known := self.buffers.find(name)) is not None and known.place != place:
            name = str(place)
        self._try(lambda: self._add(self.buffers.load(place, name)))

    def new(self, name: str = "", text: str = "") -> Buffer:
        buffer = self.buffers.make(name, text)
        self._add(buffer)
        return buffer

    def choose_folder(self) -> None:
        self._ask("Open a folder", QFileDialog.FileMode.Directory, lambda path: self.open_folder(path))

    def choose_file(self) -> None:
        self._ask("Open a file", QFileDialog.FileMode.ExistingFile, lambda path: self.open_file(path))

    def show(self, name: str) -> None:
        buffer = self.buffers.find(name)
        if buffer is None or buffer is self.current:
            return
        self._remember()
        self.current = buffer
        self._ui.editors.setCurrentWidget(self.editors[name])
        self._say_disk()
        self._show_tabs()
        self.switched.emit()

    def close(self, name: str) -> None:
        """Puts a file away; what was not saved comes back with Ctrl+Z."""
        buffer = self.buffers.find(name)
        if buffer is None:
            return
        if buffer.modified:
            undo, redo = partial(self._reopen, buffer), partial(self.close, name)
            self._session.undo.push(f"close {name}", undo, redo, owner=self.parent())
        at = self.buffers.open.index(buffer)
        self.buffers.close(buffer)
        editor = self.editors.pop(name)
        self._ui.editors.removeWidget(editor)
        editor.deleteLater()
        if not self.buffers.open:
            self.new()
        elif buffer is self.current:
            self.current = None
            self.show(self.buffers.open[max(0, at - 1)].name)
        self._show_tabs()
        self.changed.emit()

    def _reopen(self, buffer: Buffer) -> None:
        if self.buffers.find(buffer.name) is None:
            self.buffers.open.append(buffer)
            self._add(buffer)

    def _add(self, buffer: Buffer) -> None:
        if buffer.name not in self.editors:
            editor = CodeEditor(self._session.theme)
            editor.set_text(buffer.text)
            editor.highlighter.set_path(buffer.name)
            editor.select(min(buffer.cursor, len(buffer.text)))
            editor.textChanged.connect(lambda: self._take(buffer, editor))
            editor.typed.connect(self.typed)
            editor.cursorPositionChanged.connect(lambda: self._moved(buffer, editor))
            self.editors[buffer.name] = editor
            self._ui.editors.addWidget(editor)
        self.show(buffer.name)
        self._show_tabs()
        self.changed.emit()

    def _take(self, buffer: Buffer, editor: CodeEditor) -> None:
        was = buffer.modified
        buffer.text = editor.text()
        if buffer.modified != was:
            self._show_tabs()
        self.changed.emit()

    def _moved(self, buffer: Buffer, editor: CodeEditor) -> None:
        buffer.cursor = editor.textCursor().position()

    # the file on show ------------------------------------------------------------------------

    @property
    def editor(self) -> CodeEditor:
        """Of the file on show; there is always one."""
        assert self.current is not None
        return self.editors[self.current.name]

    def put(self, name: str, text: str) -> None:
        """Makes it the text of a file, as one step of its editor's undo; opens or makes the file where it is not."""
        buffer = self.buffers.find(name)
        if buffer is None and self.project is not None and (self.project.root / name).is_file():
            self.open_path(name)
            buffer = self.buffers.find(name)
        if buffer is None:
            buffer = self.new(name)
        self.show(buffer.name)
        self.editors[buffer.name].replace(text)

    def save(self) -> None:
        buffer = self.current
        if buffer is None:
            return
        if buffer.place is None:
            self._ask("Save the file", QFileDialog.FileMode.AnyFile, lambda path: self._save(buffer, path))
        else:
            self._save(buffer, None)

    def _save(self, buffer: Buffer, place: Path | None) -> None:
        over = buffer.name in self._kept or place is not None
        if self._try(lambda: self.buffers.save(buffer, place, over=over)):
            self._kept.discard(buffer.name)
            self._ui.disk.hide()
            self.refresh_tree()
            self._show_tabs()
            self.changed.emit()

    def context(self) -> list[dict[str, str]]:
        """What a model is told about the rest of the project."""
        if self.project is None or self.current is None:
            return []
        self._remember()
        told = self.project.context(self.current.name, self.current.text, self._recent, CONTEXT)
        return [{"path": path, "text": text} for path, text in told]

    def files(self) -> list[dict[str, str]]:
        """All that a run sees: the open files as they are here, the others of the project as they are on disk."""
        found = {buffer.name: buffer.text for buffer in self.buffers if not Path(buffer.name).is_absolute()}
        if self.project is not None:
            for path in self.project.files():
                if path not in found:
                    try:
                        found[path] = self.project.read(path)
                    except StudioError:
                        continue  # no text, or too large: a run does without it
        return [{"path": path, "text": text} for path, text in list(found.items())[:500]]

    def _remember(self) -> None:
        """Keeps the part of the file on show that is being edited, for the models that see another file next."""
        buffer = self.current
        if buffer is None or not buffer.modified or buffer.name not in self.editors:
            return
        part = Edited(buffer.name, around(buffer.text, self.editors[buffer.name].textCursor().blockNumber()))
        self._recent = [known for known in self._recent if known.path != part.path]
        self._recent = [*self._recent, part][-RECENT:]

    # the disk --------------------------------------------------------------------------------

    def watch(self, on: bool) -> None:
        """While the panel is on show, files are looked at every now and then."""
        if on:
            self.look_at_disk()
            self._look.start()
        else:
            self._look.stop()

    def look_at_disk(self) -> None:
        """A file that another program changed is read again, unless it was changed here too: then it is asked."""
        for buffer in list(self.buffers):
            if not buffer.changed_on_disk or buffer.name in self._kept:
                continue
            assert buffer.place is not None
            if not buffer.modified and buffer.place.exists():
                self._load_again(buffer)
        self._say_disk()

    def _load_again(self, buffer: Buffer) -> None:
        if self._try(lambda: self.buffers.reload(buffer)):
            self.editors[buffer.name].replace(buffer.saved)
            self._show_tabs()

    def _say_disk(self) -> None:
        buffer = self.current
        asks = buffer is not None and buffer.changed_on_disk and buffer.name not in self._kept
        gone = buffer is not None and buffer.place is not None and not buffer.place.exists()
        self._ui.disk.show_file(buffer.name if asks and buffer is not None else "", gone)

    def _reload(self) -> None:
        if self.current is not None:
            self._load_again(self.current)
            self._say_disk()

    def _keep(self) -> None:
        if self.current is not None:
            self._kept.add(self.current.name)
            self._say_disk()

    # drafts ----------------------------------------------------------------------------------

    def draft(self) -> dict[str, Any]:
        return {
            "files": self.buffers.draft(),
            "current": self.current.name if self.current else "",
            "folder": str(self.project.root) if self.project else "",
        }

    def restore(self, draft: dict[str, Any]) -> None:
        folder = Path(str(draft.get("folder") or ""))
        if draft.get("folder") and folder.is_dir():
            self.open_folder(folder)
        files = draft.get("files")
        problems = self.buffers.restore(files) if isinstance(files, list) else []
        for buffer in list(self.buffers):
            if buffer.name not in self.editors:
                self._add(buffer)
        self.show(str(draft.get("current", "")))
        if problems:
            self._session.notify("Some files could not be opened again", " ".join(problems), "warning")

    def begin(self) -> None:
        """What stands there on the first start."""
        if not self.buffers.open:
            self.new("example.py", EXAMPLE).saved = EXAMPLE  # nobody wrote it, so nothing of it is to be saved
            self._show_tabs()
            self.editor.select(len(EXAMPLE))

    # inside ----------------------------------------------------------------------------------

    def _show_tabs(self) -> None:
        files = [(buffer.name, buffer.modified) for buffer in self.buffers]
        self._ui.tabs.show_files(files, self.current.name if self.current else "")

    def _try(self, act: Any) -> bool:
        try:
            act()
        except StudioError as error:
            self.refused.emit(error)
            return False
        return True

    def _ask(self, title: str, mode: QFileDialog.FileMode, then: Any) -> None:
        parent = self.parent()
        dialog = QFileDialog(parent if isinstance(parent, QWidget) else None, title)
        dialog.setFileMode(mode)
        if mode == QFileDialog.FileMode.AnyFile:
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            dialog.selectFile(self.current.name if self.current else "")
        if self.project is not None:
            dialog.setDirectory(str(self.project.root))
        dialog.fileSelected.connect(lambda path: then(Path(path)))
        dialog.finished.connect(dialog.deleteLater)
        self.dialog = dialog
        dialog.open()
