"""The text panel's cards and list on screen: states, widths, scrolling, many and long ones."""

import datetime

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication

from studio.sdk.params import Density
from tests.qt.panel_session import model_entry
from tests.qt.text_panel_rig import asked, card, generated, press, show, shown, state, words, writing

pytestmark = pytest.mark.qt
session = pytest.fixture(writing)
panel = pytest.fixture(shown)


def test_the_panels_switch_tells_the_window(panel, qtbot):
    with qtbot.waitSignal(panel.density_chosen) as told:
        panel.ui.density.buttons[Density.EXPERT].click()
    assert told.args == ["expert"]


def test_a_failed_request_shows_no_empty_line(session, panel):
    panel.desk.put({"prompt": "\n  \n"})
    panel.generate()
    job = next(iter(session.engine.jobs))
    session.engine.start(job)
    session.engine.announce(job, state="failed", error={"title": "The prompt is empty"})
    panel.ui.work.fresh.flush()
    card = panel.ui.work.card(job)
    assert not card.text.isVisible() and "The prompt is empty" in card.error_text()


def test_a_job_that_waits_for_the_device_says_so(session, panel):
    panel.desk.put({"prompt": "Once"})
    panel.generate()
    job = next(iter(session.engine.jobs))
    session.engine.start(job)
    session.engine.announce(job, state="running", priority=2)
    other = {"origin": "image.panel", "worker": session.engine.jobs[job]["worker"], "priority": 0}
    session.engine.emit("job", "other", id="other", state="running", **other)
    panel.ui.work.fresh.flush()
    assert "Waiting for the device" in panel.ui.work.card(job).state.text()
    session.engine.emit("job", "other", id="other", state="finished", **other)
    panel.ui.work.fresh.flush()
    assert "Waiting" not in panel.ui.work.card(job).state.text()


def test_a_paused_result_can_go_on_or_be_stopped(session, panel, qtbot):
    panel.generate()
    job = asked(session)[0]
    session.engine.start(job)
    session.engine.stream(job, " sewed")
    session.engine.announce(job, state="paused")
    panel.ui.work.fresh.flush()
    assert [button.property("action") for button in card(panel, job)._buttons] == ["resume", "stop", "more"]
    press(panel, job, "resume", qtbot)
    assert session.called("resume") == [{"job": job}]


def test_a_result_that_waits_for_the_night_says_until_when(session, panel):
    panel.generate()
    job = asked(session)[0]
    tonight = datetime.datetime.now().replace(hour=22, minute=0).timestamp()
    session.engine.announce(job, not_before=tonight)
    panel.ui.work.fresh.flush()
    assert state(panel, job).startswith("Waiting until 22:00")
    session.engine.announce(job, not_before=0.0)
    panel.ui.work.fresh.flush()
    assert state(panel, job).startswith("Waiting in the queue")


def test_a_narrow_window_cuts_no_card(session, panel, qtbot):
    job = generated(session, panel, " sewed all day." * 9, stop_reason="length", tokens=200, tokens_per_second=57.3)
    panel.resize(820, 500)
    found, view = card(panel, job), panel.ui.work.viewport()
    last, state_line = found._buttons[-1], found.state

    def whole():
        ends = [part.mapTo(view, QPoint(part.width(), 0)).x() for part in (found, last)]
        below = found._buttons[0].y() >= state_line.geometry().bottom()
        return max(ends) <= view.width() and below and state_line.width() > 300

    qtbot.waitUntil(whole)
    panel.resize(1300, 500)
    qtbot.waitUntil(lambda: found._buttons[0].x() >= state_line.geometry().right())
    assert abs(last.geometry().center().y() - state_line.geometry().center().y()) <= 3


def test_the_view_follows_the_end_only_while_it_is_there(session, panel, qtbot):
    panel.generate()
    job = asked(session)[0]
    session.engine.start(job)
    bar = panel.ui.work.verticalScrollBar()
    session.engine.stream(job, "line\n" * 100)
    qtbot.waitUntil(lambda: bar.maximum() > 500 and bar.value() == bar.maximum())
    bar.setValue(100)
    session.engine.stream(job, "line\n" * 50)
    high = bar.maximum()
    qtbot.waitUntil(lambda: bar.maximum() > high)
    assert bar.value() == 100
    bar.setValue(bar.maximum())
    session.engine.stream(job, "line\n" * 50)
    high = bar.maximum()
    qtbot.waitUntil(lambda: bar.maximum() > high and bar.value() == bar.maximum())


