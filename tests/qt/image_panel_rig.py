"""The image and the video panel on screen: shown, asked for something, and the cards that come of it."""

from pathlib import Path

import pytest

from studio.kit.theme import Theme
from tests.qt.image_rig import ImageSession, painter_entry
from tests.qt.panel_session import on_screen


def session_of(kind: type[ImageSession], folder: Path):
    """A session with one picture model."""
    session = kind(folder, Theme("light"))
    session.engine.model_entries = [painter_entry()]
    return session


@pytest.fixture
def session(qapp, tmp_path: Path):
    return session_of(ImageSession, tmp_path)


def show(session, qtbot, draft=None):
    return on_screen(session, qtbot, session.panel_id, draft, (1224, 660))


@pytest.fixture
def panel(session, qtbot):
    return show(session, qtbot)


def asked(session) -> dict:
    return session.called("submit")[-1]


def begun(session, panel) -> str:
    """A job with the present settings, that runs."""
    panel.generate()
    job = asked(session)["job"]
    session.engine.start(job)
    session.engine.running(job)
    return job


def started(session, panel, count: int = 1) -> str:
    panel.desk.put({"count": count})
    return begun(session, panel)


def painted(session, panel, count: int = 1) -> str:
    job = started(session, panel, count)
    session.finish(job, count)
    return job


def settle(panel) -> None:
    panel.ui.grid._build_some()
    while panel.ui.grid.fresh:
        panel.ui.grid.fresh.flush()


def card(panel, job: str):
    settle(panel)
    found = panel.ui.grid.card(job)
    assert found is not None
    return found
