"""The code panel: suggestions while typing, deeds that become changes, runs, files on disk, what a restart keeps."""

import os

import pytest
from PySide6.QtCore import Qt

from studio.kit.theme import Theme
from tests.qt.panel_session import FakeSession, model_entry, on_screen

pytestmark = pytest.mark.qt
WAIT = 30_000


@pytest.fixture
def session(qapp, tmp_path):
    session = FakeSession(tmp_path, Theme("light"))
    of_code = model_entry("python-5m", starter=True, also=["code-generation"])
    session.engine.model_entries = [of_code, model_entry("big")]
    return session


def show(session, qtbot, draft=None):
    return on_screen(session, qtbot, "code.panel", draft)


@pytest.fixture
def panel(session, qtbot):
    return show(session, qtbot)


def asked(session, operation: str) -> list[dict]:
    return [call for call in session.called("submit") if call["operation"] == operation]


def ended(session, job: str, result: str | None, state: str = "finished", error: dict | None = None, **facts) -> None:
    """The job comes to its end with this text as its result."""
    engine = session.engine
    engine.live.pop(job, None)
    artifacts = []
    if result is not None:
        engine.items[job] = {"id": job, "kind": "text", "trashed": False, "path": "", "excerpt": result}
        engine.recipes[job], engine.texts[job] = {}, result
        artifacts = [{"id": job, "job": job, "kind": "text", "path": "", "size": 1, "sha256": ""}]
    engine.announce(job, state=state, artifacts=artifacts, facts=facts, error=error)


def deed(session, panel, name: str, answer: str | None, instruction: str = "", **facts) -> str:
    """Asks for a deed and lets the model answer."""
    panel.ui.set_deed(next(d for d in type(panel.ui.deed()) if d == name))
    panel.ui.prompt.set_value(instruction)
    panel.generate()
    job = asked(session, "code.work")[-1]["job"]
    session.engine.start(job)
    session.engine.running(job)
    session.engine.stream(job, (answer or "")[:10])
    ended(session, job, answer, form="chat", **facts)
    return job


def put(panel, name: str, text: str) -> None:
    panel.desk.put(name, text)


def test_it_opens_with_an_example_and_suggests_while_somebody_types(session, panel, qtbot):
    editor = panel.desk.editor
    assert "is_palindrome" in editor.text() and panel.ui.starter.isVisible()
    qtbot.keyClicks(editor, "re")
    qtbot.waitUntil(lambda: len(asked(session, "code.complete")) == 1, timeout=WAIT)
    (call,) = asked(session, "code.complete")
    assert call["params"]["before"].endswith("re") and not call["params"]["keep"]
    assert call["origin"] != panel.entry.id
    session.engine.start(call["job"])
    session.engine.stream(call["job"], "turn letters")
    assert editor.ghost == "turn letters"
    qtbot.keyClicks(editor, "tu")
    assert editor.ghost == "rn letters" and len(asked(session, "code.complete")) == 1, "what is suggested was typed"
    session.engine.stream(call["job"], " == 1")
    assert editor.ghost == "rn letters == 1"
    qtbot.keyClick(editor, Qt.Key.Key_Tab)
    assert editor.text().endswith("return letters == 1")
    ended(session, call["job"], None, text="turn letters == 1")
    assert {"job": call["job"]} in session.called("forget"), "a suggestion leaves nothing in the history"


def test_another_word_cancels_the_request_and_asks_anew(session, panel, qtbot):
    editor = panel.desk.editor
    qtbot.keyClicks(editor, "a")
    qtbot.waitUntil(lambda: len(asked(session, "code.complete")) == 1, timeout=WAIT)
    first = asked(session, "code.complete")[0]["job"]
    session.engine.start(first)
    session.engine.stream(first, "bc")
    qtbot.keyClicks(editor, "x")
    assert editor.ghost == "" and {"job": first} in session.called("cancel")
    qtbot.waitUntil(lambda: len(asked(session, "code.complete")) == 2, timeout=WAIT)
    panel.ui.suggest.click()
    second = asked(session, "code.complete")[1]["job"]
    assert {"job": second} in session.called("cancel")
    qtbot.keyClicks(editor, "y")
    assert not panel.ghosts._wait.isActive()


