"""A panel for operations whose plugin brings none: a form from the params, and what the job says."""

from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from studio.kit.empty import EmptyState
from studio.kit.form import ParamsForm
from studio.kit.panel import EventLike, Panel
from studio.kit.surface import label
from studio.sdk.artifact import Recipe
from studio.sdk.manifest import OperationEntry, PanelEntry
from studio.sdk.progress import share
from studio.ui.activity import counted, title_of
from studio.ui.queue_rows import STATE_WORDS

ENDED = frozenset({"finished", "failed", "cancelled"})
KEPT_LINES = 5000
HISTORY = 200


class GenericPanel(Panel):
    """One operation at a time, chosen above the form; its jobs listed beside."""

    def __init__(self, session: Any, entry: PanelEntry, operations: tuple[OperationEntry, ...]):
        super().__init__(session, entry)
        self._operations = {operation.id: operation for operation in operations}
        self._forms: dict[str, ParamsForm] = {}
        self._jobs: dict[str, dict[str, Any]] = {}
        self._live: dict[str, dict[str, Any]] = {}
        self._texts: dict[str, str] = {}
        self._density = "simple"
        self._choice = QComboBox()
        self._choice.setAccessibleName("Operation")
        for operation in operations:
            self._choice.addItem(operation.title, operation.id)
        self._summary = QLabel()
        self._summary.setTextFormat(Qt.TextFormat.PlainText)
        self._summary.setWordWrap(True)
        self._summary.setProperty("muted", True)
        self._area = QScrollArea(widgetResizable=True)
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._run = QPushButton("Run")
        self._run.setProperty("primary", True)
        self._run.setToolTip("Ctrl+Return")
        self._list = QListWidget()
        self._list.setAccessibleName("Jobs")
        self._text = QPlainTextEdit(readOnly=True)
        self._text.setMaximumBlockCount(KEPT_LINES)
        self._text.setAccessibleName("What the job says")
        self._state = QLabel()
        self._state.setTextFormat(Qt.TextFormat.PlainText)
        self._state.setWordWrap(True)
        self._bar = QProgressBar(textVisible=False)
        self._bar.setRange(0, 1000)
        self._bar.hide()
        self.empty = EmptyState("Nothing made yet", "Fill in the form and press Run.", "Run")
        self.empty.acted.connect(self.generate)
        self._stack = QStackedWidget()
        self._lay_out()
        self._choice.currentIndexChanged.connect(self._chosen)
        self._run.clicked.connect(self.generate)
        self._list.currentItemChanged.connect(self._show_job)
        self._chosen(0)
        self._show_job()

    def _lay_out(self) -> None:
        left, right, jobs = QWidget(), QWidget(), QWidget()
        work, listed = QVBoxLayout(left), QVBoxLayout(jobs)
        work.setContentsMargins(0, 0, 8, 0)
        listed.setContentsMargins(0, 0, 0, 0)
        for widget, stretch in ((self._list, 1), (self._state, 0), (self._bar, 0), (self._text, 2)):
            listed.addWidget(widget, stretch)
        for page in (self.empty, jobs):
            self._stack.addWidget(page)
        work.addWidget(label(self.entry.title, title=True))
        work.addWidget(self._stack, 1)
        controls = QVBoxLayout(right)
        controls.setContentsMargins(16, 0, 0, 0)
        for widget, stretch in ((self._choice, 0), (self._summary, 0), (self._area, 1), (self._run, 0)):
            controls.addWidget(widget, stretch)
        right.setMinimumWidth(300)
        splitter = QSplitter()
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(left)
        splitter.addWidget(right)
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([800, 340])
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.addWidget(splitter)

    @property
    def operation(self) -> str:
        return str(self._choice.currentData())

    @property
    def form(self) -> ParamsForm:
        return self._forms[self.operation]

    def _chosen(self, _row: int) -> None:
        operation = self._operations[self.operation]
        self._summary.setText(operation.summary)
        self._summary.setVisible(bool(operation.summary))
        if operation.id not in self._forms:
            self._forms[operation.id] = form = ParamsForm(self.session.params_class(operation.id), self.session)
            form.set_density(self._density)
            form.density_wanted.connect(self.density_chosen)
        self._area.takeWidget()
        self._area.setWidget(self._forms[operation.id])

    def generate(self) -> None:
        self.session.spawn(self._submit(self.operation, self.form.value()))

    async def _submit(self, operation: str, params: dict[str, Any]) -> None:
        job = await self.session.submit(operation, params)
        self._select(job)

    def cancel_current(self) -> bool:
        job = self._selected_job()
        if job is None or job.get("state") in ENDED:
            job = next((job for job in reversed(self._jobs.values()) if job.get("state") not in ENDED), None)
        if job is not None:
            self.session.spawn(self.session.call("cancel", job=job["id"]))
        return job is not None

    def set_density(self, density: str) -> None:
        self._density = density
        for form in self._forms.values():
            form.set_density(density)

    def focus_prompt(self) -> None:
        self.form.setFocus()

    # Jobs --------------------------------------------------------------------------------------

    def attached(self) -> None:
        self.session.spawn(self._reload())

    async def _reload(self) -> None:
        reply = await self.session.call("jobs", origin=self.entry.id, limit=HISTORY, newest=True)
        self._jobs = {job["id"]: job for job in reversed(reply["jobs"])}
        for id, job in self._jobs.items():
            live = job.get("live") or {}
            self._texts[id], self._live[id] = (
                str(live.get("stream") or self._texts.get(id, "")),
                live.get("progress") or {},
            )
            job["artifacts"] = job.get("artifacts") or live.get("artifacts") or []
        keep = self._selected_id()
        self._list.clear()
        for job in self._jobs.values():
            self._item(job)
        self._select(keep or next(reversed(self._jobs), ""))

    def on_event(self, event: EventLike) -> None:
        if event.kind == "job" and event.data.get("origin") == self.entry.id:
            new = event.job not in self._jobs
            self._jobs[event.job] = event.data
            self._item(event.data)
            if new and not self._selected_id():
                self._select(event.job)
            self._refresh(event.job)
        elif event.job in self._jobs and event.kind == "progress":
            self._live[event.job] = event.data
            self._refresh(event.job)
        elif event.job in self._jobs and event.kind == "saved":
            job = self._jobs[event.job]
            self._jobs[event.job] = {**job, "artifacts": [*(job.get("artifacts") or ()), event.data["artifact"]]}
            self._refresh(event.job)
        elif event.job in self._jobs and event.kind == "stream" and not event.data.get("item"):
            self._append(event.job, int(event.data.get("at", 0)), str(event.data.get("text", "")))

    def _append(self, job: str, at: int, text: str) -> None:
        known = self._texts.get(job, "")
        new = text[max(0, len(known) - at) :]
        self._texts[job] = known + new
        if job == self._selected_id() and new:
            cursor = self._text.textCursor()
            cursor.movePosition(QTextCursor.MoveOperation.End)
            cursor.insertText(new)

    def _item(self, job: dict[str, Any]) -> None:
        words = f"{title_of(job)} · {STATE_WORDS.get(str(job.get('state')), '')}"
        for row in range(self._list.count()):
            if self._list.item(row).data(Qt.ItemDataRole.UserRole) == job["id"]:
                self._list.item(row).setText(words)
                return
        item = QListWidgetItem(words)
        item.setData(Qt.ItemDataRole.UserRole, job["id"])
        self._list.addItem(item)

    def _select(self, job: str) -> None:
        for row in range(self._list.count()):
            if self._list.item(row).data(Qt.ItemDataRole.UserRole) == job:
                self._list.setCurrentRow(row)

    def _selected_id(self) -> str:
        item = self._list.currentItem()
        return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else ""

    def _selected_job(self) -> dict[str, Any] | None:
        return self._jobs.get(self._selected_id())

    def _show_job(self, *_items: Any) -> None:
        self._text.setPlainText(self._texts.get(self._selected_id(), ""))
        self._refresh(self._selected_id())

    def _refresh(self, id: str) -> None:
        if id != self._selected_id():
            return
        job, progress = self._jobs.get(id), self._live.get(id) or {}
        if job is None:
            self._stack.setCurrentIndex(0)
            return
        self._stack.setCurrentIndex(1)
        error = job.get("error") or {}
        parts = [STATE_WORDS.get(str(job["state"]), ""), counted(progress) if job["state"] not in ENDED else ""]
        parts += [str(error.get(key, "")) for key in ("title", "detail", "hint")]
        parts += [str(artifact.get("path", "")) for artifact in job.get("artifacts") or ()]
        self._state.setText(" · ".join(part for part in parts if part))
        self._bar.setVisible(job["state"] not in ENDED and job["state"] != "queued")
        part = share(progress)
        self._bar.setRange(0, 1000 if part is not None else 0)
        self._bar.setValue(round(1000 * (part or 0)))

    # Drafts and recipes ------------------------------------------------------------------------

    def draft(self) -> dict[str, Any]:
        return {"operation": self.operation, "forms": {id: form.value() for id, form in self._forms.items()}}

    def restore_draft(self, draft: dict[str, Any]) -> None:
        for id, values in (draft.get("forms") or {}).items():
            if id in self._operations and isinstance(values, dict):
                self._choose(id)
                self.form.set_value(values)
        self._choose(str(draft.get("operation", "")))

    def _choose(self, operation: str) -> None:
        row = self._choice.findData(operation)
        if row >= 0:
            self._choice.setCurrentIndex(row)

    def accepts(self, recipe: Recipe) -> bool:
        return recipe.operation in self._operations

    def restore(self, recipe: Recipe, path: Path | None = None) -> None:
        self._choose(recipe.operation)
        params = self.session.params_class(recipe.operation).load(recipe.params, recipe.operation_version)
        self.form.set_value(params.model_dump(mode="json"))
