"""Pictures in the library panel: thumbnails of what is looked at, the large one, files that leave by drag and copy."""

from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QGuiApplication

from studio.errors import StudioError
from studio.library.thumbnails import thumbnail
from tests.films import film
from tests.qt.panel_session import FakeSession

pytestmark = pytest.mark.qt


class Shelf:
    """Pictures in a fake engine, and which thumbnails it was asked for."""

    def __init__(self, session: FakeSession):
        self.session, self.engine, self.asked = session, session.engine, []
        session.engine.do_library_thumbnails = self.thumbnails  # type: ignore[attr-defined]
        session.engine.do_library_thumbnail = self.thumbnail  # type: ignore[attr-defined]

    def add(self, count: int, size: tuple[int, int] = (60, 40), colour: str = "red", kind: str = "image") -> list[str]:
        ids = []
        for n in range(count):
            id = self.engine.add_item(
                f"p{len(self.engine.items)}", {"prompt": f"picture {n}", "model": "", "seed": 1}, ""
            )
            path = self.engine.library / f"{id}.png"
            Image.new("RGB", size, colour).save(path)
            self.engine.items[id] |= {"kind": kind, "path": str(path), "excerpt": "", "operation": "image.generate"}
            self.engine.recipes[id] |= {"operation": "image.generate",
                                        "params": {"prompt": f"picture {n}", "steps": 25, "at_once": 0, "eta": 0.5,
                                                   "loras": [{"model": "ink", "weight": 0.8}]}}  # fmt: skip
            self.engine.texts[id] = None  # type: ignore[assignment]
            ids.append(id)
        return ids

    def thumbnails(self, ids: list[str], size: int):
        self.asked += ids
        made = [self._made(id, size) for id in ids]
        return {"items": [{"id": id, "problem": p} for id, (_, p) in zip(ids, made, strict=True)]}, [m[0] for m in made]

    def thumbnail(self, id: str, size: int):
        item = self.engine.items[id]
        return {}, [thumbnail(item["path"], item["kind"], size) or b""]

    def _made(self, id: str, size: int) -> tuple[bytes, str]:
        try:
            return self.thumbnail(id, size)[1][0], ""
        except StudioError as error:
            return b"", str(error)


@pytest.fixture
def session(qapp, tmp_path: Path):
    return FakeSession(tmp_path)


@pytest.fixture
def opened(session, qtbot):
    def open():
        panel = session.panel("library.panel")
        qtbot.addWidget(panel)
        panel.resize(1200, 700)
        panel.show()
        return panel

    return open


def settled(panel) -> bool:
    first, last = panel.view.rows_on_screen()
    items = [panel.items.item(row) for row in range(first, last + 1)]
    return all(panel.thumbs.image(i["id"]) or panel.thumbs.problem(i["id"]) is not None for i in items if i)


def test_only_what_is_near_the_screen_is_asked_for_and_the_rest_when_it_is_scrolled_to(opened, session, qtbot):
    shelf = Shelf(session)
    ids = shelf.add(300)
    panel = opened()
    qtbot.waitUntil(lambda: bool(shelf.asked) and settled(panel))
    first, last = panel.view.rows_on_screen()
    assert first == 0 and last < 20 and len(shelf.asked) <= 2 * (last + 1) + 12
    assert set(shelf.asked[: last + 1]) == set(ids[::-1][: last + 1])
    shelf.asked.clear()
    panel.view.verticalScrollBar().setValue(panel.view.verticalScrollBar().maximum())
    qtbot.waitUntil(lambda: bool(shelf.asked) and settled(panel) and ids[0] in shelf.asked)
    assert len(shelf.asked) < 60 and panel.items.item(299)["id"] == ids[0]


def test_a_tile_shows_the_picture(opened, session, qtbot):
    Shelf(session).add(1, colour="#ff0000")
    panel = opened()
    qtbot.waitUntil(lambda: settled(panel))
    qtbot.waitUntil(lambda: colour_at(panel, panel.view.visualRect(panel.items.index(0)).center()) == (255, 0, 0))


def colour_at(panel, place) -> tuple[int, int, int]:
    return panel.view.viewport().grab().toImage().pixelColor(place).getRgb()[:3]


def test_the_selected_picture_is_shown_large_with_its_prompt_and_what_is_not_ordinary(opened, session, qtbot):
    Shelf(session).add(1, (900, 600), "blue")
    panel = opened()
    qtbot.waitUntil(lambda: panel.preview.picture.image.width() == 900)
    assert panel.preview.picture.isVisible() and not panel.preview.text.isVisible()
    facts = {label.accessibleName(): label.text() for label in panel.preview.findChildren(type(panel.head._count))}
    assert facts["Prompt"] == "picture 0" and facts["Steps"] == "25" and facts["Eta"] == "0.5"
    assert facts["LoRA"] == "ink weight 0.8" and "At once" not in facts


def test_a_text_after_a_picture_is_shown_as_text(opened, session, qtbot):
    shelf = Shelf(session)
    shelf.add(1)
    session.engine.add_item("t", {"prompt": "The fox", "model": "", "seed": 1}, " and so on.")
    panel = opened()
    assert panel.preview.text.isVisible() and not panel.preview.picture.isVisible()
    panel.view.setCurrentIndex(panel.items.index(1))
    assert panel.preview.picture.isVisible()
    panel.view.setCurrentIndex(panel.items.index(0))
    qtbot.wait(150)
    assert panel.preview.text.isVisible() and panel.preview.text.toPlainText() == "The fox and so on."


