"""The text panel against an engine that says what the test wants: write, watch, stop, repeat, come back."""

import datetime
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication

from studio.errors import StudioError
from studio.kit.theme import Theme
from studio.sdk.artifact import Recipe
from studio.sdk.params import Density
from tests.qt.panel_session import FakeSession, model_entry

pytestmark = pytest.mark.qt
EXAMPLE = "Once upon a time there was a little tailor who"


@pytest.fixture
def session(qapp, tmp_path: Path):
    session = FakeSession(tmp_path, Theme("light"))
    session.engine.model_entries = [model_entry(starter=True), model_entry("big")]
    return session


@pytest.fixture
def panel(session, qtbot):
    return show(session, qtbot)


def show(session, qtbot, draft=None):
    panel = session.panel("text.panel", attach=False)
    qtbot.addWidget(panel)
    panel.resize(1200, 700)
    panel.show()
    if draft is not None:
        panel.restore_draft(draft)
    panel.attached()
    return panel


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


def test_reopening_shows_the_history_and_a_running_job_goes_on(session, panel, qtbot):
    done = generated(session, panel, " sewed.")
    panel.generate()
    job = asked(session)[1]
    session.engine.start(job)
    session.engine.running(job)
    session.engine.stream(job, " cut")
    session.engine.listeners.clear()
    session.engine.stream(job, " and")
    again = show(session, qtbot, panel.draft())
    assert [result.id for result in again.results.shown()] == [done, job]
    assert words(again, done) == EXAMPLE + " sewed." and words(again, job) == EXAMPLE + " cut and"
    session.engine.stream(job, " sewed")
    assert words(again, job) == EXAMPLE + " cut and sewed"
    assert again.ui.stop.isEnabled()


def test_a_hole_in_the_stream_is_filled(session, panel):
    panel.generate()
    job = asked(session)[0]
    session.engine.start(job)
    session.engine.listeners.clear()
    session.engine.stream(job, " lost")
    session.engine.listeners.append(panel.on_event)
    session.engine.stream(job, " found")
    assert words(panel, job) == EXAMPLE + " lost found"


def test_results_whose_file_is_gone_say_so(session, panel, qtbot):
    job = generated(session, panel)
    del session.engine.items[f"{job}-1"]
    again = show(session, qtbot)
    assert "is gone" in card(again, job).note.text() and card(again, job).note.isVisible()


def test_delete_goes_to_the_trash_and_undo_brings_it_back(session, panel, qtbot):
    job = generated(session, panel)
    card(panel, job).setFocus()
    qtbot.keyClick(card(panel, job), Qt.Key.Key_Delete)
    assert session.engine.items[f"{job}-1"]["trashed"] and not panel.results.shown() and panel.ui.empty.isVisible()
    assert session.undo.undo()
    assert not session.engine.items[f"{job}-1"]["trashed"] and [r.id for r in panel.results.shown()] == [job]
    assert session.undo.redo()
    again = show(session, qtbot, panel.draft())
    assert session.called("forget") == [{"job": job}] and not again.results.shown()


def test_a_result_trashed_elsewhere_says_so_and_can_be_put_back(session, panel, qtbot):
    job = generated(session, panel)
    session.engine.do_library_trash([f"{job}-1"])
    assert "in the trash" in card(panel, job).note.text()
    press(panel, job, "restore", qtbot)
    assert not session.engine.items[f"{job}-1"]["trashed"] and not card(panel, job).note.isVisible()


def test_a_dropped_recipe_restores_everything_and_shows_the_result(session, panel, tmp_path):
    job = generated(session, panel, " sewed.")
    recipe = Recipe.model_validate(session.engine.recipes[f"{job}-1"])
    panel.desk.put({"prompt": "other", "temperature": 1.5, "seed": 3, "max_tokens": 17})
    assert panel.accepts(recipe)
    panel.restore(recipe, Path(session.engine.items[f"{job}-1"]["path"]))
    assert panel.desk.values() == session.engine.jobs[job]["params"]
    assert len(panel.results.shown()) == 1
    session.undo.undo()
    assert panel.desk.values()["prompt"] == "other" and panel.desk.values()["seed"] == 3


