"""The text panel against an engine that says what the test wants: write, watch, stop, repeat."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from studio.errors import StudioError
from tests.qt.text_panel_rig import EXAMPLE, asked, card, generated, press, shown, state, words, writing

pytestmark = pytest.mark.qt
session = pytest.fixture(writing)
panel = pytest.fixture(shown)


def test_first_start_has_an_example_that_generate_takes_at_once(session, panel, qtbot):
    assert panel.ui.prompt.value() == EXAMPLE and panel.ui.starter.isVisible() and panel.ui.empty.isVisible()
    qtbot.mouseClick(panel.ui.generate, Qt.MouseButton.LeftButton)
    call = session.called("submit")[0]
    assert call["params"]["prompt"] == EXAMPLE and call["origin"] == "text.panel"
    assert not panel.ui.empty.isVisible() and words(panel, call["job"]) == EXAMPLE


def test_typing_and_ctrl_return_asks_for_what_was_typed(session, panel, qtbot):
    panel.focus_prompt()
    panel.ui.prompt.selectAll()
    qtbot.keyClicks(panel.ui.prompt, "The fox")
    qtbot.keyClick(panel.ui.prompt, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert session.called("submit")[0]["params"]["prompt"] == "The fox"


def test_text_streams_in_and_is_what_the_file_says_at_the_end(session, panel):
    panel.generate()
    job = asked(session)[0]
    session.engine.start(job)
    session.engine.stage(job, "Loading tales-5m")
    assert state(panel, job).startswith("Loading tales-5m")
    session.engine.running(job)
    session.engine.stage(job, "Reading the prompt", 1024, 3000)
    assert state(panel, job).startswith("Reading the prompt 1,024 of 3,000")
    session.engine.stream(job, " sewed <b>")
    session.engine.stream(job, "all</b> day")
    session.engine.progress(job, done=4, total=200, rate=57.34)
    assert words(panel, job) == EXAMPLE + " sewed <b>all</b> day"
    assert state(panel, job).startswith("4 of 200 tokens · 57.3 tokens/s")
    session.engine.finish(job, "eos")
    assert state(panel, job) == "The model ended the text · 3 tokens · 57.3 tokens/s · seed 1000"
    assert session.called("library.get")


def test_a_burst_reaches_the_screen_in_a_few_strokes(session, panel, qtbot):
    panel.generate()
    job = asked(session)[0]
    session.engine.start(job)
    text = card(panel, job).text
    strokes = []
    text.textChanged.connect(lambda: strokes.append(1))
    for _ in range(500):
        session.engine.stream(job, "word ")
    assert len(strokes) <= 1
    qtbot.waitUntil(lambda: text.toPlainText() == EXAMPLE + "word " * 500)
    assert len(strokes) < 10


def test_generate_is_queue_while_work_runs_here_or_elsewhere(session, panel):
    assert panel.ui.generate.text().startswith("Generate") and not panel.ui.stop.isEnabled()
    panel.generate()
    assert panel.ui.generate.text().startswith("Queue") and panel.ui.stop.isEnabled()
    job = asked(session)[0]
    session.engine.start(job)
    session.engine.finish(job)
    assert panel.ui.generate.text().startswith("Generate")
    session.engine.emit("queue", waiting=0, running=1, held=False)
    assert panel.ui.generate.text().startswith("Queue") and not panel.ui.stop.isEnabled()


def test_escape_stops_the_running_job_and_keeps_the_text_so_far(session, panel):
    panel.generate()
    panel.generate()
    first, second = asked(session)
    session.engine.start(first)
    session.engine.stream(first, " sewed")
    assert panel.cancel_current()
    assert session.called("cancel") == [{"job": first}]
    assert state(panel, first).startswith("Stopping")
    session.engine.finish(first, state="cancelled", reason="cancelled")
    assert words(panel, first) == EXAMPLE + " sewed" and state(panel, first).startswith("Stopped · 1 token")
    assert panel.cancel_current()
    assert session.engine.jobs[second]["state"] == "cancelled"
    assert not panel.cancel_current()


def test_again_repeats_exactly_and_vary_draws_a_new_seed(session, panel, qtbot):
    job = generated(session, panel)
    press(panel, job, "again", qtbot)
    press(panel, job, "vary", qtbot)
    first, again, vary = (call["params"] for call in session.called("submit"))
    made = session.engine.jobs[job]["params"]
    assert again == made and again["seed"] == 1000
    assert vary == {**made, "seed": None} and first["seed"] is None
    assert session.engine.jobs[asked(session)[2]]["params"]["seed"] != 1000


def test_continue_takes_the_whole_text_as_the_new_prompt(session, panel, qtbot):
    job = generated(session, panel, " sewed.")
    press(panel, job, "continue", qtbot)
    call = session.called("submit")[1]
    assert call["params"]["prompt"] == EXAMPLE + " sewed." == panel.ui.prompt.value()
    assert call["parents"] == [f"{job}-1"]
    session.undo.undo()
    assert panel.ui.prompt.value() == EXAMPLE


def test_use_copy_lock_and_recipe(session, panel):
    job = generated(session, panel, " sewed.")
    panel.deeds.do("copy", job)
    assert QGuiApplication.clipboard().text() == EXAMPLE + " sewed."
    panel.deeds.do("recipe", job)
    assert '"seed": 1000' in QGuiApplication.clipboard().text()
    panel.deeds.do("use", job)
    assert panel.ui.prompt.value() == EXAMPLE + " sewed." and len(asked(session)) == 1
    panel.deeds.do("lock", job)
    assert panel.desk.values()["seed"] == 1000
    panel.generate()
    assert session.called("submit")[1]["params"]["seed"] == 1000


def test_an_error_is_shown_in_its_card_with_details_and_retry(session, panel, qtbot):
    panel.generate()
    job = asked(session)[0]
    session.engine.start(job)
    session.engine.stream(job, " se")
    session.engine.fail(job, title="The worker process died", detail="It was ended by SIGSEGV.", log="Fatal: line 7")
    assert card(panel, job).error_text().startswith("The worker process died")
    panel.deeds.do("report", job)
    report = QGuiApplication.clipboard().text()
    assert "SIGSEGV" in report and "line 7" in report and "tailor" not in report
    press(panel, job, "retry", qtbot)
    assert session.called("retry") == [{"job": job}]
    assert state(panel, job).startswith("Waiting") and not card(panel, job).error_text()


def test_a_refused_request_is_an_error_in_place_and_can_be_tried_again(session, panel, qtbot):
    session.engine.refuse = StudioError(
        "This does not fit", "It needs 9 GB of 2 GB.", "Ask for less.", code="too-large"
    )
    panel.generate()
    refused = panel.results.shown()[0]
    assert "9 GB of 2 GB" in card(panel, refused.id).error_text() and not session.running.errors
    session.engine.refuse = None
    press(panel, refused.id, "retry", qtbot)
    assert [result.id for result in panel.results.shown()] == [asked(session)[-1]]


def test_a_first_death_is_told_while_it_is_tried_again(session, panel):
    panel.generate()
    job = asked(session)[0]
    session.engine.start(job)
    session.engine.stream(job, " half of")
    session.engine.announce(
        job, state="queued", error={"title": "The worker process died", "hint": "It is tried once more."}
    )
    assert "once more" in card(panel, job).error_text()
    session.engine.start(job)
    session.engine.stream(job, " sewed")
    assert words(panel, job) == EXAMPLE + " sewed" and not card(panel, job).error_text()


def test_a_hole_in_the_stream_is_filled(session, panel):
    panel.generate()
    job = asked(session)[0]
    session.engine.start(job)
    session.engine.listeners.clear()
    session.engine.stream(job, " lost")
    session.engine.listeners.append(panel.on_event)
    session.engine.stream(job, " found")
    assert words(panel, job) == EXAMPLE + " lost found"


def test_without_an_engine_nothing_is_asked(session, panel):
    panel.lost()
    assert not panel.ui.generate.isEnabled()
    panel.generate()
    assert not asked(session)
    panel.attached()
    assert panel.ui.generate.isEnabled()


def test_surrogates_and_nul_are_refused_with_words(session, panel):
    panel.desk.put({"prompt": "half \ud800 character"})
    panel.generate()
    refused = panel.results.shown()[0]
    assert "half of a character" in card(panel, refused.id).error_text()
