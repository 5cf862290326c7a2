"""What the text panel brings back: its list, its draft, recipes, what was thrown away, what is undone."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from studio.sdk.artifact import Recipe
from tests.qt.text_panel_rig import EXAMPLE, asked, card, generated, press, show, shown, words, writing

pytestmark = pytest.mark.qt
session = pytest.fixture(writing)
panel = pytest.fixture(shown)


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
    version = session.engine.params["text.generate"].version
    about = {"job": "unknown", "artifact": "unknown-1", "facts": {"prompt_chars": 7}}
    recipe = Recipe.model_validate(
        {"operation": "text.generate", "operation_version": version, "params": params, **about}
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


def test_density_shows_more_and_loses_nothing(session, panel):
    panel.set_density("expert")
    panel.desk.put({"top_k": 3, "min_p": 0.2})
    panel.set_density("simple")
    panel.set_density("expert")
    assert panel.desk.values()["top_k"] == 3 and panel.desk.values()["min_p"] == 0.2