def test_an_edit_comes_as_changes_and_only_what_is_accepted_is_made(session, panel):
    put(panel, "a.py", "one = 1\n\n\ntwo = 2\n\n\n\n\nthree = 3\n")
    answer = "Numbers were words.\n```python\none = 10\n\n\ntwo = 2\n\n\n\n\nthree = 30\n```\n"
    deed(session, panel, "fix", answer)
    changes = panel.ui.changes
    assert changes.isVisible() and len(changes.cards) == 2 and changes.note.text() == "Numbers were words."
    changes.cards[1].accept.click()
    assert panel.desk.editor.text() == "one = 1\n\n\ntwo = 2\n\n\n\n\nthree = 30\n"
    changes.cards[0].accept.click()
    assert panel.desk.editor.text() == "one = 10\n\n\ntwo = 2\n\n\n\n\nthree = 30\n"
    panel.desk.editor.undo()
    assert panel.desk.editor.text() == "one = 1\n\n\ntwo = 2\n\n\n\n\nthree = 30\n"


def test_changes_to_a_file_that_moved_on_are_found_again_or_refused_whole(session, panel):
    put(panel, "a.py", "x = 1\ny = 2\n")
    deed(session, panel, "change", "```\nx = 1\ny = 3\n```", "y is three")
    put(panel, "a.py", "# head\nx = 1\ny = 2\n")
    panel.ui.changes.accept_all.click()
    assert panel.desk.editor.text() == "# head\nx = 1\ny = 3\n"
    deed(session, panel, "change", "```\n# head\nx = 1\ny = 4\n```", "y is four")
    put(panel, "a.py", "other\n")
    panel.ui.changes.accept_all.click()
    assert panel.desk.editor.text() == "other\n" and "does not fit" in session.notices[-1][0]


def test_a_malformed_answer_is_refused_loudly_and_changes_nothing(session, panel):
    put(panel, "a.py", "x = 1\n")
    before = panel.desk.editor.text()
    error = {"title": "The model's answer is no edit", "detail": "It ends in the middle.", "code": "malformed"}
    panel.ui.set_deed(next(d for d in type(panel.ui.deed()) if d == "fix"))
    panel.generate()
    job = asked(session, "code.work")[-1]["job"]
    session.engine.start(job)
    ended(session, job, "```python\nx =", "failed", error, form="chat")
    assert panel.ui.error.isVisible() and "no edit" in panel.ui.error.title.text()
    assert panel.desk.editor.text() == before and not panel.ui.changes.isVisible()


def test_an_explanation_is_words_and_tests_are_a_new_file(session, panel):
    put(panel, "shop/cart.py", "def total():\n    return 1\n")
    deed(session, panel, "explain", "It adds up.")
    assert panel.ui.answer.isVisible() and panel.ui.answer.text.text() == "It adds up."
    deed(session, panel, "tests", "```python\nimport unittest\n```")
    panel.ui.changes.accept_all.click()
    assert panel.desk.current.name == "shop/test_cart.py" and panel.desk.editor.text() == "import unittest\n"


def test_what_is_asked_is_about_the_selected_part(session, panel):
    put(panel, "a.py", "x = 1\ny = 2\n")
    panel.desk.editor.select(6, 12)
    deed(session, panel, "change", "```\ny = 5\n```", "five")
    params = asked(session, "code.work")[-1]["params"]
    assert (params["start"], params["end"], params["path"]) == (6, 12, "a.py")
    panel.ui.changes.accept_all.click()
    assert panel.desk.editor.text() == "x = 1\ny = 5\n"


def ran(session, panel, text: str, code: int) -> None:
    job = asked(session, "code.run")[-1]["job"]
    session.engine.start(job)
    session.engine.stream(job, text)
    ended(session, job, text, exit_code=code, stopped_because="", seconds=0.1, isolation="namespaces")


def test_a_failing_run_is_mended_run_again_and_given_up_after_some_rounds(session, panel):
    put(panel, "a.py", "x = 1\n")
    panel.ui.run.click()
    params = asked(session, "code.run")[-1]["params"]
    assert params["main"] == "a.py" and {"path": "a.py", "text": "x = 1\n"} in params["files"]
    ran(session, panel, "boom\n", 1)
    assert "exit code 1" in panel.ui.output.said.text() and "Shut in" in panel.ui.output.said.text()
    for round in range(1, 4):
        panel.ui.output.mend_button.click()
        work = asked(session, "code.work")[-1]
        assert work["params"]["failure"] == "boom\n" and work["params"]["deed"] == "fix"
        session.engine.start(work["job"])
        ended(session, work["job"], f"```\nx = {round + 1}\n```", form="chat")
        panel.ui.changes.accept_all.click()
        assert len(asked(session, "code.run")) == round + 1, "what was mended is run again"
        ran(session, panel, "boom\n", 1)
    assert "Still failing after 3 rounds" in panel.ui.output.said.text()


