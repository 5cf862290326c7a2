"""The models panel: what is there, what is wrong with it, where it is looked for."""

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent

from tests.qt.panel_session import FakeSession, model_entry

pytestmark = pytest.mark.qt
PROBLEM = {
    "title": "A file of this model is cut short",
    "detail": "model.safetensors holds 10 of 20 bytes.",
    "hint": "Download the model again, completely.",
}


@pytest.fixture
def session(qapp, tmp_path: Path):
    session = FakeSession(tmp_path)
    session.engine.model_entries = [
        model_entry(starter=True),
        model_entry("big", size=14_000_000_000, parameters=7_200_000_000, context=32768, licence=""),
        model_entry("broken", problem=PROBLEM),
    ]
    session.engine.folders = [{"path": "/models", "models": 3, "bundled": False, "problem": None}]
    return session


@pytest.fixture
def panel(session, qtbot):
    panel = session.panel("models.panel")
    qtbot.addWidget(panel)
    panel.resize(1200, 700)
    panel.show()
    return panel


def row(panel, at: int) -> dict[str, str]:
    model = panel.view.model()
    titles = [model.headerData(c, Qt.Orientation.Horizontal) for c in range(model.columnCount())]
    return dict(zip(titles, (model.index(at, c).data() for c in range(len(titles))), strict=True))


def test_a_row_says_everything_in_words(panel):
    assert row(panel, 0) == {
        "Name": "tales-5m", "Makes": "Text", "Family": "llama", "Size": "21.0 MB", "Parameters": "5.1 M",
        "Precision": "float32", "Context": "256", "Licence": "cc0-1.0", "State": "Starter model", "Folder": "/models",
    }  # fmt: skip
    assert row(panel, 1)["Licence"] == "not stated" and row(panel, 1)["State"] == "Ready"


def test_a_broken_model_is_listed_with_reason_and_remedy(panel):
    assert row(panel, 2)["State"] == PROBLEM["title"]
    panel.view.selectRow(2)
    words = " ".join(label.text() for label in panel.details.findChildren(type(panel._count)) if label.isVisible())
    assert PROBLEM["detail"] in words and PROBLEM["hint"] in words
    assert "1 not usable" in panel._count.text()


def test_the_card_is_shown_as_plain_text(panel, session):
    session.engine.model_entries[0]["card_excerpt"] = "<b>not bold</b>"
    session.engine.emit("models")
    assert panel.details.card.toPlainText() == "<b>not bold</b>"


def test_numbers_sort_as_numbers(panel):
    panel.view.sortByColumn(3, Qt.SortOrder.DescendingOrder)
    assert row(panel, 0)["Name"] == "big"


def test_a_chosen_folder_is_added_and_its_first_model_selected(panel, session):
    real = session.engine.do_models_add_folder

    def add(path):
        session.engine.model_entries.append(model_entry("new", path=f"{path}/new"))
        return real(path)

    session.engine.do_models_add_folder = add
    panel.folders.added.emit("/elsewhere")
    assert session.called("models.add_folder") == [{"path": "/elsewhere"}]
    assert panel.current()["id"] == "new" and not session.notices


def test_a_folder_without_models_is_told_of(panel, session):
    panel.folders.added.emit("/nothing/here")
    assert session.notices[0][0] == "No model was found there"


def test_a_folder_is_removed_but_not_the_shipped_one(panel, session):
    session.engine.folders = ["/mine", {"path": "/app/models", "models": 1, "bundled": True, "problem": None}]
    session.engine.emit("models")
    panel.folders.list.setCurrentRow(1)
    assert not panel.folders.remove_button.isEnabled()
    panel.folders.list.setCurrentRow(0)
    panel.folders.remove_button.click()
    assert session.called("models.remove_folder") == [{"path": "/mine"}] and panel.folders.list.count() == 1


def test_looking_again_asks_the_engine_and_keeps_the_choice(panel, session):
    panel.view.selectRow(1)
    panel.rescan_button.click()
    assert session.called("models.rescan") and panel.current()["id"] == "big"
    assert panel.rescan_button.isEnabled()


def test_a_model_folder_dropped_here_is_added(panel, session, tmp_path):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.safetensors").write_bytes(b"")
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "m" / "model.safetensors"))])
    enter = QDragEnterEvent(
        QPoint(5, 5), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    panel.dragEnterEvent(enter)
    assert enter.isAccepted()
    drop = QDropEvent(
        QPointF(5, 5), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    panel.dropEvent(drop)
    assert session.called("models.add_folder") == [{"path": str(tmp_path / "m")}]


def test_no_models_at_all_says_what_to_do(session, qtbot):
    session.engine.model_entries = []
    panel = session.panel("models.panel")
    qtbot.addWidget(panel)
    panel.show()
    assert panel.empty.isVisible() and not panel.view.isVisible()


def test_the_dialog_stops_nothing(panel, qtbot):
    panel.folders.add_button.click()
    dialog = panel.folders._dialog
    assert dialog.isVisible()
    dialog.reject()
    assert not dialog.isVisible()
