"""The page of the X/Y/Z table: axes, one job a cell, cells as they come, what is done with them, a restart, export."""

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QBuffer, QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit, QToolButton

from plugins.image import ui_table_export as export
from plugins.image.params import Generate
from plugins.image.ui_table import TablePage
from studio.errors import StudioError
from studio.kit.theme import Theme
from studio.wire.messages import Event
from tests.qt.panel_session import FakeSession

pytestmark = pytest.mark.qt


class TableSession(FakeSession):
    """Keeps what was submitted, with its priority."""

    def __init__(self, folder: Path, theme: Theme):
        super().__init__(folder, theme)
        self.submitted: list[dict[str, Any]] = []
        self.refused: StudioError | None = None

    async def submit(self, operation: str, params: dict[str, Any], **rest: Any) -> str:
        if self.refused:
            raise self.refused
        self.submitted.append({"operation": operation, "params": params, **rest})
        return await super().submit(operation, params, **rest)

    async def call(self, method: str, **params: Any) -> Any:
        if method == "job" and params["job"] not in self.engine.jobs:
            raise StudioError("There is no such job", code="unknown-job")
        return await super().call(method, **params)

    def notify(self, title: str, detail: str = "", level: str = "info") -> None:
        self.notices.append((title, detail, level))


class Rig:
    def __init__(self, session: TableSession, page: TablePage, values: dict[str, Any], folder: Path):
        self.session, self.page, self.values, self.folder = session, page, values, folder
        self.engine = session.engine

    def lines(self, *chosen: tuple[str, str]) -> None:
        self.page.lines.set_state([{"key": key, "text": text} for key, text in chosen])
        self.page.refresh()

    def start(self, *chosen: tuple[str, str]) -> list[str]:
        self.lines(*chosen)
        QTest.mouseClick(self.page.start, Qt.MouseButton.LeftButton)
        return list(self.engine.jobs)

    def picture(self, name: str, colour: str, side: int = 64) -> Path:
        path = self.folder / f"{name}.png"
        image = QImage(side, side, QImage.Format.Format_RGB32)
        image.fill(QColor(colour))
        image.save(str(path))
        return path

    def finish(self, job: str, colour: str = "#ff0000") -> None:
        path = self.picture(job, colour)
        artifact = {"id": f"{job}-1", "job": job, "kind": "image", "path": str(path), "size": 1, "sha256": "0" * 64}
        self.engine.announce(job, state="finished", artifacts=[artifact], facts={})

    def cell(self, x: int, y: int = 0):
        index = self.page.view.cells.index(y, x)
        return self.page.view.visualRect(index).center()

    def click(self, x: int, y: int = 0) -> None:
        QTest.mouseClick(self.page.view.viewport(), Qt.MouseButton.LeftButton, pos=self.cell(x, y))

    def colour(self, x: int, y: int = 0) -> str:
        shot = self.page.view.viewport().grab().toImage()
        return shot.pixelColor(self.cell(x, y) - QPoint(20, 20)).name()

    def state(self, x: int, y: int = 0, z: int = 0):
        assert self.page.run.table is not None
        return self.page.run.table.states[x, y, z]


def a_page(session: TableSession, values: dict[str, Any], qtbot) -> TablePage:
    page = TablePage(session, "image", lambda: ("image.generate", Generate, values))
    session.engine.listeners.append(page.on_event)
    qtbot.addWidget(page)
    page.resize(900, 640)
    page.show()
    return page


@pytest.fixture
def rig(qtbot, qapp, tmp_path):
    theme = Theme("light")
    session = TableSession(tmp_path, theme)
    session.engine.model_entries = [
        {"id": "tiny", "title": "Tiny", "capability": "text-to-image"},
        {"id": "large", "title": "Large", "capability": "text-to-image"},
    ]
    values = {**Generate().model_dump(mode="json"), "prompt": "a red fox", "seed": None, "count": 4}
    return Rig(session, a_page(session, values, qtbot), values, tmp_path)


def test_a_line_counts_its_values_while_they_are_written(rig):
    line = rig.page.lines.lines[0]
    line.combo.setCurrentIndex(line.combo.findData("steps"))
    line.combo.activated.emit(line.combo.currentIndex())
    assert not rig.page.start.isEnabled() and line.problem.isHidden()
    QTest.keyClicks(line.text, "1-10 (+3)")
    assert line.count.text() == "4" and rig.page.start.isEnabled() and "4 pictures" in rig.page.note.text()
    QTest.keyClicks(line.text, ", lots")
    assert not line.problem.isHidden() and "lots" in line.problem.text() and not rig.page.start.isEnabled()


def test_models_of_the_catalogue_are_an_axis_and_all_fills_the_line(rig):
    rig.lines(("model", ""))
    QTest.mouseClick(rig.page.lines.lines[0].every, Qt.MouseButton.LeftButton)
    assert rig.page.lines.lines[0].count.text() == "2"


