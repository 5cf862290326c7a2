"""Saved prompts and personas of the chat panel, and the files that conversations come from and go to."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMenu, QWidget

from studio.errors import StudioError
from studio.kit.session import Session

from .conversation_export import to_markdown, to_messages, to_tree
from .conversation_import import read
from .conversation_store import ConversationStore
from .prompt_library import Persona, Personas, Prompts
from .ui_chat_layout import ChatLayout

EXPORT = {"md": (to_markdown, ".md"), "json": (to_messages, ".json"), "tree": (to_tree, ".json")}


class ChatShelf(QObject):
    """settings: what the panel is set to. put: sets it, as one step that can be undone."""

    def __init__(
        self,
        session: Session,
        ui: ChatLayout,
        store: ConversationStore,
        settings: Callable[[], dict[str, Any]],
        put: Callable[[dict[str, Any], str], None],
        parent: QWidget,
    ):
        super().__init__(parent)
        self._session, self._ui, self._store, self._settings, self._put = session, ui, store, settings, put
        self._prompts, self._personas = Prompts(session.paths.data), Personas(session.paths.data)
        self.dialog: QWidget | None = None
        ui.saved_menu.aboutToShow.connect(self._fill_prompts)
        ui.persona_menu.aboutToShow.connect(self._fill_personas)

    # prompts and personas --------------------------------------------------------------------

    def _fill_prompts(self) -> None:
        menu = self._ui.saved_menu
        menu.clear()
        for saved in self._prompts.all():
            self._entry(menu, saved.name, saved.problem, partial(self._use_prompt, saved.text))
        menu.addSeparator()
        self._entry(menu, "Save this prompt…", "", lambda: self._name("Save the prompt", self._save_prompt))

    def _fill_personas(self) -> None:
        menu = self._ui.persona_menu
        menu.clear()
        for persona in self._personas.all():
            self._entry(menu, persona.name, persona.problem, partial(self._use_persona, persona))
        menu.addSeparator()
        save = partial(self._name, "Save the system prompt as a persona", self._save_persona)
        self._entry(menu, "Save this system prompt as a persona…", "", save)

    @staticmethod
    def _entry(menu: QMenu, title: str, problem: str, act: Callable[[], None]) -> None:
        action = menu.addAction(f"{title}: {problem}" if problem else title)
        action.setEnabled(not problem)
        action.triggered.connect(lambda _on=False: act())

    def _use_prompt(self, text: str) -> None:
        self._put({**self._settings(), "prompt": text}, "use a saved prompt")
        self._ui.prompt.setFocus()

    def _use_persona(self, persona: Persona) -> None:
        known = self._settings()
        given = {name: value for name, value in persona.settings.items() if name in known}
        self._put({**known, **given, "system": persona.system}, f"be {persona.name}")

    def _save_prompt(self, name: str) -> None:
        self._try(lambda: self._prompts.save(name, str(self._settings().get("prompt", ""))))

    def _save_persona(self, name: str) -> None:
        system = str(self._settings().get("system", ""))
        self._try(lambda: self._personas.save(Persona(name, system)))

    def _name(self, title: str, then: Callable[[str], None]) -> None:
        dialog = QInputDialog(self._ui)
        dialog.setWindowTitle(title)
        dialog.setLabelText("Its name")
        dialog.textValueSelected.connect(lambda text: then(text.strip()))
        dialog.finished.connect(dialog.deleteLater)
        self.dialog = dialog
        dialog.open()

    # files -----------------------------------------------------------------------------------

    def export(self, id: str, kind: str) -> None:
        make, ending = EXPORT[kind]
        conversation, _ = self._store.open(id)
        name = "".join(c if c.isalnum() or c in " -_" else "-" for c in conversation.title)[:60].strip()
        dialog = QFileDialog(self._ui, "Export")
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.selectFile((name or "conversation") + ending)
        dialog.fileSelected.connect(lambda path: self._write(Path(path), make(conversation)))
        dialog.finished.connect(dialog.deleteLater)
        self.dialog = dialog
        dialog.open()

    def _write(self, place: Path, text: str) -> None:
        try:
            place.write_text(text, encoding="utf-8")
        except OSError as error:
            self._session.notify("The conversation could not be exported", f"{place}: {error.strerror}", "error")

    def choose_import(self, then: Callable[[str], None]) -> None:
        dialog = QFileDialog(self._ui, "Import conversations", filter="Conversations (*.json *.jsonl *.md)")
        dialog.fileSelected.connect(lambda path: self.take(Path(path), then))
        dialog.finished.connect(dialog.deleteLater)
        self.dialog = dialog
        dialog.open()

    def take(self, place: Path, then: Callable[[str], None]) -> None:
        """Reads conversations from a file of this program or another; `then` is given the newest one's id."""
        try:
            found = read(place.read_bytes(), place.name)
        except OSError as error:
            self._session.notify("The file cannot be read", f"{place}: {error.strerror}", "error")
            return
        except StudioError as error:
            self._session.notify(error.title, f"{error.detail} {error.hint}".strip(), "error")
            return
        last = ""
        for conversation in found.conversations:
            last = self._store.keep(conversation).id
        if found.notes:
            self._session.notify("Not everything could be taken over", " ".join(found.notes[:5]), "warning")
        if last:
            then(last)

    def _try(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except StudioError as error:
            self._session.notify(error.title, f"{error.detail} {error.hint}".strip(), "error")
