"""The library panel: find, look at, use again, delete, take back."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QScrollArea

from tests.qt.panel_session import FakeSession

pytestmark = pytest.mark.qt


@pytest.fixture
def session(qapp, tmp_path: Path):
    return FakeSession(tmp_path)


def made(session: FakeSession, *prompts: str) -> list[str]:
    params = {"model": "", "max_tokens": 9, "temperature": 0.8, "seed": 7}
    return [
        session.engine.add_item(f"job{i}", {**params, "prompt": prompt}, " and so on.")
        for i, prompt in enumerate(prompts)
    ]


@pytest.fixture
def opened(session, qtbot):
    def open(*prompts: str):
        ids = made(session, *prompts)
        panel = session.panel("library.panel")
        qtbot.addWidget(panel)
        panel.resize(1200, 700)
        panel.show()
        return panel, ids

    return open


def shown(panel) -> list[str]:
    items = (panel.items.item(row) for row in range(panel.items.rowCount()))
    return [item["prompt"] for item in items]


def test_newest_first_and_the_first_is_selected_with_text_and_recipe(opened):
    panel, _ids = opened("The fox", "The crow")
    assert shown(panel) == ["The crow", "The fox"]
    assert panel.preview.text.toPlainText() == "The crow and so on."
    facts = {
        label.accessibleName(): label.text()
        for label in panel.preview.findChildren(type(panel.head._count))
        if label.accessibleName()
    }
    assert facts["Model"] == "tales-5m" and facts["Seed"] == "7" and facts["Temperature"] == "0.8"


def test_typing_searches_after_a_moment(opened, qtbot):
    panel, _ids = opened("The fox", "The crow", "A foxglove")
    qtbot.keyClicks(panel.head.search, "fox")
    assert len(shown(panel)) == 3
    qtbot.waitUntil(lambda: shown(panel) == ["A foxglove", "The fox"])
    assert panel.preview.text.toPlainText() == "A foxglove and so on."


def test_a_search_without_a_hit_says_so_and_leads_back(opened, qtbot):
    panel, _ids = opened("The fox")
    panel.head.set_value(query="whale")
    assert panel.empty.isVisible() and not panel.view.isVisible()
    qtbot.mouseClick(panel.empty.button, Qt.MouseButton.LeftButton)
    assert shown(panel) == ["The fox"] and panel.view.isVisible()


def test_the_kind_narrows(opened):
    panel, _ids = opened("The fox")
    panel.head.set_value(kind="image")
    assert shown(panel) == []


def test_an_empty_library_leads_to_the_text_panel(opened, session, qtbot):
    panel, _ids = opened()
    qtbot.mouseClick(panel.empty.button, Qt.MouseButton.LeftButton)
    assert session.opened[0][0] == "text.panel"


def test_enter_opens_the_panel_that_made_it_with_the_recipe(opened, session, qtbot):
    panel, ids = opened("The fox")
    panel.view.setFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_Return)
    id, payload = session.opened[0]
    assert id == "text.panel" and payload["recipe"]["artifact"] == ids[0] and payload["path"].endswith(".md")


def test_delete_undo_redo(opened, session, qtbot):
    panel, ids = opened("The fox", "The crow")
    panel.view.setFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_Delete)
    assert shown(panel) == ["The fox"] and session.engine.items[ids[1]]["trashed"]
    assert session.undo.undo()
    qtbot.waitUntil(lambda: shown(panel) == ["The crow", "The fox"])
    assert session.undo.redo()
    qtbot.waitUntil(lambda: shown(panel) == ["The fox"])


def test_the_trash_shows_restores_and_is_emptied_only_after_a_question(opened, session, qtbot):
    panel, ids = opened("The fox", "The crow", "The hare")
    session.engine.do_library_trash(ids[:2])
    panel.head.trash.click()
    assert shown(panel) == ["The crow", "The fox"]
    panel.restore_selected()
    assert shown(panel) == ["The fox"] and not session.engine.items[ids[1]]["trashed"]
    begin, keep, remove = panel.for_good._begin, panel.for_good._keep, panel.for_good._remove
    begin.click()
    assert remove.isVisible() and panel.focusWidget() is keep and ids[0] in session.engine.items
    remove.click()
    assert ids[0] not in session.engine.items and panel.empty.isVisible()


def test_new_results_come_in_front_and_the_selection_stays(opened, session, qtbot):
    panel, ids = opened("The fox")
    session.engine.finish_new("The crow")
    qtbot.waitUntil(lambda: shown(panel) == ["The crow", "The fox"])
    assert panel.selected_ids() == [ids[0]]


def test_only_pages_that_are_looked_at_are_fetched(opened, session):
    panel, _ids = opened(*(f"Tale {i}" for i in range(350)))
    assert {call["offset"] for call in session.called("library.list")} == {0}
    assert panel.items.rowCount() == 350
    panel.items.item(320)
    assert {call["offset"] for call in session.called("library.list")} == {0, 300}
    assert panel.items.item(320)["prompt"] == "Tale 29"


def test_an_answer_to_an_older_search_is_dropped(opened, session):
    panel, _ids = opened("The fox", "The crow")
    session.held.add("library.list")
    panel.head.set_value(query="fox")
    panel.head.set_value(query="crow")
    session.held.clear()
    session.running.release()
    assert shown(panel) == ["The crow"]


def test_a_vanished_file_is_said_in_its_place(opened, session):
    panel, ids = opened("The fox")
    del session.engine.items[ids[0]]
    session.engine.emit("library", changed=[], removed=ids)
    assert "not in the library" in panel.preview.text.toPlainText()


def test_copy_takes_the_whole_text(opened, qtbot):
    panel, _ids = opened("The fox")
    panel.view.setFocus()
    qtbot.keyClick(panel.view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "The fox and so on."


def test_html_in_a_text_stays_text(opened):
    panel, _ids = opened("<b>bold</b><img src=x>")
    assert panel.preview.text.toPlainText() == "<b>bold</b><img src=x> and so on."


def test_the_draft_brings_the_search_back(opened, session, qtbot):
    panel, _ids = opened("The fox", "The crow")
    panel.head.set_value(query="fox")
    again = session.panel("library.panel", attach=False)
    qtbot.addWidget(again)
    again.restore_draft(panel.draft())
    assert again.head.search.text() == "fox" and shown(again) == ["The fox"]


def test_a_narrow_panel_cuts_no_button(opened, qtbot):
    panel, _ids = opened("The fox")
    panel.resize(860, 480)

    def whole():
        return all(b.width() >= b.sizeHint().width() for b in panel._buttons.values() if b.isVisible())

    qtbot.waitUntil(lambda: panel._right.width() < 420 and whole())
    edges = [b.geometry().right() for b in panel._buttons.values() if b.isVisible()]
    assert max(edges) <= panel._right.width()


def test_a_long_name_makes_the_facts_no_wider_than_their_room(opened, qtbot):
    panel, _ids = opened("The fox")
    panel.resize(860, 480)
    panel.preview.show_item({"text": "x", "path": "/" + "w" * 400})
    area = panel.preview.findChild(QScrollArea)
    qtbot.waitUntil(lambda: area.widget().width() <= area.viewport().width())
    assert not area.horizontalScrollBar().isVisible()