def test_a_file_from_elsewhere_is_shown_from_itself(session, panel, tmp_path):
    file = tmp_path / "tale.md"
    file.write_text("The fox ran.\nAway.", encoding="utf-8")
    params = {**panel.desk.values(), "prompt": "The fox", "seed": 5}
    recipe = Recipe(
        operation="text.generate", params=params, job="unknown", artifact="unknown-1", facts={"prompt_chars": 7}
    )
    panel.restore(recipe, file)
    assert words(panel, "unknown-1") == "The fox ran.\nAway." and panel.desk.values()["seed"] == 5
    panel.generate()
    assert session.called("submit")[0]["params"] == params


def test_a_recipe_of_a_newer_version_is_told_of_and_changes_nothing(session, panel):
    before = panel.desk.values()
    panel.restore(Recipe(operation="text.generate", operation_version=99, params={"prompt": "x"}), None)
    assert panel.desk.values() == before and session.notices[0][2] == "error"


def test_the_draft_survives(session, panel, qtbot):
    panel.desk.put({"prompt": "The\nfox", "temperature": 1.25, "seed": 9, "stop": ["\\n\\n"], "model": "big"})
    panel.ui.starter.dismissed.emit()
    again = show(session, qtbot, panel.draft())
    assert again.desk.values() == panel.desk.values()
    assert not again.ui.starter.isVisible()


def test_a_broken_draft_loses_only_what_is_broken(session, qtbot):
    draft = {"params": {"prompt": "The fox", "temperature": "hot", "gone": 1}, "density": 7, "scroll": "x"}
    panel = show(session, qtbot, draft)
    assert panel.ui.prompt.value() == "The fox" and panel.desk.values()["temperature"] == 0.8


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


def test_density_shows_more_and_loses_nothing(session, panel):
    panel.set_density("expert")
    panel.desk.put({"top_k": 3, "min_p": 0.2})
    panel.set_density("simple")
    panel.set_density("expert")
    assert panel.desk.values()["top_k"] == 3 and panel.desk.values()["min_p"] == 0.2


def test_undo_covers_prompt_and_settings(session, panel, qtbot):
    panel.focus_prompt()
    panel.ui.prompt.selectAll()
    qtbot.keyClicks(panel.ui.prompt, "The fox")
    panel.desk.set_values({"temperature": 1.5}, "change the temperature")
    session.undo.undo()
    assert panel.desk.values()["temperature"] == 0.8 and panel.ui.prompt.value() == "The fox"
    session.undo.undo()
    assert panel.ui.prompt.value() != "The fox"
    while session.undo.undo():
        pass
    assert panel.ui.prompt.value() == EXAMPLE
    while session.undo.redo():
        pass
    assert panel.ui.prompt.value() == "The fox" and panel.desk.values()["temperature"] == 1.5


def test_without_an_engine_nothing_is_asked(session, panel):
    panel.lost()
    assert not panel.ui.generate.isEnabled()
    panel.generate()
    assert not asked(session)
    panel.attached()
    assert panel.ui.generate.isEnabled()


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


def test_the_place_in_the_list_survives(session, panel, qtbot):
    for _ in range(6):
        generated(session, panel, "\nline" * 20)
    bar = panel.ui.work.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 1000 and bar.value() == bar.maximum())
    bar.setValue(bar.maximum() - 700)
    draft = panel.draft()
    again = show(session, qtbot, draft)
    other = again.ui.work.verticalScrollBar()
    qtbot.waitUntil(lambda: other.maximum() > 1000 and other.value() == other.maximum() - 700)
    assert again.draft()["scroll"] == draft["scroll"] == 700
    other.triggerAction(other.SliderAction.SliderToMaximum)
    assert again.draft()["scroll"] == 0


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


def test_surrogates_and_nul_are_refused_with_words(session, panel):
    panel.desk.put({"prompt": "half \ud800 character"})
    panel.generate()
    refused = panel.results.shown()[0]
    assert "half of a character" in card(panel, refused.id).error_text()


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
