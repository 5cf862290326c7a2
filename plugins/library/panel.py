"""The library panel: everything that was made, to look at, use again, put away and take back."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import QItemSelectionModel, QMimeData, QModelIndex, QSize, Qt, QTimer, QUrl
from PySide6.QtGui import QDesktopServices, QGuiApplication, QImage, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QPushButton, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from studio.errors import StudioError
from studio.kit.action import Action
from studio.kit.empty import EmptyState
from studio.kit.flow import FlowLayout
from studio.kit.panel import Panel
from studio.kit.session import Session
from studio.sdk.fields import describe
from studio.sdk.manifest import PanelEntry
from studio.sdk.params import Density

from .ui_grid import Grid
from .ui_head import ForGood, Head
from .ui_items import ITEM, LibraryItems
from .ui_picture import Large
from .ui_preview import Preview
from .ui_thumbs import Thumbs
from .ui_tile import GAP, PICTURED, TILE, Tile, picture_room

REFRESH_MS = 250
MARGINS = (24, 16, 24, 16)
IMAGE_PANEL = "image.panel"


class LibraryPanel(Panel):
    """Search and filters above, what was found on the left, the selected thing on the right."""

    def __init__(self, session: Session, entry: PanelEntry):
        super().__init__(session, entry)
        self._item: dict[str, Any] | None = None
        self.items = LibraryItems(session.call, session.spawn, self)
        self.thumbs = Thumbs(session.call_frames, session.spawn, self)
        self.large = Large(session.call_frames, session.spawn, self)
        self.head = Head(entry.title)
        self.for_good = ForGood()
        self.view = Grid(self.items, Tile(session.theme, self.thumbs, self), TILE + QSize(GAP, GAP))
        self.view.setAccessibleName("Results in the library")
        self.empty = EmptyState()
        self.preview = Preview(self.session.theme, self._title_of, self._ordinary)
        self._buttons = {name: QPushButton(label) for name, label in LABELS.items()}
        self._lay_out()
        self._refresh_soon = QTimer(self, interval=REFRESH_MS, singleShot=True)
        self._refresh_soon.timeout.connect(self.items.refresh)
        self._connect()
        self._update_buttons()

    # building --------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self._stack = QStackedWidget()
        self._stack.addWidget(self.view)
        self._stack.addWidget(self.empty)
        row = FlowLayout(spacing=8)
        for name, button in self._buttons.items():
            button.setToolTip(TIPS[name])
            row.addWidget(button)
        self._right = QWidget()
        column = QVBoxLayout(self._right)
        column.setContentsMargins(16, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.preview, 1)
        column.addLayout(row)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(1)
        split.addWidget(self._stack)
        split.addWidget(self._right)
        split.setStretchFactor(0, 3)
        split.setStretchFactor(1, 2)
        split.setSizes([664, 400])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*MARGINS)
        layout.setSpacing(16)
        layout.addWidget(self.head)
        layout.addWidget(self.for_good)
        layout.addWidget(split, 1)
        self.for_good.hide()

    def _connect(self) -> None:
        self.head.changed.connect(self.search)
        self.for_good.sure.connect(lambda: self.session.spawn(self._empty_trash()))
        self.items.counted.connect(self._on_counted)
        self.items.arrived.connect(self._select_something)
        selection = self.view.selectionModel()
        selection.currentChanged.connect(self._on_current)
        selection.selectionChanged.connect(lambda: self._update_buttons())
        self.view.activated.connect(lambda _index: self.open_current())
        self.view.looked.connect(self._on_looked)
        self.thumbs.arrived.connect(lambda _ids: self.view.viewport().update())
        self.large.ready.connect(self._on_large)
        deeds = (
            self.open_current,
            self.use_current,
            self.copy_current,
            self.show_folder,
            self.trash_selected,
            self.restore_selected,
        )
        for button, run in zip(self._buttons.values(), deeds, strict=True):
            button.clicked.connect(lambda _on=False, run=run: run())

    # looking ---------------------------------------------------------------------------------

    def attached(self) -> None:
        self.items.refresh()

    def on_event(self, event: Any) -> None:
        if event.kind == "library":
            self._refresh_soon.start()
            ids = {*event.data.get("changed", ()), *event.data.get("removed", ())}
            self.thumbs.forget(ids)
            self.view.look_soon()
            if self._item is not None and self._item.get("id") in ids:
                self._look_at(self._item)

    def search(self) -> None:
        """Shows what fits the head."""
        self._item = None
        self.items.show(**self.head.value())

    def _on_looked(self, first: int, last: int, down: bool) -> None:
        """Thumbnails of what is on screen, then of as much again where the person is going."""
        if not self.view.isVisible():
            return
        ahead = range(last + 1, min(2 * last - first + 2, self.items.rowCount()))
        rows = [*range(first, last + 1), *(ahead if down else range(first - 1, max(-1, 2 * first - last - 2), -1))]
        items = [item for row in rows if (item := self.items.item(row)) is not None]
        room = picture_room(self.view.fontMetrics().lineSpacing(), self.devicePixelRatioF())
        self.thumbs.want([str(item["id"]) for item in items if item.get("kind") in PICTURED], room)

    def _on_counted(self, total: int) -> None:
        self.head.set_count(total)
        self.for_good.set_count(total if self.head.trash.isChecked() else 0)
        self._stack.setCurrentWidget(self.view if total else self.empty)
        self._right.setVisible(total > 0)
        if not total:
            self._item = None
            self.preview.clear()
            self._say_nothing_is_here()
        self._update_buttons()

    def _say_nothing_is_here(self) -> None:
        if self.head.narrowed:
            self.empty.show_words(
                "Nothing fits", "No result has these words and this kind.", "Show everything", self.head.set_value
            )
        elif self.head.trash.isChecked():
            self.empty.show_words(
                "The trash is empty",
                "What you delete comes here first and can be put back.",
                "Back to the library",
                self.head.set_value,
            )
        else:
            self.empty.show_words(
                "Nothing was made yet",
                "Everything you make is kept here, with all that is needed to make it again.",
                "Write something",
                lambda: self.session.open_panel("text.panel", {}),
            )

    def _select_something(self) -> None:
        """After rows came: the same thing stays selected, else the first one is."""
        row = self.items.row_of(str(self._item["id"])) if self._item else 0
        index = self.items.index(max(row, 0))
        if self.items.item(index.row()) is not None and not self.view.selectionModel().hasSelection():
            self.view.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def _on_current(self, current: QModelIndex, _before: QModelIndex) -> None:
        item = current.data(ITEM)
        if item is not None:
            self._look_at(item)

    def _look_at(self, item: dict[str, Any]) -> None:
        self._item = item
        playable = item.get("kind") == "video" and not item.get("trashed")
        self.preview.show_clip(str(item.get("path") or "") if playable else "")
        pictured = item.get("kind") in PICTURED
        self.preview.show_picture(self.thumbs.image(str(item["id"])) or QImage() if pictured else None)
        self.large.ask(str(item["id"]) if pictured else "")
        self.session.spawn(self._load(str(item["id"]), item))

    async def _load(self, id: str, item: dict[str, Any]) -> None:
        try:
            whole, note = {**item, **await self.session.call("library.get", id=id)}, ""
        except StudioError as problem:
            whole, note = {name: value for name, value in item.items() if name != "text"}, str(problem)
        if self._item is not None and self._item.get("id") == id:
            self._item = whole
            self.preview.show_item(whole, note=note)
            self._update_buttons()

    def _on_large(self, id: str, image: QImage, words: str) -> None:
        if self._item is not None and self._item.get("id") == id:
            self.preview.show_picture(image, words)

    def _update_buttons(self) -> None:
        trashed, item = self.head.trash.isChecked(), self._item or {}
        some = self.view.selectionModel().hasSelection()
        allowed = {
            "open": not trashed and bool(item.get("recipe")) and bool(self._panel_of(item)),
            "use": not trashed and item.get("kind") == "image" and not self.thumbs.problem(str(item.get("id"))),
            "copy": isinstance(item.get("text"), str) or item.get("kind") in PICTURED,
            "folder": bool(item.get("path")),
            "delete": not trashed,
            "restore": trashed,
        }
        for name, button in self._buttons.items():
            button.setEnabled(some and allowed[name])
        for name in ("open", "delete"):
            self._buttons[name].setVisible(not trashed)
        self._buttons["use"].setVisible(not trashed and item.get("kind") == "image")
        self._buttons["copy"].setText(COPY.get(str(item.get("kind")), LABELS["copy"]))
        self._buttons["restore"].setVisible(trashed)

    def _title_of(self, operation: str, name: str) -> str:
        """What a param is called on screen, or the operation; empty when it is not known here."""
        known = self.session.operations().get(operation)
        if known is None or not name:
            return known.entry.title if known is not None else ""
        return next((s.title for s in describe(self.session.params_class(operation)) if s.name == name), "")

    def _ordinary(self, operation: str, name: str, value: Any) -> bool:
        """Whether a param need not be told: an expert's that was left alone, or one that is never on screen."""
        if operation not in self.session.operations():
            return False
        spec = next((s for s in describe(self.session.params_class(operation)) if s.name == name), None)
        return spec is not None and (
            spec.ui.widget == "hidden" or (spec.ui.density is Density.EXPERT and value == spec.default)
        )

    # doing -----------------------------------------------------------------------------------

    def _panel_of(self, item: dict[str, Any]) -> str:
        """The panel that makes this kind of thing; empty when no plugin here does."""
        operation = str((item.get("recipe") or {}).get("operation") or item.get("operation") or "")
        found = self.session.operations().get(operation)
        panels = found.plugin.manifest.panel if found is not None else ()
        return next((panel.id for panel in panels if operation in panel.operations), "")

    def open_current(self) -> None:
        """Opens the panel that made the current thing, with its recipe."""
        item = self._item
        if item is not None and item.get("recipe") and not item.get("trashed") and (panel := self._panel_of(item)):
            self.session.open_panel(panel, {"recipe": item["recipe"], "path": item.get("path")})

    def use_current(self) -> None:
        """Takes the current picture to the image panel, as a picture to work on."""
        item = self._item or {}
        if item.get("kind") == "image" and item.get("path") and not item.get("trashed"):
            self.session.open_panel(IMAGE_PANEL, {"use": str(item["path"])})

    def copy_current(self) -> None:
        """The whole text, or the picture as a file and as what is shown of it."""
        item = self._item or {}
        if isinstance(item.get("text"), str):
            QGuiApplication.clipboard().setText(item["text"])
        elif item.get("kind") in PICTURED and item.get("path"):
            copied = QMimeData()
            copied.setUrls([QUrl.fromLocalFile(str(item["path"]))])
            if not self.preview.picture.image.isNull():
                copied.setImageData(self.preview.picture.image)
            QGuiApplication.clipboard().setMimeData(copied)

    def show_folder(self) -> None:
        folder = Path(str((self._item or {}).get("path", ""))).parent
        if folder.is_dir():
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
        else:
            self.session.notify("The folder is not there", str(folder), "warning")

    def selected_ids(self) -> list[str]:
        items = (index.data(ITEM) for index in self.view.selectionModel().selectedIndexes())
        return [str(item["id"]) for item in items if item is not None]

    def trash_selected(self) -> None:
        """Moves what is selected to the trash; can be undone."""
        ids = self.selected_ids()
        if not ids or self.head.trash.isChecked():
            return
        title = "delete a result" if len(ids) == 1 else f"delete {len(ids):,} results"
        self._move("library.trash", ids)
        self.session.undo.push(
            title,
            lambda: self._move("library.restore", ids),
            lambda: self._move("library.trash", ids),
            owner=self,
        )

    def restore_selected(self) -> None:
        """Takes what is selected out of the trash."""
        if (ids := self.selected_ids()) and self.head.trash.isChecked():
            self._move("library.restore", ids)

    def _move(self, method: str, ids: list[str]) -> None:
        self.session.spawn(self._moved(method, ids))

    async def _moved(self, method: str, ids: list[str]) -> None:
        await self.session.call(method, ids=ids)
        if self.head.trash.isChecked() == (method == "library.restore"):
            self._item = None
            self.items.drop(set(ids))
            self._select_something()
        else:
            self.items.refresh()

    async def _empty_trash(self) -> None:
        await self.session.call("library.empty_trash")
        self.search()

    # the window ------------------------------------------------------------------------------

    def actions(self) -> list[Action]:  # type: ignore[override]
        def some() -> bool:
            return self.view.selectionModel().hasSelection()

        def made() -> bool:
            return some() and not self.head.trash.isChecked()

        return [
            Action("library.search", "Search the library", "Ctrl+F", self.focus_prompt),
            Action("library.open", "Open in the panel that made it", "", self.open_current, made),
            Action("library.use", "Use the picture in the image panel", "Ctrl+Shift+U", self.use_current, made),
            Action("library.copy", "Copy the text or the picture", "Ctrl+Shift+C", self.copy_current, some),
            Action("library.folder", "Show in folder", "", self.show_folder, some),
            Action("library.delete", "Delete", "", self.trash_selected, made),
            Action("library.trash", "Show the trash, or leave it", "", self.head.trash.toggle),
            Action("library.restore", "Put back", "", self.restore_selected, lambda: some() and not made()),
        ]

    def focus_prompt(self) -> None:
        self.head.search.setFocus()
        self.head.search.selectAll()

    def generate(self) -> None:
        self.open_current()

    def draft(self) -> dict[str, Any]:
        return dict(self.head.value())

    def restore_draft(self, draft: dict[str, Any]) -> None:
        self.head.set_value(str(draft.get("query", "")), str(draft.get("kind", "")), draft.get("trashed") is True)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        on_results = self.focusWidget() is self.view
        if event.key() == Qt.Key.Key_Delete and on_results:
            self.trash_selected()
        elif event.matches(QKeySequence.StandardKey.Copy) and on_results:
            self.copy_current()
        else:
            super().keyPressEvent(event)


LABELS = {
    "open": "Open in panel",
    "use": "Use as input",
    "copy": "Copy text",
    "folder": "Show in folder",
    "delete": "Delete",
    "restore": "Put back",
}
COPY = {"image": "Copy picture", "video": "Copy file"}
TIPS = {
    "open": "Restores prompt, settings and seed in the panel that made it (Enter)",
    "use": "Takes the picture to the image panel, to work on it",
    "copy": "Copies the whole text, or the picture (Ctrl+C)",
    "folder": "Opens the folder of the file",
    "delete": "Moves to the trash (Del); Ctrl+Z brings it back",
    "restore": "Takes it out of the trash",
}