def test_only_some_of_many_results_are_built(session, panel, qtbot):
    for i in range(200):
        params = {**panel.desk.values(), "prompt": f"Tale {i}", "seed": i}
        job = f"{i:032x}"
        session.engine.do_submit(job, "text.generate", params, origin="text.panel")
        session.engine.start(job)
        session.engine.stream(job, " goes on.")
        session.engine.finish(job)
    again = show(session, qtbot)
    work = again.ui.work
    assert len(again.results) == 200 and sum(work.card(r.id) is not None for r in again.results) <= 60
    reads = len(session.called("library.get"))
    qtbot.mouseClick(work._earlier, Qt.MouseButton.LeftButton)
    assert len(session.called("library.get")) == reads + 20
    work.reveal(f"{3:032x}")
    assert words(again, f"{3:032x}") == "Tale 3 goes on."


def test_a_megabyte_of_prompt_stays_light_and_is_sent_whole(session, panel):
    prompt = "once upon a time " * 60_000
    panel.desk.put({"prompt": prompt})
    panel.generate()
    job = asked(session)[0]
    assert session.called("submit")[0]["params"]["prompt"] == prompt
    assert len(words(panel, job)) < 4000 and "1,020,000" in card(panel, job).note.text()
    panel.deeds.do("copy", job)
    assert QGuiApplication.clipboard().text() == prompt


def test_every_button_has_a_name_and_takes_the_focus(session, panel):
    job = generated(session, panel)
    for button in card(panel, job)._buttons:
        assert button.accessibleName() and button.focusPolicy() & Qt.FocusPolicy.TabFocus
    ids = [action.id for action in panel.actions()]
    assert len(ids) == len(set(ids)) and all(action.title for action in panel.actions())


def test_actions_work_on_the_newest_or_on_the_one_with_the_focus(session, panel):
    first = generated(session, panel, " one")
    generated(session, panel, " two")
    copy = next(action for action in panel.actions() if action.id == "text.copy")
    assert copy.is_enabled
    copy.run()
    assert QGuiApplication.clipboard().text().endswith(" two")
    panel.activateWindow()
    panel.ui.work._on_focus(None, card(panel, first)._buttons[0])
    copy.run()
    assert QGuiApplication.clipboard().text().endswith(" one")


def test_the_starter_card_leads_to_the_models_and_goes_with_another_model(session, panel):
    panel.ui.starter.wanted.emit()
    assert session.opened == [("models.panel", {})]
    panel.desk.put({"model": "big"})
    assert not panel.ui.starter.isVisible()


def test_the_starter_card_says_what_a_model_of_code_has_read(session, panel):
    tales = panel.ui.starter._label.text()
    panel.ui.starter.show_model(model_entry("python", starter=True, also=["code-generation"]))
    code = panel.ui.starter._label.text()
    assert "fairy tales" in tales and "fairy tales" not in code and "library of Python" in code


def test_the_texts_of_one_request_are_turned(session, panel, qtbot):
    panel.desk.put({"prompt": "Once", "count": 3, "seed": 7})
    panel.generate()
    job = asked(session)[0]
    session.engine.start(job)
    session.engine.stream(job, " upon")
    session.engine.emit("stream", job, at=0, text=" more", item=2)
    panel.ui.work.fresh.flush()
    shown = card(panel, job)
    assert (shown.pager.place.text(), shown.text.text()) == ("1 of 3", "Once upon")
    qtbot.mouseClick(shown.pager.back, Qt.MouseButton.LeftButton)
    panel.ui.work.fresh.flush()
    assert (shown.pager.place.text(), shown.text.text()) == ("3 of 3", "Once more")
    assert "seed 9" in shown.state.text()
    qtbot.mouseClick(shown.pager.forth, Qt.MouseButton.LeftButton)
    panel.ui.work.fresh.flush()
    assert shown.text.text() == "Once upon"


def test_one_text_has_nothing_to_turn(session, panel):
    panel.generate()
    assert not card(panel, asked(session)[0]).pager.isVisible()
