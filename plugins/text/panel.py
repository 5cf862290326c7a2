"""The text panel: a prompt, its settings, and everything that was made of them so far.

Composes title, work area, prompt editor and controls, and carries the engine's events to the results.
The results live in `ui_results`, what can be done with them in `ui_deeds`, what is written and set in the kit's desk.
"""

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout

from studio.errors import StudioError
from studio.kit.action import Action
from studio.kit.desk import Desk
from studio.kit.dropped import text_of
from studio.kit.panel import EventLike, Panel
from studio.kit.session import Session
from studio.kit.turns import ON_WORKER
from studio.sdk.artifact import Recipe
from studio.sdk.manifest import PanelEntry

from .ui_actions import actions
from .ui_card import ResultCard
from .ui_deeds import OPERATION, Deeds
from .ui_layout import TextLayout
from .ui_results import Result, Results, Writing

EXAMPLE = "Once upon a time there was a little tailor who"
HISTORY = 200


class TextPanel(Panel):
    """Raw completion: the model goes on where the prompt ends."""

    def __init__(self, session: Session, entry: PanelEntry):
        super().__init__(session, entry)
        self.results = Results(entry.id)
        self._params = session.params_class(OPERATION)
        self._busy_elsewhere = False
        self._connected = False
        self._forget: list[str] = []
        self._starter_dismissed = False
        self._models: list[dict[str, Any]] = []
        self.ui = TextLayout(entry.title, session, OPERATION, self._params, self._make_card)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.ui)
        self.desk = Desk(self.ui.form, {"prompt": self.ui.prompt, "model": self.ui.model}, session.undo, self)
        self.deeds = Deeds(session, entry.id, self.results, self.desk, self)
        self.desk.put({"prompt": EXAMPLE})
        self._connect()
        self._show_all()

    def _connect(self) -> None:
        self.desk.changed.connect(self._on_values)
        self.deeds.changed.connect(self._show_all)
        self.deeds.revealed.connect(self.ui.work.reveal)
        self.deeds.focused_prompt.connect(self.focus_prompt)
        self.deeds.deleted.connect(lambda title, undo, redo: self.session.undo.push(title, undo, redo, owner=self))
        self.ui.work.asked.connect(self.deeds.do)
        self.ui.work.needs_text.connect(self._read)
        self.ui.generate.clicked.connect(self.generate)
        self.ui.empty.acted.connect(self.generate)
        self.ui.prompt.submitted.connect(self.generate)
        self.ui.stop.clicked.connect(self.cancel_current)
        self.ui.density_changed.connect(self.density_chosen)
        self.ui.starter.dismissed.connect(self._dismiss_starter)
        self.ui.starter.wanted.connect(lambda: self.session.open_panel("models.panel"))

    def _make_card(self, id: str) -> ResultCard:
        return ResultCard(id, self.results.get, self.session.theme)

    # the engine ------------------------------------------------------------------------------

    def attached(self) -> None:
        self._connected = True
        self.session.spawn(self.session.call("prewarm", operation=OPERATION))
        self.session.spawn(self._reload())
        self._update_buttons()

    def lost(self) -> None:
        self._connected = False
        self._update_buttons()

    async def _reload(self) -> None:
        """The history of this panel, running jobs with the text so far."""
        forget, self._forget = self._forget, []
        await self.deeds.forget(forget)
        for id in forget:
            self.results.remove(id)
        answer = await self.session.call("jobs", origin=self.entry.id, newest=True, limit=HISTORY)
        self.results.load(list(answer["jobs"]))
        self.results.forget_turns()
        for job in (await self.session.call("jobs", states=sorted(ON_WORKER)))["jobs"]:
            self.results.note(job)
        self._show_all()
        for result in self.results:
            self.ui.work.touch(result.id)
        prompts = (result.prompt for result in self.results if not result.local)
        self.ui.prompt.set_history(dict.fromkeys(prompts))
        self._load_models()

    def _load_models(self) -> None:
        self.ui.model.reload()
        self.session.spawn(self._look_at_models())

    async def _look_at_models(self) -> None:
        self._models = await self.session.models("text-generation")
        self._update_starter()
        self.ui.fit.check(self.desk.values())

    def on_event(self, event: EventLike) -> None:
        match event.kind:
            case "job":
                self._on_job(event.data)
            case "progress" if result := self.results.get(event.job):
                result.progress = dict(event.data)
                self.ui.work.touch(result.id)
            case "stream" if result := self.results.get(event.job):
                if not result.append(int(event.data["at"]), str(event.data["text"]), int(event.data.get("item", 0))):
                    self.session.spawn(self._catch_up(result.id))
                self.ui.work.touch(result.id)
            case "queue":
                self._busy_elsewhere = bool(event.data.get("running"))
                self._update_buttons()
            case "library":
                self._on_library({*event.data.get("changed", ()), *event.data.get("removed", ())})
            case "models":
                self._load_models()

    def _on_job(self, job: dict[str, Any]) -> None:
        for id in self.results.note(job):
            self.ui.work.touch(id)
        known = self.results.get(str(job.get("id", "")))
        result = self.results.take(job)
        if result is None:
            return
        if known is None:
            self._show_all()
        if result.ended and result.artifact and result.saved is None:
            self._read(result.id, fresh=True)
        self.ui.work.touch(result.id, now=True)
        self._update_buttons()

    async def _catch_up(self, id: str) -> None:
        """Some of the stream did not arrive: asks for all of it."""
        job = await self.session.call("job", job=id)
        if result := self.results.get(id):
            result.take_live(job.get("live"))
            self.ui.work.touch(id)

    def _on_library(self, ids: set[str]) -> None:
        for result in self.results.by_artifact(ids):
            if result.ended:
                self._read(result.id)

    def _read(self, id: str, fresh: bool = False) -> None:
        self.session.spawn(self._read_text(id, fresh))

    async def _read_text(self, id: str, fresh: bool) -> None:
        """What is on disk is what is shown; when it is gone, that is said.

        fresh: it ended a moment ago, and the library may know the file a moment later.
        """
        result = self.results.get(id)
        if result is None or not result.artifact:
            return
        writing = result.writing
        try:
            item = await self.session.call("library.get", id=result.artifact)
        except StudioError as error:
            writing.gone = "" if fresh else f"The file of this result is gone. {error.title}."
        else:
            self._take_item(writing, item)
        self.ui.work.touch(id, now=True)

    @staticmethod
    def _take_item(writing: Writing, item: dict[str, Any]) -> None:
        text = item.get("text")
        writing.trashed = bool(item.get("trashed"))
        writing.gone = ""
        if isinstance(text, str):
            writing.saved = text
        else:
            writing.gone = f"The file of this result is gone: {item.get('path', '')}"
        if writing.trashed:
            writing.gone = "This result is in the trash."

    # doing -----------------------------------------------------------------------------------

    def generate(self) -> None:
        """Asks for a continuation of the prompt with the present settings."""
        if self._connected:
            self.ui.prompt.remember(self.ui.prompt.value())
            self.ui.work.follow_end()
            self.deeds.generate(self.desk.values())

    def cancel_current(self) -> bool:
        """Stops what runs here, else the newest that waits. What was made so far is kept."""
        return self.deeds.stop_one()

    def focus_prompt(self) -> None:
        self.ui.prompt.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def set_density(self, density: str) -> None:
        self.ui.set_density(density)

    def _show_all(self) -> None:
        results = self.results.shown()
        self.ui.work.show_results(results)
        self.ui.show_empty(not results)
        self._update_buttons()

    def _update_buttons(self) -> None:
        unfinished = bool(self.results.unfinished())
        newest = next((r for r in reversed(self.results.shown()) if r.seed is not None), None)
        self.ui.form.set_last_seed(newest.seed if newest else None)
        self.ui.show_busy(unfinished or self._busy_elsewhere, unfinished, self._connected)

    def _dismiss_starter(self) -> None:
        self._starter_dismissed = True
        self._update_starter()
        self.draft_changed.emit()

    def _update_starter(self) -> None:
        chosen = self.ui.model.value()
        usable = [entry for entry in self._models if not entry.get("problem")]
        fitting = (entry for entry in usable if chosen in ("", entry["id"], entry["path"]))
        self.ui.starter.show_model(None if self._starter_dismissed else next(fitting, None))

    def _on_values(self) -> None:
        self._update_starter()
        self.ui.fit.check(self.desk.values())
        self.draft_changed.emit()

    # recipes and drafts ----------------------------------------------------------------------

    def restore(self, recipe: Recipe, path: Path | None = None) -> None:
        """All params, seed and prompt as they were, and the result itself in the work area."""
        try:
            params = self._params.load(dict(recipe.params), recipe.operation_version).model_dump(mode="json")
        except StudioError as error:
            self.session.notify(error.title, f"{error.detail} {error.hint}".strip(), "error")
            return
        self.desk.set_values(params, "restore a recipe")
        known = self.results.get(recipe.job)
        if known is None:
            known = self.results.add(self._dropped(recipe, params, path))
            self._show_all()
        self.results.hide(known.id, False)
        self.ui.work.reveal(known.id)

    def _dropped(self, recipe: Recipe, params: dict[str, Any], path: Path | None) -> Result:
        """A result the engine's job list does not have (any more), shown from its file."""
        newest = max((result.created for result in self.results), default=recipe.created)
        id = recipe.artifact or str(path)
        result = Result(id, params, "finished", max(newest, recipe.created), 2**31, OPERATION, local=True)
        result.facts, result.path = dict(recipe.facts), str(path or "")
        result.artifacts = [{"id": recipe.artifact, "kind": "text", "path": result.path}] if recipe.artifact else []
        if path is not None:
            try:
                result.saved = text_of(path)
            except StudioError as error:
                result.gone = str(error)
        return result

    def draft(self) -> dict[str, Any]:
        return {
            "params": self.desk.values(),
            "scroll": self.ui.work.scroll_place(),
            "deleted": self.results.hidden,
            "starter_dismissed": self._starter_dismissed,
        }

    def restore_draft(self, draft: dict[str, Any]) -> None:
        params = draft.get("params")
        if isinstance(params, dict):
            known = {name: value for name, value in params.items() if name in self._params.model_fields}
            try:
                self.desk.put(self._params.load(known).model_dump(mode="json"))
            except StudioError:
                self.desk.put({"prompt": str(known.get("prompt", EXAMPLE))})
        if isinstance(draft.get("scroll"), int):
            self.ui.work.set_scroll_place(draft["scroll"])
        self._starter_dismissed = draft.get("starter_dismissed") is True
        self._forget = [str(id) for id in draft.get("deleted") or ()]
        for id in self._forget:
            self.results.hide(id)
        self._show_all()
        self._update_starter()

    def actions(self) -> list[Action]:  # type: ignore[override]
        return actions(self)
