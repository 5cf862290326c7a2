"""What lies in front of the results: one picture large, its branch, two pictures compared."""

from typing import Any

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QApplication

from studio.kit.session import Session

from .ui_batches import Batch, Batches, Picture
from .ui_deeds import Deeds
from .ui_feed import Feed
from .ui_layout import ImageLayout
from .ui_table import TablePage


class Pages(QObject):
    """Opens, follows and closes the pages. The results below keep their place."""

    def __init__(
        self,
        session: Session,
        ui: ImageLayout,
        batches: Batches,
        deeds: Deeds,
        feed: Feed,
        table: TablePage,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        self._session, self._ui, self._batches, self._deeds = session, ui, batches, deeds
        self._feed = feed
        self._marked: tuple[str, int] = ("", -1)
        viewer = ui.viewer
        deeds.viewing.connect(self.view)
        deeds.branching.connect(self.branch)
        deeds.comparing.connect(self.compare)
        ui.compare.left.connect(self.back)
        viewer.left.connect(self.back)
        viewer.moved.connect(self.move)
        viewer.asked.connect(self._on_viewer)
        viewer.branched.connect(self._on_branched)
        table.picture_opened.connect(lambda job, number: session.spawn(self._open(job, number)))

    # one picture large -----------------------------------------------------------------------

    def view(self, id: str, number: int) -> None:
        found = self._find(id, number)
        if found is not None:
            self._ui.viewer.show_picture(*found)
            self._ui.show_page(self._ui.viewer)
            self._ui.viewer.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def current(self) -> tuple[str, int]:
        """The picture that is large, else the one that had the keyboard last."""
        if self._ui.showing() is self._ui.viewer:
            return self._ui.viewer.batch, self._ui.viewer.number
        return self._ui.grid.current()

    async def _open(self, job: str, number: int) -> None:
        """A cell of the table."""
        batch = self._batches.invite(await self._session.call("job", job=job))
        if batch.shown:
            self.view(job, batch.shown[min(number, len(batch.shown) - 1)].number)
            await self._feed.read_file(batch, batch.shown[0])

    def move(self, by: int) -> None:
        """The next or the last picture, also of the neighbouring batch."""
        viewer = self._ui.viewer
        batch = self._batches.get(viewer.batch)
        if batch is None:
            return
        numbers = [picture.number for picture in batch.shown]
        at = numbers.index(viewer.number) + by if viewer.number in numbers else 0
        if 0 <= at < len(numbers):
            self.view(batch.id, numbers[at])
            return
        other = self._ui.grid.neighbour(batch.id, by)
        while other is not None and not other.shown:
            other = self._ui.grid.neighbour(other.id, by)
        if other is not None:
            self.view(other.id, other.shown[0 if by > 0 else -1].number)

    def touch(self, id: str) -> None:
        """A batch has changed; when one of its pictures is large, that is brought up to date."""
        viewer = self._ui.viewer
        if self._ui.showing() is viewer and viewer.batch == id:
            self.refresh()

    def refresh(self) -> None:
        viewer = self._ui.viewer
        if self._ui.showing() is not viewer:
            return
        found = self._find(viewer.batch, viewer.number)
        if found is not None:
            viewer.show_picture(*found)
        else:
            self._ui.show_page()

    def _find(self, id: str, number: int) -> tuple[Batch, Picture] | None:
        batch = self._batches.get(id)
        shown = batch.shown if batch is not None else []
        picture = next((picture for picture in shown if picture.number == number), None)
        return (batch, picture) if batch is not None and picture is not None else None

    # a branch --------------------------------------------------------------------------------

    @property
    def branching(self) -> bool:
        return self._ui.showing() is self._ui.viewer and self._ui.viewer.sheet.isVisible()

    def branch(self, id: str, number: int) -> None:
        found = self._find(id, number)
        if found is None:
            return
        self.view(id, number)
        viewer = self._ui.viewer
        if not viewer.scrubber.has_steps():
            self._session.notify("There are no steps of this picture to go on from", _why_none(*found))
            return
        viewer.branch(self._deeds.settings(*found))

    def go_on(self) -> None:
        self._ui.viewer.sheet.go_on()

    def _on_branched(self, params: dict[str, Any]) -> None:
        found = self._find(self._ui.viewer.batch, self._ui.viewer.number)
        parents = (found[1].artifact,) if found is not None and found[1].artifact else ()
        self._ui.viewer.close_branch()
        self.back()
        self._ui.grid.go_to_newest()
        if found is not None:
            self._deeds.ask(found[0].operation, params, parents)

    # two pictures ----------------------------------------------------------------------------

    def compare(self, id: str, number: int) -> None:
        """With the picture it was made from; else the first one is kept in mind until a second is chosen."""
        found = self._find(id, number)
        if found is None:
            return
        batch, picture = found
        other = self._find(*self._marked)
        if other is not None and other[1] is not picture:
            self._marked = ("", -1)
            self._show_pair(other[1].path, picture.path, ("First", "Second"))
        elif batch.params.get("picture"):
            self._show_pair(str(batch.params["picture"]), picture.path, ("Before", "After"))
        else:
            self._marked = (id, number)
            self.back()
            self._ui.taken.say("Choose a second picture to compare with", ("Compare is in its menu.",))

    def _show_pair(self, before: str, after: str, labels: tuple[str, str]) -> None:
        self._ui.taken.hide()
        self._ui.compare.show_pair(before, after, labels)
        self._ui.show_page(self._ui.compare)
        self._ui.compare.slider.setFocus(Qt.FocusReason.OtherFocusReason)

    # back ------------------------------------------------------------------------------------

    def _on_viewer(self, deed: str, id: str, number: int) -> None:
        if deed == "refresh":
            self.refresh()
        else:
            if deed == "delete":
                self.move(1)
            self._deeds.act(deed, id, number)

    def step_back(self) -> bool:
        """Esc: closes the sheet, then the page. False when the results are on show."""
        if self.branching:
            self._ui.viewer.close_branch()
            return True
        if self._ui.showing() is None:
            return False
        self.back()
        return True

    def back(self) -> None:
        """The results again, at the picture that was large."""
        viewer, was = self._ui.viewer, self._ui.showing()
        if was is None:
            return
        viewer.close_branch()
        inside = was.isAncestorOf(QApplication.focusWidget() or viewer)
        self._ui.show_page()
        if was is viewer:
            self._ui.grid.reveal(viewer.batch, viewer.number, focus=inside)


def _why_none(batch: Batch, picture: Picture) -> str:
    """Why there are no steps of a picture, as a sentence."""
    if not picture.path:
        return "They come with the first steps."
    if batch.operation == "image.map" or batch.params.get("refine") == 0:
        return "It was not painted in steps."
    if batch.operation == "image.upscale" and picture.facts.get("tiles") == 1:
        return "It was painted in one tile."
    return "They were cleared to make room."