def test_a_broken_picture_is_said_in_its_tile_and_beside(opened, session, qtbot):
    (id,) = Shelf(session).add(1)
    Path(session.engine.items[id]["path"]).write_bytes(b"a text, renamed")

    def refuse(id: str, size: int):
        raise StudioError("This picture cannot be read", "It is none.", code="broken-picture")

    session.engine.do_library_thumbnail = refuse
    panel = opened()
    qtbot.waitUntil(lambda: bool(panel.thumbs.problem(id)))
    qtbot.waitUntil(lambda: "cannot be read" in panel.preview.picture._words)
    panel._update_buttons()
    assert not panel._buttons["use"].isEnabled() and not session.running.errors


def test_a_film_without_a_decoder_says_so_where_it_would_play(opened, session, qtbot, tmp_path: Path):
    (id,) = Shelf(session).add(1, kind="video")
    session.engine.items[id]["path"] = str(film(tmp_path))
    panel = opened()
    qtbot.waitUntil(lambda: "AV1" in panel.preview.picture._words)
    qtbot.waitUntil(lambda: panel.preview.picture.isVisible() and not panel.preview.playing)
    said = panel.preview.picture._words
    assert said.startswith("This clip cannot be played here\n") and "h264.mp4 is coded as H.264" in said
    assert "H.264" in (panel.thumbs.problem(id) or "")


def test_use_as_input_and_open(opened, session, qtbot):
    (id,) = Shelf(session).add(1)
    panel = opened()
    qtbot.waitUntil(lambda: panel._buttons["use"].isEnabled())
    qtbot.mouseClick(panel._buttons["use"], Qt.MouseButton.LeftButton)
    assert session.opened == [("image.panel", {"use": session.engine.items[id]["path"]})]
    panel.open_current()
    assert session.opened[1][0] == "image.panel" and session.opened[1][1]["recipe"]["operation"] == "image.generate"


def test_files_leave_by_drag_and_by_copy(opened, session, qtbot):
    ids = Shelf(session).add(3)
    panel = opened()
    panel.view.selectAll()
    mime = panel.items.mimeData(panel.view.selectionModel().selectedIndexes())
    assert {url.toLocalFile() for url in mime.urls()} == {session.engine.items[id]["path"] for id in ids}
    assert panel.items.flags(panel.items.index(0)) & Qt.ItemFlag.ItemIsDragEnabled and panel.view.dragEnabled()
    qtbot.waitUntil(lambda: not panel.preview.picture.image.isNull())
    panel.copy_current()
    copied = QGuiApplication.clipboard().mimeData()
    assert copied.hasImage() and copied.urls()[0].toLocalFile() == session.engine.items[ids[2]]["path"]


def test_the_keyboard_goes_through_the_pictures(opened, session, qtbot):
    Shelf(session).add(40)
    panel = opened()
    panel.view.setFocus()
    for key, row in ((Qt.Key.Key_Right, 1), (Qt.Key.Key_End, 39), (Qt.Key.Key_Home, 0)):
        qtbot.keyClick(panel.view, key)
        assert panel.view.currentIndex().row() == row
    qtbot.keyClick(panel.view, Qt.Key.Key_Down)
    assert panel.view.currentIndex().row() > 1
    qtbot.keyClick(panel.view, Qt.Key.Key_Return)
    assert session.opened[0][0] == "image.panel"


def test_memory_is_bounded_and_an_engine_that_is_away_is_asked_again(opened, session, qtbot, monkeypatch):
    shelf = Shelf(session)
    shelf.add(60, (300, 300))
    panel = opened()
    module = __import__(type(panel.thumbs).__module__, fromlist=["MOST_BYTES"])
    qtbot.waitUntil(lambda: settled(panel))
    last = panel.view.rows_on_screen()[1]
    one = panel.thumbs.image(panel.items.item(0)["id"]).sizeInBytes()
    monkeypatch.setattr(module, "MOST_BYTES", one * 2 * (last + 2))
    panel.view.verticalScrollBar().setValue(panel.view.verticalScrollBar().maximum())
    qtbot.waitUntil(lambda: panel.view.rows_on_screen()[0] > 0 and settled(panel))
    assert panel.thumbs._bytes <= one * 2 * (last + 2) == module.MOST_BYTES
    assert panel.thumbs._bytes == sum(image.sizeInBytes() for image in panel.thumbs._images.values())

    def away(ids, size):
        raise StudioError("The engine is not there", code="engine-lost")

    session.engine.do_library_thumbnails = away
    panel.thumbs.forget([panel.items.item(row)["id"] for row in range(60)])
    panel.view.look()
    session.engine.do_library_thumbnails = shelf.thumbnails
    panel.view.look()
    qtbot.waitUntil(lambda: settled(panel))
    assert not session.running.errors


def test_thumbnails_fit_the_room_and_very_small_ones_are_enlarged_whole(opened, session, qtbot):
    shelf = Shelf(session)
    (small,) = shelf.add(1, (16, 8))
    (wide,) = shelf.add(1, (3000, 300))
    panel = opened()
    qtbot.waitUntil(lambda: settled(panel))
    assert panel.thumbs.image(small).width() % 16 == 0 and panel.thumbs.image(small).width() > 100
    assert panel.thumbs.image(wide).width() <= 208 and panel.thumbs.image(wide).size() != QSize(3000, 300)


def test_pages_passed_by_are_not_all_asked_for(opened, session, qtbot):
    Shelf(session).add(2)
    panel = opened()
    panel.items._total = 10_000
    session.held.add("library.list")
    for row in range(0, 10_000, 50):
        panel.items.item(row)
    assert len(session.called("library.list")) <= 3
    assert len(panel.items._waiting) <= 4
