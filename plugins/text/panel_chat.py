"""The chat panel: conversations as trees, each message of which can be edited, retried, continued and branched.

Composes the list, the messages, the prompt and the controls, and carries the engine's events to the talk.
"""

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QVBoxLayout

from studio.errors import StudioError
from studio.kit.action import Action
from studio.kit.desk import Desk
from studio.kit.panel import EventLike, Panel
from studio.kit.session import Session
from studio.sdk.artifact import Recipe
from studio.sdk.manifest import PanelEntry

from .context_budget import estimated
from .conversation_store import ConversationStore
from .prompt_coach import advise
from .ui_chat_layout import ChatLayout
from .ui_chat_message import MessageCard
from .ui_chat_shelf import ChatShelf
from .ui_chat_talk import OPERATION, UNSENT, Talk

EXAMPLE = "Tell me a story about a fox and a river."
LONGEST_CHECKED = 100_000
CONVERSATIONS = (".json", ".jsonl")


class ChatPanel(Panel):
    """Ctrl+Return says what is written and has it answered."""

    def __init__(self, session: Session, entry: PanelEntry):
        super().__init__(session, entry)
        self._params = session.params_class(OPERATION)
        self._connected = self._busy_elsewhere = self._starter_dismissed = False
        self._models: list[dict[str, Any]] = []
        self._wanted = ""
        self.store = ConversationStore(session.paths.data)
        self.ui = ChatLayout(entry.title, session, OPERATION, self._params, self._show_message)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.ui)
        self.desk = Desk(self.ui.form, {"prompt": self.ui.prompt, "model": self.ui.model}, session.undo, self)
        self.talk = Talk(session, entry.id, self.store, self.desk.values)
        self.shelf = ChatShelf(session, self.ui, self.store, self.desk.values, self.desk.set_values, self)
        self.desk.put({"prompt": EXAMPLE})
        self._connect()
        self._show_all()

    def _connect(self) -> None:
        ui, conversations = self.ui, self.ui.conversations
        self.desk.changed.connect(self._on_values)
        self.talk.changed.connect(self._show_all)
        self.talk.touched.connect(self._touched)
        self.talk.said.connect(lambda words: self.session.notify("A conversation was damaged", words, "warning"))
        conversations.chosen.connect(self.open)
        conversations.new_wanted.connect(self.new)
        conversations.renamed.connect(self._rename)
        conversations.deleted.connect(self._delete_conversation)
        conversations.exported.connect(self.shelf.export)
        conversations.import_wanted.connect(lambda: self.shelf.choose_import(self.open))
        ui.view.asked.connect(self.do)
        ui.view.edited.connect(self.talk.edit)
        ui.view.turned.connect(self._turn)
        ui.view.linked.connect(self._ask_about_link)
        ui.generate.clicked.connect(self.generate)
        ui.prompt.submitted.connect(self.generate)
        ui.stop.clicked.connect(self.cancel_current)
        ui.density_changed.connect(self.density_chosen)
        ui.starter.dismissed.connect(self._dismiss_starter)
        ui.starter.wanted.connect(lambda: self.session.open_panel("models.panel"))

    # the engine ------------------------------------------------------------------------------

    def attached(self) -> None:
        self._connected = True
        self.session.spawn(self.session.call("prewarm", operation=OPERATION))
        wanted = self._wanted or (self.talk.conversation.id if self.talk.conversation else "")
        if wanted:
            self.open(wanted)
        self._load_models()
        self._show_all()

    def lost(self) -> None:
        self._connected = False
        self._update_buttons()

    def on_event(self, event: EventLike) -> None:
        self.talk.on_event(event)
        if event.kind == "queue":
            self._busy_elsewhere = bool(event.data.get("running"))
            self._update_buttons()
        elif event.kind == "models":
            self._load_models()

    def _load_models(self) -> None:
        self.ui.model.reload()
        self.session.spawn(self._look_at_models())

    async def _look_at_models(self) -> None:
        self._models = await self.session.models("text-generation")
        self._on_values()

    # conversations ---------------------------------------------------------------------------

    def open(self, id: str) -> None:
        self._wanted = ""
        try:
            self.talk.open(id)
        except StudioError as error:
            self.session.notify(error.title, f"{error.detail} {error.hint}".strip(), "error")
            return
        self.ui.view.follow_end()
        self.draft_changed.emit()

    def new(self) -> None:
        """A conversation is on disk from its first message on, not before."""
        self.talk.close()
        self.ui.prompt.setFocus()
        self.draft_changed.emit()

    def _rename(self, id: str, title: str) -> None:
        current = self.talk.conversation
        (current if current is not None and current.id == id else self.store.open(id)[0]).rename(title)
        self._show_all()

    def _delete_conversation(self, id: str) -> None:
        if self.talk.conversation is not None and self.talk.conversation.id == id:
            self.talk.close()
        self.store.delete(id)
        self.session.undo.push(
            "delete the conversation", lambda: self._restore(id), lambda: self._delete_conversation(id), owner=self
        )
        self._show_all()

    def _restore(self, id: str) -> None:
        self.store.restore(id)
        self.open(id)

    # messages --------------------------------------------------------------------------------

    def generate(self) -> None:
        """Says what is written and has it answered; with nothing written, the last message is answered."""
        if not self._connected:
            return
        text = self.ui.prompt.value()
        self.ui.view.follow_end()
        if text.strip():
            self.ui.prompt.remember(text)
        self.talk.say(text)
        self.desk.put({"prompt": ""})
        self._on_values()

    def cancel_current(self) -> bool:
        return self.talk.stop()

    def do(self, deed: str, id: str) -> None:
        """What a button of a message says."""
        talk = self.talk.begin()
        node = talk.node(id)
        match deed:
            case "edit":
                self.ui.view.cards[id].set_editing(True, node.content)
            case "retry":
                self.talk.retry(id)
            case "continue":
                self.talk.go_on(id)
            case "compare":
                versions = talk.siblings(id)
                at = next(n for n, other in enumerate(versions) if other.id == id)
                self.ui.view.cards[id].compare(versions[at - 1], node)
            case "branch":
                talk.branch(id)
                self._show_all()
                self.ui.prompt.setFocus()
            case "good" | "bad":
                rating = 1 if deed == "good" else -1
                talk.change(id, rating=0 if node.rating == rating else rating)
                self.ui.view.touch(id, now=True)
            case "copy":
                QGuiApplication.clipboard().setText(node.content)
            case "delete":
                talk.delete(id)
                self._show_all()
                undo, redo = lambda: self._put_back(talk.id, id), lambda: self.do("delete", id)
                self.session.undo.push("delete the message", undo, redo, owner=self)

    def _put_back(self, conversation: str, id: str) -> None:
        if self.talk.conversation is None or self.talk.conversation.id != conversation:
            self.open(conversation)
        self.talk.begin().restore(id)
        self._show_all()

    def _turn(self, id: str, step: int) -> None:
        self.talk.begin().switch(id, step)
        self._show_all()

    def _ask_about_link(self, url: str) -> None:
        """A link leads out of the application: it is said, copied, and opened only from the notice's text."""
        if QUrl(url).scheme() in ("http", "https"):
            QGuiApplication.clipboard().setText(url)
            self.session.notify("A link in an answer was copied", f"It was not opened: {url}", "info")

    def _show_message(self, card: MessageCard, id: str) -> None:
        talk = self.talk.conversation
        if talk is not None and id in talk:
            node = talk.node(id)
            card.show_message(node, talk.siblings(id), *self.talk.state(node))

    def _touched(self, id: str) -> None:
        self.ui.view.touch(id)
        self._update_buttons()

    def _show_all(self) -> None:
        talk = self.talk.conversation
        path = talk.path() if talk is not None else []
        self.ui.view.show_messages([node.id for node in path])
        self.ui.show_empty(not path)
        self.ui.conversations.show_conversations(self.store.list(), talk.id if talk else "")
        self._on_values()
        self._update_buttons()

    def _update_buttons(self) -> None:
        self.ui.show_busy(self.talk.busy or self._busy_elsewhere, self.talk.busy, self._connected)

    def _on_values(self) -> None:
        values = self.desk.values()
        entry = self._model()
        self.ui.starter.show_model(None if self._starter_dismissed else entry)
        said = self.talk.conversation.messages() if self.talk.conversation else []
        prompt = str(values.get("prompt", ""))
        said = said + [{"role": "user", "content": prompt}] * bool(prompt.strip())
        self._say_room(said, values, int((entry or {}).get("context") or 0))
        advice = advise(prompt, with_input=len(said) > 1)
        words = f"{advice[0].what} {advice[0].proposal}" if advice else ""
        self.ui.show_advice(words, "\n".join(found.why for found in advice))
        self.draft_changed.emit()

    def _say_room(self, said: list[dict[str, str]], values: dict[str, Any], context: int) -> None:
        """How full the context would be, and whether the memory would do."""
        fit = estimated(said, str(values.get("system", "")), context or None, int(values["max_tokens"]))
        self.ui.show_room(fit.share, f"about {fit.whole:,} of {context:,} tokens" if context else "", fit.words())
        # As long as all that is said, and not all of it: memory does not depend on the words.
        length = min(LONGEST_CHECKED, sum(len(message["content"]) for message in said))
        asked = {name: value for name, value in values.items() if name not in UNSENT}
        self.ui.fit.check(asked | {"messages": [{"role": "user", "content": "x" * max(1, length)}]})

    def _model(self) -> dict[str, Any] | None:
        chosen = self.ui.model.value()
        usable = (entry for entry in self._models if not entry.get("problem"))
        return next((entry for entry in usable if chosen in ("", entry["id"], entry["path"])), None)

    def _dismiss_starter(self) -> None:
        self._starter_dismissed = True
        self._on_values()

    def focus_prompt(self) -> None:
        self.ui.prompt.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def set_density(self, density: str) -> None:
        self.ui.set_density(density)

    # files, recipes and drafts ---------------------------------------------------------------

    def accepts_file(self, path: Path) -> bool:
        return path.suffix.lower() in CONVERSATIONS

    def drop_file(self, path: Path) -> None:
        self.shelf.take(path, self.open)

    def restore(self, recipe: Recipe, path: Path | None = None) -> None:
        """The settings, and the conversation up to the answer as one of its own."""
        try:
            params = self._params.load(dict(recipe.params), recipe.operation_version)
        except StudioError as error:
            self.session.notify(error.title, f"{error.detail} {error.hint}".strip(), "error")
            return
        values = params.model_dump(mode="json")
        self.desk.set_values({n: v for n, v in values.items() if n not in UNSENT}, "restore a recipe")
        self.talk.close()
        talk = self.talk.begin()
        for message in params.said():  # type: ignore[attr-defined] - the params of text.chat
            talk.add(message["role"], message["content"])
        self._show_all()

    def draft(self) -> dict[str, Any]:
        return {
            "params": {n: v for n, v in self.desk.values().items() if n not in UNSENT or n == "prompt"},
            "conversation": self.talk.conversation.id if self.talk.conversation else self._wanted,
            "starter_dismissed": self._starter_dismissed,
        }

    def restore_draft(self, draft: dict[str, Any]) -> None:
        params = draft.get("params")
        if isinstance(params, dict):
            self.desk.put({name: value for name, value in params.items() if name in self.desk.values()})
        self._starter_dismissed = draft.get("starter_dismissed") is True
        self._wanted = str(draft.get("conversation") or "")
        self._on_values()

    def actions(self) -> list[Action]:  # type: ignore[override]
        def last() -> str:
            return self.talk.conversation.leaf if self.talk.conversation else ""

        def on_last(id: str, title: str, shortcut: str, deed: str) -> Action:
            return Action(id, title, shortcut, lambda: last() and self.do(deed, last()), lambda: bool(last()))

        return [
            Action("text.chat.new", "New conversation", "Ctrl+N", self.new),
            Action("text.chat.import", "Import conversations…", "", lambda: self.shelf.choose_import(self.open)),
            on_last("text.chat.retry", "Retry the last answer", "Ctrl+R", "retry"),
            on_last("text.chat.go-on", "Continue the last answer", "Ctrl+Shift+Return", "continue"),
            on_last("text.chat.copy", "Copy the last answer", "Ctrl+Shift+C", "copy"),
        ]
