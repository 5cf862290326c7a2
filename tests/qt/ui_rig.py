"""A whole window over plugins written for the test and an engine that does what the test says."""

import asyncio
import contextlib
import json
import textwrap
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any

import qasync

from studio.errors import StudioError
from studio.paths import Paths
from studio.ui import app as application
from studio.ui.window import Window
from studio.wire.messages import Event
from tests.patience import PATIENCE_S

PARAMS = """
from pydantic import Field
from studio.sdk.params import Params

class Write(Params):
    prompt: str = Field("Once", description="What to begin with")
    count: int = Field(3, ge=1, le=9, description="How many")
"""

PANEL = """
from studio.kit.action import Action
from studio.kit.panel import Panel

class Good(Panel):
    def __init__(self, session, entry):
        super().__init__(session, entry)
        self.seen, self.words = [], ""

    def attached(self): self.seen.append("attached")
    def lost(self): self.seen.append("lost")
    def set_density(self, density): self.seen.append(("density", density))
    def on_event(self, event):
        self.seen.append((event.kind, event.job))
        if event.data.get("title") == "poison": raise ValueError("this panel cannot swallow that")
    def draft(self): return {"words": self.words}
    def restore_draft(self, draft): self.words = draft["words"]
    def restore(self, recipe, path=None): self.seen.append(("restore", recipe.params["prompt"], path.name))
    def accepts_file(self, path): return path.suffix == ".input"
    def drop_file(self, path): self.seen.append(("input", path.name))
    def generate(self): self.session.spawn(self.session.submit(f"{self.entry.id.split('.')[0]}.write", {"prompt": "x"}))
    def cancel_current(self):
        self.seen.append("cancel")
        return True
    def actions(self): return [Action("a.shout", f"Shout from {self.entry.title}", "Ctrl+Alt+S", self.shout)]
    def shout(self): self.seen.append("shout")
"""


def write_plugin(folder: Path, id: str, order: int, *, panel: str | None = PANEL, title: str = "") -> None:
    """A plugin with the operation `<id>.write` and, unless None, a panel."""
    here = folder / id
    here.mkdir(parents=True, exist_ok=True)
    manifest = f"""
        id = "{id}"
        name = "{title or id.title()}"
        [[operation]]
        id = "{id}.write"
        title = "Write"
        params = "params:Write"
        backend = "backend:Write"
        """
    if panel is not None:
        manifest += f"""
        [[panel]]
        id = "{id}.panel"
        title = "{title or id.title()}"
        icon = "mdi6.text-box-outline"
        order = {order}
        class = "panel:Good"
        operations = ["{id}.write"]
        """
        (here / "panel.py").write_text(panel)
    (here / "plugin.toml").write_text(textwrap.dedent(manifest))
    (here / "params.py").write_text(PARAMS)


