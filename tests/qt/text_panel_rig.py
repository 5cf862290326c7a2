"""The text panel on screen: shown, asked to write, and the cards that come of it."""

from pathlib import Path

from PySide6.QtCore import Qt

from studio.kit.theme import Theme
from tests.qt.panel_session import FakeSession, model_entry, on_screen

EXAMPLE = "Once upon a time there was a little tailor who"


def writing(qapp, tmp_path: Path) -> FakeSession:
    """A fixture: a session with the starter model and another."""
    session = FakeSession(tmp_path, Theme("light"))
    session.engine.model_entries = [model_entry(starter=True), model_entry("big")]
    return session


def shown(session: FakeSession, qtbot):
    """A fixture: the panel on screen."""
    return show(session, qtbot)


def show(session, qtbot, draft=None):
    return on_screen(session, qtbot, "text.panel", draft)


def asked(session) -> list[str]:
    return [call["job"] for call in session.called("submit")]


def generated(session, panel, text: str = " sewed. ", **facts) -> str:
    """A job from the button to its end. Returns its id."""
    panel.generate()
    job = asked(session)[-1]
    session.engine.start(job)
    session.engine.running(job)
    session.engine.stream(job, text)
    session.engine.finish(job, **facts)
    return job


def card(panel, job: str):
    """The card as the person sees it a moment later."""
    while panel.ui.work.fresh:
        panel.ui.work.fresh.flush()
    found = panel.ui.work.card(job)
    assert found is not None
    return found


def words(panel, job: str) -> str:
    return card(panel, job).text.toPlainText()


def state(panel, job: str) -> str:
    return card(panel, job).state.text()


def press(panel, job: str, action: str, qtbot) -> None:
    button = next(b for b in card(panel, job)._buttons if b.property("action") == action)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