def test_start_queues_one_ordinary_job_for_each_cell_behind_other_work(rig):
    rig.start(("steps", "5, 6"), ("guidance", "1, 7"))
    asked = rig.session.submitted
    assert len(asked) == 4
    assert {job["operation"] for job in asked} == {"image.generate"}
    assert {(job["priority"], job["origin"]) for job in asked} == {("batch", "image")}
    assert "Steps 6, Guidance 7" in {job["title"] for job in asked}
    assert {job["params"]["count"] for job in asked} == {1}
    assert len({job["params"]["seed"] for job in asked}) == 1 and asked[0]["params"]["seed"] is not None
    assert {(job["params"]["steps"], job["params"]["guidance"]) for job in asked} == {(5, 1), (6, 1), (5, 7), (6, 7)}
    assert not rig.page.start.isEnabled() and rig.page.stop.isEnabled()


def test_jobs_of_one_model_come_together(rig):
    rig.start(("model", "*"), ("steps", "5, 6"))
    assert [job["params"]["model"] for job in rig.session.submitted] == ["tiny", "tiny", "large", "large"]


def test_cells_show_previews_and_then_their_pictures(rig, qtbot):
    jobs = rig.start(("steps", "5, 6"))
    rig.engine.start(jobs[0])
    rig.engine.running(jobs[0])
    rig.engine.progress(jobs[0], done=2, total=5, unit="it")
    image, buffer = QImage(64, 64, QImage.Format.Format_RGB32), QBuffer()
    image.fill(QColor("#00ff00"))
    buffer.open(QBuffer.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    rig.page.on_event(Event(kind="preview", job=jobs[0], frames=[b"", bytes(buffer.data().data())]))
    assert rig.colour(0) == "#00ff00" and rig.state(0).words() == "Step 2 of 5"
    rig.finish(jobs[0], "#ff0000")
    qtbot.waitUntil(lambda: rig.colour(0) == "#ff0000")
    assert rig.state(1).words() == "Waiting" and "1 of 2" in rig.page.note.text()
    rig.finish(jobs[1])
    assert rig.page.start.isEnabled() and not rig.page.stop.isEnabled() and rig.page.export.isEnabled()


def test_headings_say_the_values_and_z_becomes_tabs(rig):
    rig.start(("steps", "5, 6"), ("guidance", "1, 7, 9"), ("model", "*"))
    header = rig.page.view.cells
    across = [header.headerData(at, Qt.Orientation.Horizontal) for at in range(2)]
    down = [header.headerData(at, Qt.Orientation.Vertical) for at in range(3)]
    assert across == ["5", "6"] and down == ["1", "7", "9"]
    assert [rig.page.tabs.tabText(at) for at in range(2)] == ["Model: Tiny", "Model: Large"]
    rig.click(1, 2)
    rig.page.tabs.setCurrentIndex(1)
    assert rig.page.view.place() == (1, 2, 1)
    assert "Model Large" in rig.page.strip.words.text()


def test_a_cell_gives_its_values_to_the_form_and_opens(rig, qtbot):
    jobs = rig.start(("steps", "5, 6"))
    rig.finish(jobs[1])
    rig.click(1)
    with qtbot.waitSignal(rig.page.values_taken) as taken:
        QTest.mouseClick(rig.page.strip.buttons["values"], Qt.MouseButton.LeftButton)
    assert taken.args[0]["steps"] == 6 and taken.args[0]["prompt"] == "a red fox"
    assert taken.args[0]["seed"] == rig.session.submitted[1]["params"]["seed"]
    with qtbot.waitSignal(rig.page.picture_opened) as opened:
        QTest.keyClick(rig.page.view, Qt.Key.Key_Return)
    assert opened.args == [jobs[1], 0]
    rig.click(0)
    assert not rig.page.strip.buttons["open"].isEnabled() and rig.page.strip.buttons["cancel"].isEnabled()


def test_a_failed_cell_says_why_and_can_be_retried(rig):
    jobs = rig.start(("steps", "5, 6"))
    rig.engine.fail(jobs[0], title="Out of memory", detail="It needs 9 GiB.", code="memory")
    rig.click(0)
    assert rig.page.strip.error.isVisible() and rig.page.strip.error.detail.text() == "It needs 9 GiB."
    QTest.mouseClick(rig.page.strip.buttons["retry"], Qt.MouseButton.LeftButton)
    assert rig.state(0).state == "queued" and not rig.page.strip.error.isVisible()


def test_a_refused_cell_says_why_and_the_rest_is_not_asked_for_any_more(rig):
    rig.session.refused = StudioError("No such model", "It is gone.", code="model")
    rig.start(("steps", "1-9"))
    states = [rig.state(x).state for x in range(9)]
    assert states == ["failed"] * 3 + [""] * 6 and rig.page.start.isEnabled()
    rig.session.refused = None
    rig.click(0)
    assert "It is gone." in rig.page.strip.error.detail.text()
    rig.click(5)
    QTest.mouseClick(rig.page.strip.buttons["retry"], Qt.MouseButton.LeftButton)
    assert rig.state(5).state == "queued"


def test_cancel_all_leaves_finished_cells(rig):
    jobs = rig.start(("steps", "5, 6, 7"))
    rig.finish(jobs[0])
    rig.engine.start(jobs[1])
    QTest.mouseClick(rig.page.stop, Qt.MouseButton.LeftButton)
    assert [rig.state(x).state for x in range(3)] == ["finished", "cancelling", "cancelled"]


def test_cancel_all_while_cells_are_still_being_queued(rig):
    rig.session.held.add("submit")
    rig.start(("steps", "5, 6, 7"))
    QTest.mouseClick(rig.page.stop, Qt.MouseButton.LeftButton)
    rig.session.held.clear()
    rig.session.running.release()
    assert len(rig.session.submitted) == 1
    assert [job["state"] for job in rig.engine.jobs.values()] == ["cancelled"]


def test_the_table_survives_a_restart(rig, qtbot):
    jobs = rig.start(("steps", "5, 6"), ("prompt~", "red, blue"))
    assert len(jobs) == 4
    rig.finish(jobs[0])
    rig.page.zoom.setValue(240)
    draft = rig.page.draft()
    again = a_page(rig.session, rig.values, qtbot)
    again.restore(draft)
    assert again.lines.state()[1] == {"key": "prompt~", "text": "red, blue"} and again.view.side() == 240
    rig.engine.announce(jobs[1], state="failed", error={"title": "Broken", "code": "x"})
    del rig.engine.jobs[jobs[3]]
    again.attached()
    table = again.run.table
    assert table is not None
    found = {state.job: state.state for state in table}
    assert [found[job] for job in jobs] == ["finished", "failed", "queued", "gone"]
    assert {state.cell.params["prompt"] for state in table} == {"a red fox", "a blue fox"}
    assert [state.cell.params for state in table] == [job["params"] for job in rig.session.submitted]
    assert again.draft()["table"]["axes"] == draft["table"]["axes"]


@pytest.mark.parametrize(
    "draft",
    [
        {},
        {"table": {}, "lines": 3, "side": "x", "layer": None},
        {"table": {"operation": "image.gone", "values": {}, "axes": []}},
        {"table": {"operation": "image.generate", "values": {}, "axes": [{"key": "?", "values": [1], "labels": []}]}},
        {"table": {"operation": "image.generate", "values": {}, "axes": 5}, "lines": [1, None]},
    ],
)  # fmt: skip
def test_a_draft_that_no_longer_fits_is_no_trouble(rig, draft):
    rig.page.restore(draft)
    assert rig.page.run.table is None and rig.page.empty.isVisible()


def test_a_cell_whose_file_is_known_is_shown_though_the_engine_has_forgotten_its_job(rig, qtbot):
    jobs = rig.start(("steps", "5, 6"))
    rig.finish(jobs[0])
    rig.finish(jobs[1])
    draft = rig.page.draft()
    rig.engine.jobs.clear()
    rig.page.restore(draft)
    rig.page.attached()
    assert rig.state(0).state == "finished" and rig.state(0).path


def test_the_export_is_one_picture_with_headings(rig, qtbot, tmp_path):
    jobs = rig.start(("steps", "5, 6"), ("guidance", "1, 7"), ("model", "*"))
    for job in jobs[:7]:
        rig.finish(job, "#0000ff")
    path = tmp_path / "out.png"
    rig.page.write(path)
    qtbot.waitUntil(lambda: bool(rig.session.notices))
    assert rig.session.notices[0][0] == "The table was written"
    image = QImage(str(path))
    blue = sum(image.pixelColor(x, y).name() == "#0000ff" for x in range(image.width()) for y in range(image.height()))
    assert blue == 7 * 64 * 64
    assert not list(tmp_path.glob(".*"))
    rig.page.write(tmp_path / "no" / "out.png")
    qtbot.waitUntil(lambda: len(rig.session.notices) == 2)
    assert rig.session.notices[1][2] == "error"


def test_the_export_is_bounded(rig, qtbot):
    rig.start(("steps", "1-20"), ("guidance", "1-20"))
    path = rig.picture("large", "#112233", 1500)
    table = rig.page.run.table
    for state in table:
        state.path = str(path)
    size = export.measures(export.sheet(table, QColor("white"), QColor("black"), rig.page.font())).whole
    assert size.width() * size.height() <= export.MOST_PIXELS
    assert max(size.width(), size.height()) <= export.MOST_SIDE
    assert size.width() * size.height() > export.MOST_PIXELS / 2


def test_everything_is_named_and_reachable(rig):
    rig.start(("steps", "5, 6"))
    controls = rig.page.findChildren(QComboBox) + rig.page.findChildren(QToolButton)
    controls += [edit for edit in rig.page.findChildren(QLineEdit) if edit.isVisible()]
    for control in controls:
        if control.isVisible() and control.focusPolicy() != Qt.FocusPolicy.NoFocus:
            assert control.accessibleName() or control.text(), control
    assert rig.page.view.cells.data(rig.page.view.cells.index(0, 1), Qt.ItemDataRole.AccessibleTextRole) == (
        "Steps 6: Waiting"
    )


def test_another_start_replaces_an_ended_table(rig):
    jobs = rig.start(("steps", "5"))
    rig.finish(jobs[0])
    rig.start(("guidance", "1, 2"))
    assert len(rig.session.submitted) == 3 and rig.page.view.cells.columnCount() == 2