def test_a_file_that_another_program_changed_is_read_again_or_asked_about(session, panel, tmp_path, qtbot):
    place = tmp_path / "a.py"
    place.write_text("one\n")
    panel.drop_file(place)
    assert panel.desk.editor.text() == "one\n"
    place.write_text("two\n")
    os.utime(place, ns=(1, 1))
    panel.desk.look_at_disk()
    assert panel.desk.editor.text() == "two\n" and not panel.ui.disk.isVisible()
    panel.desk.editor.replace("mine\n")
    place.write_text("three\n")
    os.utime(place, ns=(2, 2))
    panel.desk.look_at_disk()
    assert panel.desk.editor.text() == "mine\n" and panel.ui.disk.isVisible()
    panel.ui.save.click()
    assert place.read_text() == "three\n" and panel.ui.error.isVisible(), "nothing is written over unasked"
    panel.ui.disk.keep.emit()
    panel.ui.save.click()
    assert place.read_text() == "mine\n" and not panel.ui.disk.isVisible()


def test_a_project_is_shown_and_told_and_its_files_open_from_the_tree(session, panel, tmp_path):
    for path, text in {"main.py": "import tool\n", "tool.py": "def run(): ...\n", ".git/x.py": ""}.items():
        (tmp_path / "p" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / path).write_text(text)
    assert panel.accepts_file(tmp_path / "p")
    panel.drop_file(tmp_path / "p")
    items = panel.ui.tree.items
    assert [items.item(row).text() for row in range(items.rowCount())] == ["main.py", "tool.py"]
    panel.ui.tree.tree.clicked.emit(items.item(0).index())
    assert panel.desk.current.name == "main.py"
    deed(session, panel, "explain", "words")
    assert asked(session, "code.work")[-1]["params"]["files"] == [{"path": "tool.py", "text": "def run(): ..."}]


def test_closing_what_was_not_saved_can_be_undone_and_a_draft_brings_everything_back(session, panel, qtbot):
    put(panel, "a.py", "kept\n")
    panel.ui.tabs.close_wanted.emit("a.py")
    assert panel.desk.buffers.find("a.py") is None
    session.undo.undo()
    assert panel.desk.editor.text() == "kept\n"
    panel.ui.prompt.set_value("make it so")
    panel.ui.suggest.click()
    panel.ui.set_deed(next(d for d in type(panel.ui.deed()) if d == "refactor"))
    again = show(session, qtbot, panel.draft())
    assert again.desk.current.name == "a.py" and again.desk.editor.text() == "kept\n"
    assert again.ui.prompt.value() == "make it so" and again.ui.deed() == "refactor"
    assert not again.ui.suggest.isChecked()


def test_a_window_that_opens_in_the_middle_shows_what_came_so_far(session, panel, qtbot):
    put(panel, "a.py", "x = 1\n")
    panel.ui.set_deed(next(d for d in type(panel.ui.deed()) if d == "explain"))
    panel.generate()
    job = asked(session, "code.work")[-1]["job"]
    session.engine.start(job)
    session.engine.running(job)
    session.engine.stream(job, "It is ")
    again = show(session, qtbot, panel.draft())
    assert again.ui.answer.text.text() == "It is " and again.ui.stop.isEnabled()
    session.engine.stream(job, "one.")
    assert again.ui.answer.text.text() == "It is one."
    assert again.cancel_current() and {"job": job} in session.called("cancel")


def test_every_action_has_a_name_of_its_own_and_runs(session, panel):
    actions = panel.actions()
    assert len({action.id for action in actions}) == len(actions)
    shortcuts = [action.shortcut for action in actions if action.shortcut]
    assert len(set(shortcuts)) == len(shortcuts)
    by_id = {action.id: action for action in actions}
    by_id["code.new"].run()
    assert panel.desk.current.name == "untitled.py"
    by_id["code.suggest"].run()
    by_id["code.deed.tests"].run()
    assert panel.ui.deed() == "tests"
