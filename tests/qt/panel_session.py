"""A session for panels under test: an engine that does what the test says, with the real engine's words.

Coroutines run to their end at once, unless the test holds a method back with `hold` and answers later.
"""

import itertools
import uuid
from collections.abc import Coroutine, Generator, Sequence
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.host.discover import Plugins, discover
from studio.host.loader import load_from, load_params
from studio.kit.history import History
from studio.kit.panel import Panel
from studio.kit.theme import Theme
from studio.library import inputs
from studio.paths import Paths, bundled
from studio.sdk.params import Params
from studio.wire.messages import Event


class _Gate:
    """Awaited by a call that is held back."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class FakeEngine:
    """Jobs, library and models in memory. Everything a real engine would announce goes to `listeners`."""

    def __init__(self, params: dict[str, type[Params]], library: Path):
        self.params, self.library = params, library
        self.jobs: dict[str, dict[str, Any]] = {}
        self.live: dict[str, dict[str, Any]] = {}
        self.items: dict[str, dict[str, Any]] = {}
        self.texts: dict[str, str] = {}
        self.recipes: dict[str, dict[str, Any]] = {}
        self.model_entries: list[dict[str, Any]] = []
        self.folders: list[str] = []
        self.refuse: StudioError | None = None
        self.listeners: list[Any] = []
        self._seq = itertools.count(1)
        self._seeds = itertools.count(1000)

    # what a test makes happen ----------------------------------------------------------------

    def emit(self, kind: str, job: str = "", **data: Any) -> None:
        for listener in list(self.listeners):
            listener(Event(kind=kind, job=job, data=data))

    def announce(self, id: str, **changes: Any) -> None:
        self.jobs[id].update(changes)
        self.emit("job", id, **dict(self.jobs[id]))

    def start(self, id: str) -> None:
        self.live[id] = {"progress": {}, "stream": ""}
        self.announce(id, state="starting", worker="w1", attempt=self.jobs[id]["attempt"] + 1)

    def stage(self, id: str, stage: str, done: int = 0, total: int | None = None) -> None:
        self.progress(id, stage=stage, done=done, total=total)

    def progress(self, id: str, **values: Any) -> None:
        values = {"done": 0, "total": None, "rate": None, "unit": "tokens", "stage": "", **values}
        self.live[id]["progress"] = values
        self.emit("progress", id, **values)

    def running(self, id: str) -> None:
        self.announce(id, state="running")

    def stream(self, id: str, text: str) -> None:
        at = len(self.live[id]["stream"])
        self.live[id]["stream"] += text
        self.emit("stream", id, at=at, text=text)

    def finish(self, id: str, reason: str = "length", state: str = "finished", **facts: Any) -> str:
        """Saves what was streamed and ends the job. Returns the artifact's id."""
        job, text = self.jobs[id], self.live.pop(id)["stream"]
        artifact = self.add_item(id, job["params"], text)
        facts = {
            "prompt_chars": len(job["params"]["prompt"]),
            "stop_reason": reason,
            "tokens": len(text.split()),
            "prompt_tokens": 9,
            "tokens_per_second": 57.3,
            "seed": job["params"].get("seed"),
            **facts,
        }
        item = self.items[artifact]
        artifacts = [{"id": artifact, "job": id, "kind": "text", "path": item["path"], "size": 1, "sha256": "0" * 64}]
        self.announce(id, state=state, worker="", artifacts=artifacts, facts=facts)
        self.emit("library", changed=[artifact], removed=[])
        return artifact

    def finish_new(self, prompt: str) -> str:
        """Something made elsewhere turns up in the library."""
        id = self.add_item(uuid.uuid4().hex, {"prompt": prompt, "model": "", "seed": 1}, " and so on.")
        self.emit("library", changed=[id], removed=[])
        return id

    def fail(self, id: str, **error: Any) -> None:
        self.live.pop(id, None)
        self.announce(id, state="failed", worker="", error=error)

    def add_item(self, job: str, params: dict[str, Any], text: str, n: int = 1) -> str:
        id = f"{job}-{n}"
        path = self.library / f"{id}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(params["prompt"] + text, encoding="utf-8")
        self.recipes[id] = {
            "operation": "text.generate",
            "operation_version": self.params["text.generate"].version,
            "params": dict(params),
            "job": job,
            "artifact": id,
            "models": [{"ref": "tales-5m", "sha256": "ab" * 32}],
            "versions": {"torch": "2.13.0"},
            "device": "cpu",
            "dtype": "float32",
            "created": 1_790_000_000.0,
            "facts": {"prompt_chars": len(params["prompt"]), "tokens": 4, "stop_reason": "length"},
        }
        self.texts[id] = params["prompt"] + text
        self.items[id] = {
            "id": id,
            "job": job,
            "kind": "text",
            "path": str(path),
            "media": "text/markdown",
            "size": len(text),
            "created": 1_790_000_000.0 + len(self.items),
            "title": params["prompt"][:60],
            "prompt": params["prompt"],
            "model": "tales-5m",
            "operation": "text.generate",
            "excerpt": (params["prompt"] + text)[:400],
            "trashed": False,
        }
        return id

    # what a client asks ----------------------------------------------------------------------

    def answer(self, method: str, params: dict[str, Any]) -> Any:
        return getattr(self, "do_" + method.replace(".", "_"))(**params)

    def do_submit(self, job: str, operation: str, params: dict[str, Any], **rest: Any) -> dict[str, Any]:
        if self.refuse:
            raise self.refuse
        full = self.params[operation].load(params).with_seeds(lambda: next(self._seeds)).model_dump(mode="json")
        seq = next(self._seq)
        self.jobs[job] = {
            "id": job, "operation": operation, "params": full, "seq": seq, "state": "queued", "priority": 0,
            "position": float(seq), "title": rest.get("title", ""), "origin": rest.get("origin", ""), "worker": "",
            "attempt": 0, "created": 1_790_000_000.0 + seq, "error": None, "artifacts": [], "facts": {},
        }  # fmt: skip
        self.announce(job)
        return {"job": job}

    def do_preview(self, job: str) -> tuple[dict[str, Any], list[bytes]]:
        return {"media": ""}, []

    def do_resume(self, job: str) -> dict[str, Any]:
        self.announce(job, state="running")
        return {}

    def do_cancel(self, job: str) -> dict[str, Any]:
        if self.jobs[job]["state"] == "queued":
            self.announce(job, state="cancelled")
        else:
            self.announce(job, state="cancelling")
        return {}

    def do_retry(self, job: str) -> dict[str, Any]:
        self.announce(job, state="queued", error=None, artifacts=[], facts={})
        return {}

    def do_forget(self, job: str) -> dict[str, Any]:
        self.jobs.pop(job, None)
        return {}

    def do_prewarm(self, operation: str) -> dict[str, Any]:
        return {}

    def do_fits(self, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        sizes = {"weights": 20_400_000, "working": 9_600_000, "total": 30_000_000, "parts": {}, "rungs": []}
        return {"estimate": sizes, "budget": 2_000_000_000, "fits": "yes"}

    def do_jobs(
        self, states: Any = None, origin: str = "", offset: int = 0, limit: int = 200, newest: bool = False
    ) -> dict[str, Any]:
        found = [job for job in self.jobs.values() if not origin or job["origin"] == origin]
        found = [job for job in found if not states or job["state"] in states]
        if newest:
            found.reverse()
        rows = [self.do_job(job["id"]) for job in found[offset : offset + limit]]
        return {"total": len(found), "waiting": 0, "held": False, "jobs": rows}

    def do_job(self, job: str) -> dict[str, Any]:
        live = {"live": dict(self.live[job])} if job in self.live else {}
        return {**self.jobs[job], **live}

    def do_library_list(
        self, query: str = "", kind: str = "", offset: int = 0, limit: int = 100, trashed: bool = False
    ) -> dict[str, Any]:
        found = [item for item in reversed(self.items.values()) if item["trashed"] == trashed]
        found = [item for item in found if query.lower() in item["excerpt"].lower() and kind in ("", item["kind"])]
        return {"total": len(found), "items": [dict(item) for item in found[offset : offset + limit]]}

    def do_library_get(self, id: str) -> dict[str, Any]:
        if id not in self.items:
            raise StudioError("That is not in the library", code="unknown-artifact")
        return {**self.items[id], "recipe": self.recipes[id], "text": self.texts[id]}

    def do_library_trash(self, ids: list[str]) -> dict[str, Any]:
        return self._trash(ids, True)

    def do_library_restore(self, ids: list[str]) -> dict[str, Any]:
        return self._trash(ids, False)

    def _trash(self, ids: list[str], trashed: bool) -> dict[str, Any]:
        for id in ids:
            self.items[id]["trashed"] = trashed
        self.emit("library", changed=list(ids), removed=[])
        return {}

    def do_library_empty_trash(self) -> dict[str, Any]:
        gone = [id for id, item in self.items.items() if item["trashed"]]
        for id in gone:
            del self.items[id]
        self.emit("library", changed=[], removed=gone)
        return {}

    def do_models(self, capability: str = "") -> dict[str, Any]:
        known = [("", entry["capability"], *entry.get("also", ())) for entry in self.model_entries]
        found = [entry for entry, kinds in zip(self.model_entries, known, strict=True) if capability in kinds]
        return {"models": found, "folders": list(self.folders)}

    def do_models_add_folder(self, path: str) -> dict[str, Any]:
        self.folders.append(path)
        self.emit("models")
        return {}

    def do_models_remove_folder(self, path: str) -> dict[str, Any]:
        self.folders.remove(path)
        self.emit("models")
        return {}

    def do_models_rescan(self) -> dict[str, Any]:
        self.emit("models")
        return {}


class Running:
    """Runs coroutines step by step; those waiting at a gate go on when it is opened."""

    def __init__(self) -> None:
        self.waiting: list[Coroutine[Any, Any, Any]] = []
        self.errors: list[StudioError] = []

    def __call__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        try:
            coroutine.send(None)
        except StopIteration:
            return
        except StudioError as error:
            self.errors.append(error)
            return
        self.waiting.append(coroutine)

    def release(self) -> None:
        waiting, self.waiting = self.waiting, []
        for coroutine in waiting:
            self(coroutine)


class FakeSession:
    """kit.session.Session around a FakeEngine."""

    def __init__(self, folder: Path, theme: Theme | None = None):
        self.plugins: Plugins = discover([bundled("plugins")], installed=False)
        self.paths = Paths(folder / "data")
        found = self.plugins.operations()
        self.engine = FakeEngine({id: load_params(found[id]) for id in found}, folder / "library")
        self.theme, self.undo = theme or Theme("light"), History()
        self.running = Running()
        self.held: set[str] = set()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.opened: list[tuple[str, dict[str, Any]]] = []
        self.notices: list[tuple[str, str, str]] = []

    async def call(self, method: str, **params: Any) -> Any:
        self.calls.append((method, params))
        while method in self.held:
            await _Gate()
        return self.engine.answer(method, params)

    async def call_frames(self, method: str, frames: Sequence[bytes] = (), **params: Any) -> tuple[Any, list[bytes]]:
        answer = await self.call(method, **params)
        return answer if isinstance(answer, tuple) else (answer, [])

    async def put_input(self, data: bytes, suffix: str, name: str = "") -> str:
        kept = inputs.keep(self.paths.inputs, data, suffix)
        return str(inputs.under_name(self.paths.inputs, kept, name)) if name else kept

    def input_path(self, value: str) -> Path:
        return inputs.locate(self.paths.inputs, value)

    async def submit(
        self,
        operation: str,
        params: dict[str, Any],
        *,
        title: str = "",
        origin: str = "",
        priority: str | None = None,
        parents: Sequence[str] = (),
    ) -> str:
        job = uuid.uuid4().hex
        more = {"title": title, "origin": origin, "parents": list(parents)}
        await self.call("submit", job=job, operation=operation, params=params, **more)
        return job

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        self.running(work)

    def params_class(self, operation_id: str) -> type[Params]:
        return self.engine.params[operation_id]

    def operations(self) -> dict[str, Any]:
        return self.plugins.operations()

    async def models(self, capability: str = "") -> list[dict[str, Any]]:
        return list((await self.call("models", capability=capability))["models"])

    def open_panel(self, panel_id: str, payload: dict[str, Any] | None = None) -> None:
        self.opened.append((panel_id, payload or {}))

    def notify(self, title: str, detail: str = "", level: str = "info") -> None:
        self.notices.append((title, detail, level))

    # for tests -------------------------------------------------------------------------------

    def called(self, method: str) -> list[dict[str, Any]]:
        return [params for name, params in self.calls if name == method]

    def panel(self, id: str, *, attach: bool = True) -> Panel:
        """The panel of this id, built as the window builds it, hearing everything the engine says."""
        plugin, entry = next((plugin, entry) for plugin, entry in self.plugins.panels() if entry.id == id)
        panel = load_from(plugin, entry.panel)(self, entry)
        self.engine.listeners.append(panel.on_event)
        if attach:
            panel.attached()
        return panel


def on_screen(session: FakeSession, qtbot: Any, id: str, draft: Any = None, size: tuple[int, int] = (1200, 700)) -> Any:
    """The panel of this id, shown as the window shows it, with this draft."""
    panel = session.panel(id, attach=False)
    qtbot.addWidget(panel)
    panel.resize(*size)
    panel.show()
    if draft is not None:
        panel.restore_draft(draft)
    panel.attached()
    return panel


def model_entry(id: str = "tales-5m", **values: Any) -> dict[str, Any]:
    """An entry of the catalogue as the engine gives it."""
    plain = {
        "id": id, "title": id, "path": f"/models/{id}", "layout": "huggingface", "capability": "text-generation",
        "family": "llama", "size": 21_000_000, "parameters": 5_100_000, "dtype": "float32", "context": 256,
        "licence": "cc0-1.0", "card_excerpt": "A small model that has read fairy tales.", "problem": None,
        "notes": (), "config": {}, "starter": False,
    }  # fmt: skip
    return {**plain, **values}