class FakeEngine:
    """Survives its clients. `calls`: everything asked. `refuse`: method -> StudioError. `down`: no connection."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.refuse: dict[str, StudioError] = {}
        self.lose_after: set[str] = set()
        self.down = False
        self.jobs: list[dict[str, Any]] = []
        self.folders = ["/models/a"]
        self.held = False
        self.clients: list[FakeClient] = []
        self.notices: list[dict[str, Any]] = []

    def asked(self, method: str) -> list[dict[str, Any]]:
        return [params for name, params in self.calls if name == method]

    async def connect(self) -> "FakeClient":
        await asyncio.sleep(0)
        if self.down:
            raise StudioError("The engine does not start", "It left with exit code 1.", code="engine-lost")
        client = FakeClient(self)
        self.clients.append(client)
        return client

    def die(self) -> None:
        for client in self.clients:
            client.closed.set()
        self.clients.clear()

    def emit(self, kind: str, job: str = "", **data: Any) -> None:
        for client in self.clients:
            client.on_event(Event(kind, job, data))

    def announce(self, id: str, state: str, **more: Any) -> None:
        job = {"id": id, "state": state, "operation": "alpha.write", "params": {"prompt": f"Prompt of {id}"}, **more}
        self.jobs = [known for known in self.jobs if known["id"] != id] + [job]
        self.emit("job", id, **job)

    def answer(self, method: str, asked: dict[str, Any]) -> Any:
        if method == "jobs":
            found = [job for job in self.jobs if not asked.get("states") or job["state"] in asked["states"]]
            page = found[asked.get("offset", 0) :][: asked.get("limit", 200)]
            waiting = sum(job["state"] == "queued" for job in self.jobs)
            return {"total": len(found), "waiting": waiting, "held": self.held, "jobs": page}
        if method == "recipe.read":
            try:
                return json.loads(Path(asked["path"]).read_text())
            except ValueError:
                raise StudioError("This file holds no recipe", code="no-recipe") from None
        if method == "hold":
            self.held = asked["held"]
            self.emit("queue", waiting=0, running=0, held=self.held)
        return {
            "hello": {"version": "1", "plugins": [], "notices": self.notices},
            "models.add_folder": {"models": 2},
            "settings.get": {"library": "", "model_folders": self.folders, "disabled_plugins": []},
            "submit": {"job": asked.get("job")},
        }.get(method, {})


class FakeClient:
    def __init__(self, engine: FakeEngine):
        self.on_event: Callable[[Event], None] = lambda event: None
        self.closed = asyncio.Event()
        self._engine = engine

    async def call(self, method: str, **params: Any) -> Any:
        await asyncio.sleep(0)
        lost = StudioError("The engine is not there", code="engine-lost")
        if self.closed.is_set():
            raise lost
        self._engine.calls.append((method, params))
        if method in self._engine.lose_after:
            self._engine.lose_after.discard(method)
            self._engine.die()
            raise lost
        if method in self._engine.refuse:
            raise self._engine.refuse[method]
        return self._engine.answer(method, params)

    async def call_with_frames(
        self, method: str, frames: Sequence[bytes] = (), **params: Any
    ) -> tuple[Any, list[bytes]]:
        return await self.call(method, **params), []

    async def close(self) -> None:
        self.closed.set()
        if self in self._engine.clients:
            self._engine.clients.remove(self)


class Rig:
    """Opens windows in a Qt event loop that asyncio shares."""

    def __init__(self, qapp: Any, folder: Path):
        self.paths = Paths(folder / "data").prepare()
        self.plugins = folder / "plugins"
        self.engine = FakeEngine()
        qapp.setQuitOnLastWindowClosed(False)
        self.loop = qasync.QEventLoop(qapp)
        asyncio.set_event_loop(self.loop)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @contextlib.asynccontextmanager
    async def window(self, *, connected: bool = True):
        """A shown window; everything of it is ended afterwards."""
        window: Window = application.compose(self.paths, self.engine.connect)
        window.show()
        connecting = asyncio.ensure_future(window.context.connection.run())
        try:
            if connected:
                await until(lambda: window.context.connection.state == "connected")
                await settled(window)
            yield window
        finally:
            connecting.cancel()
            await asyncio.gather(connecting, return_exceptions=True)
            await application.shut(window)
            await asyncio.sleep(0.02)

    def close(self) -> None:
        self.loop.close()
        asyncio.set_event_loop(None)


def two_panels(qapp: Any, tmp_path: Path, monkeypatch: Any) -> Iterator[Rig]:
    """A fixture: the plugins alpha and beta, with a panel each."""
    rig = Rig(qapp, tmp_path)
    write_plugin(rig.plugins, "alpha", 10)
    write_plugin(rig.plugins, "beta", 20)
    monkeypatch.setattr("studio.host.discover.plugin_folders", lambda paths: [rig.plugins])
    yield rig
    rig.close()


def titles(window: Window) -> list[str]:
    return [notice.title for notice in window.context.notices.all]


async def until(condition: Callable[[], Any]) -> None:
    """Waits for `condition`; fails when it never comes."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        await asyncio.sleep(0.01)


async def settled(window: Window) -> None:
    """Until all that the window spawned has ended and all events are with the panels."""
    await until(lambda: not len(window.context.tasks) and not window.context.bridge.busy)
