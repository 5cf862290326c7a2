"""The code panel: an editor in which a model suggests, writes, explains, mends and tests, and code is run shut in.

Composes the layout, the open files, the suggestions and what is asked of the engine.
"""

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout

from studio.errors import StudioError
from studio.kit.action import Action
from studio.kit.desk import Desk
from studio.kit.panel import EventLike, Panel
from studio.kit.session import Session
from studio.sdk.artifact import Recipe
from studio.sdk.manifest import PanelEntry

from .ghost import Place
from .params import Deed
from .project import SOURCES
from .ui_actions import actions
from .ui_desk import FileDesk
from .ui_ghosts import Ghosts
from .ui_layout import CodeLayout
from .ui_work import RUN, WORK, CodeWork

SENT = ("model", "temperature", "top_p", "seed")
"""Settings that suggestions share with what is asked for."""


class CodePanel(Panel):
    """Ctrl+Return asks the model for what the switch below the editor says."""

    def __init__(self, session: Session, entry: PanelEntry):
        super().__init__(session, entry)
        self._params = session.params_class(WORK)
        self._connected = False
        self._busy_elsewhere = False
        self._starter_dismissed = False
        self._models: list[dict[str, Any]] = []
        self.ui = CodeLayout(entry.title, session, WORK, self._params)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.ui)
        self.desk = FileDesk(session, self.ui, self)
        self.settings = Desk(self.ui.form, {"instruction": self.ui.prompt, "model": self.ui.model}, session.undo, self)
        self.work = CodeWork(session, entry.id, self.ui, self.desk, self)
        self.ghosts = Ghosts(session, f"{entry.id}.suggestion", self._place, self)
        self._connect()
        self.desk.begin()

    def _connect(self) -> None:
        ui = self.ui
        self.settings.changed.connect(self._on_values)
        self.desk.changed.connect(self.draft_changed)
        self.desk.typed.connect(self.ghosts.typed)
        self.desk.switched.connect(self._switched)
        self.desk.refused.connect(self.work.show_error)
        self.work.changed.connect(self._update_buttons)
        self.work.run_wanted.connect(self.run)
        self.ghosts.shown.connect(lambda text: self.desk.editor.set_ghost(text))
        self.ghosts.said.connect(self._say_ghost)
        ui.suggest.toggled.connect(self.ghosts.set_on)
        ui.suggest.toggled.connect(lambda _on: self.draft_changed.emit())
        ui.generate.clicked.connect(self.generate)
        ui.prompt.submitted.connect(self.generate)
        ui.stop.clicked.connect(self.cancel_current)
        ui.run.clicked.connect(lambda: self.run(False))
        ui.test.clicked.connect(lambda: self.run(True))
        ui.output.mend.connect(lambda: self.work.mend(self._asked()))
        ui.density_changed.connect(self.density_chosen)
        ui.starter.dismissed.connect(self._dismiss_starter)
        ui.starter.wanted.connect(lambda: self.session.open_panel("models.panel"))

    # the engine ------------------------------------------------------------------------------

    def attached(self) -> None:
        self._connected = True
        self.session.spawn(self.session.call("prewarm", operation=WORK))
        self.session.spawn(self.work.reload())
        self._load_models()
        self._update_buttons()

    def lost(self) -> None:
        self._connected = False
        self.ghosts.drop()
        self._update_buttons()

    def on_event(self, event: EventLike) -> None:
        self.ghosts.on_event(event)
        self.work.on_event(event)
        if event.kind == "queue":
            self._busy_elsewhere = bool(event.data.get("running"))
            self._update_buttons()
        elif event.kind == "models":
            self._load_models()

    def _load_models(self) -> None:
        self.ui.model.reload()
        self.session.spawn(self._look_at_models())

    async def _look_at_models(self) -> None:
        self._models = await self.session.models("code-generation")
        self._update_starter()
        self.ui.fit.check(self._asked())

    # doing -----------------------------------------------------------------------------------

    def generate(self) -> None:
        """Asks the model for what the switch says, about the selected part or the file."""
        if self._connected:
            self.ui.prompt.remember(self.ui.prompt.value())
            self.work.do(self._asked())

    def run(self, tests: bool = False) -> None:
        """Runs the file on show, or the tests, with all files as they are here."""
        if self._connected and self.desk.current is not None:
            self.work.run({"files": self.desk.files(), "main": self.desk.current.name, "tests": tests})

    def cancel_current(self) -> bool:
        if self.desk.editor.ghost:
            self.ghosts.drop()
            return True
        return self.work.stop()

    def _asked(self) -> dict[str, Any]:
        """Params of code.work as things stand."""
        values = self.settings.values()
        start, end = self.desk.editor.span()
        if start == end:
            # Without a selection new code goes to the cursor, all else is about the whole file.
            start, end = (start, start) if self.ui.deed() is Deed.WRITE else (0, 0)
        buffer = self.desk.current
        about = {"text": buffer.text, "path": buffer.name} if buffer else {"text": "", "path": ""}
        part = {"start": start, "end": end, "deed": str(self.ui.deed()), "failure": ""}
        return {**values, **about, **part, "files": self.desk.context()}

    def _place(self) -> tuple[Place, dict[str, Any]]:
        """Where the cursor is, and what suggestions are made with."""
        editor = self.desk.editor
        at = editor.place()
        text = editor.text()
        values = self.settings.values()
        given = {name: values[name] for name in SENT if name in values}
        name = self.desk.current.name if self.desk.current else ""
        return Place(text[:at], text[at:]), {**given, "path": name, "files": self.desk.context()}

    def focus_prompt(self) -> None:
        self.ui.prompt.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def set_density(self, density: str) -> None:
        self.ui.set_density(density)

    def _switched(self) -> None:
        self.ghosts.drop()
        self.desk.editor.setFocus()

    def _say_ghost(self, words: str) -> None:
        self.ui.suggest_said.setText(f"No suggestion: {words}" if words else "")
        self.ui.suggest_said.setVisible(bool(words))

    def _update_buttons(self) -> None:
        self.ui.show_busy(self.work.busy or self._busy_elsewhere, self.work.busy, self._connected)

    def _on_values(self) -> None:
        self._update_starter()
        self.ui.fit.check(self._asked())
        self.draft_changed.emit()

    def _dismiss_starter(self) -> None:
        self._starter_dismissed = True
        self._update_starter()
        self.draft_changed.emit()

    def _update_starter(self) -> None:
        chosen = self.ui.model.value()
        usable = [entry for entry in self._models if not entry.get("problem")]
        fitting = (entry for entry in usable if chosen in ("", entry["id"], entry["path"]))
        self.ui.starter.show_model(None if self._starter_dismissed else next(fitting, None))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.desk.watch(True)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.desk.watch(False)
        self.ghosts.drop()

    # files, recipes and drafts ---------------------------------------------------------------

    def accepts_file(self, path: Path) -> bool:
        return path.is_dir() or path.suffix.lower() in SOURCES

    def drop_file(self, path: Path) -> None:
        if path.is_dir():
            self.desk.open_folder(path)
        else:
            self.desk.open_file(path)

    def restore(self, recipe: Recipe, path: Path | None = None) -> None:
        """The settings and the file as they were when this was asked for."""
        if recipe.operation == RUN:
            self.session.notify("This is the output of a run", "Its files are in its recipe.", "info")
            return
        try:
            values = self._params.load(dict(recipe.params), recipe.operation_version).model_dump(mode="json")
        except StudioError as error:
            self.session.notify(error.title, f"{error.detail} {error.hint}".strip(), "error")
            return
        self.settings.set_values({name: v for name, v in values.items() if name in self.settings.values()}, "restore")
        self.ui.set_deed(Deed(values["deed"]))
        buffer = self.desk.buffers.find(values["path"])
        if buffer is None or buffer.text != values["text"]:
            self.desk.new(Path(values["path"] or "restored.py").name, values["text"])

    def draft(self) -> dict[str, Any]:
        return {
            "settings": self.settings.values(),
            "deed": str(self.ui.deed()),
            "suggest": self.ui.suggest.isChecked(),
            "starter_dismissed": self._starter_dismissed,
            **self.desk.draft(),
        }

    def restore_draft(self, draft: dict[str, Any]) -> None:
        settings = draft.get("settings")
        if isinstance(settings, dict):
            known = {name: value for name, value in settings.items() if name in self.settings.values()}
            self.settings.put(known)
        if draft.get("deed") in {str(deed) for deed in Deed}:
            self.ui.set_deed(Deed(draft["deed"]))
        self.ui.suggest.setChecked(draft.get("suggest") is not False)
        self._starter_dismissed = draft.get("starter_dismissed") is True
        self.desk.restore(draft)
        self._update_starter()

    def actions(self) -> list[Action]:  # type: ignore[override]
        return actions(self)
