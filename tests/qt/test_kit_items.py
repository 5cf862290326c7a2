"""Lists of items and input pictures in a form; choices and fields that a model does not offer."""

from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QColor, QDropEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QListView

from studio.kit.form import ParamsForm
from studio.kit.history import History
from studio.kit.theme import Theme
from studio.sdk.params import InputFile, Item, Params, Ui
from tests.qt.kit_rig import Session

pytestmark = pytest.mark.qt


class Layer(Item):
    """An adapter that may not be negative and heavy at once."""

    model: Annotated[str, Ui(widget="model", choices_from="hub:adapter")] = Field("", description="Which one")
    weight: Annotated[float, Field(ge=-2, le=2), Ui(widget="slider", step=0.1)] = 1.0

    @model_validator(mode="after")
    def _makes_sense(self):
        if self.weight == 0:
            raise ValueError("a layer of weight 0 does nothing")
        return self


class Picture(Params):
    model: Annotated[str, Ui(widget="model", choices_from="hub:text-to-image")] = ""
    layers: Annotated[list[Layer], Ui(group="Layers"), Field(max_length=2)] = []
    picture: Annotated[InputFile, Ui(widget="picture")] = ""
    sampler: Literal["auto", "euler", "heun"] = "auto"
    secret: Annotated[list[str], Ui(widget="hidden")] = []


@pytest.fixture
def session(qapp, tmp_path):
    return Session(tmp_path, Theme("light"))


@pytest.fixture
def form(session, qtbot):
    form = ParamsForm(Picture, session, operation="x.y", history=session.undo)
    qtbot.addWidget(form)
    form.resize(320, 900)
    form.show()
    return form


def layers(form):
    return form.rows["layers"].control


def press(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_items_are_added_edited_moved_and_removed(form):
    control = layers(form)
    press(control.add)
    press(control.add)
    assert form.value()["layers"] == [{"model": "", "weight": 1.0}] * 2
    assert not control.add.isEnabled(), "two are the most"
    control.cards[1].rows["weight"].control.changed.emit(0.5)
    assert form.value()["layers"][1]["weight"] == 0.5
    assert not control.cards[1].rows["weight"].reset_button.isHidden()
    press(control.cards[1].up)
    assert [layer["weight"] for layer in form.value()["layers"]] == [0.5, 1.0]
    press(control.cards[0].remove)
    assert form.value()["layers"] == [{"model": "", "weight": 1.0}] and control.add.isEnabled()
    assert Picture.load(form.value()).layers[0].weight == 1.0


def test_every_change_of_an_item_can_be_undone(form, session):
    history: History = session.undo
    press(layers(form).add)
    layers(form).cards[0].rows["weight"].control.changed.emit(1.5)
    assert form.value()["layers"] == [{"model": "", "weight": 1.5}]
    while history.can_undo:
        history.undo()
    assert form.value()["layers"] == [] and layers(form).cards == []


def test_what_the_item_refuses_is_told_under_the_list(form):
    press(layers(form).add)
    layers(form).cards[0].rows["weight"].control.changed.emit(0.0)
    assert "does nothing" in form.problems()["layers"]
    assert form.value()["layers"] == [{"model": "", "weight": 1.0}]


def test_a_value_from_outside_is_shown_in_the_cards(form):
    form.set_value({"layers": [{"model": "ink", "weight": 0.7}, {"model": "oil"}]})
    cards = layers(form).cards
    assert [card.rows["model"].control.value() for card in cards] == ["ink", "oil"]
    assert [card.rows["weight"].control.value() for card in cards] == [0.7, 1.0]
    assert cards[1].rows["weight"].control.value() == 1.0


def test_no_model_means_none_inside_an_item_and_the_default_outside(form):
    press(layers(form).add)
    inside = layers(form).cards[0].rows["model"].control.picker
    outside = form.rows["model"].control.picker
    assert inside.combo.itemText(0) == "None" and inside.entry() is None
    assert outside.combo.itemText(0).endswith("(default)")
    assert not inside.line.property("problem")


def test_a_hidden_field_keeps_its_value_and_is_never_shown(form):
    form.set_value({"secret": ["a"]})
    form.set_density("expert")
    assert form.value()["secret"] == ["a"] and not form.rows["secret"].isVisible()


def drop(widget, path):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    buttons, action = Qt.MouseButton.LeftButton, Qt.DropAction.CopyAction
    widget.dropEvent(QDropEvent(QPoint(5, 5), action, mime, buttons, Qt.KeyboardModifier.NoModifier))


def test_a_dropped_picture_is_shown_and_can_be_taken_away(form, qtbot, tmp_path):
    path = tmp_path / "red.png"
    image = QImage(200, 100, QImage.Format.Format_RGB32)
    image.fill(QColor("red"))
    image.save(str(path))
    control = form.rows["picture"].control
    drop(control, path)
    assert form.value()["picture"] == str(path) and control.said.text() == "red.png"
    qtbot.waitUntil(lambda: not control.thumb.pixmap().isNull())
    assert control.thumb.pixmap().toImage().pixelColor(5, 5).red() > 200
    press(control.clear)
    assert form.value()["picture"] == "" and control.thumb.pixmap().isNull()


def test_a_file_that_is_no_picture_says_so(form, qtbot, tmp_path):
    path = tmp_path / "text.png"
    path.write_text("no picture")
    control = form.rows["picture"].control
    control.choose(str(path))
    qtbot.waitUntil(lambda: "cannot be shown" in control.said.text())
    control.choose(str(tmp_path / "gone.png"))
    assert "gone" in control.said.text()


def test_choices_that_a_model_lacks_are_not_offered_and_the_chosen_one_stays(form):
    combo = form.rows["sampler"].control.combo
    view = combo.view()
    assert isinstance(view, QListView)
    form.set_value({"sampler": "heun"})
    form.limit("sampler", ("auto", "euler"), "Flux has no Heun.")
    assert form.value()["sampler"] == "heun"
    assert not combo.model().item(2).isEnabled() and not view.isRowHidden(2)
    form.set_value({"sampler": "euler"})
    form.limit("sampler", ("auto", "euler"))
    assert view.isRowHidden(2)
    form.limit("sampler", None)
    assert not view.isRowHidden(2) and combo.model().item(2).isEnabled()


def test_a_field_without_meaning_is_greyed_with_the_reason(form):
    row = form.rows["layers"]
    form.set_available("layers", False, "This model takes no layers.")
    assert not row.control.isEnabled() and "takes no layers" in row.toolTip()
    form.set_available("layers", True)
    assert row.control.isEnabled() and "takes no layers" not in row.toolTip()


class Size(Params):
    width: Annotated[int, Ui(zero="auto", soft_min=64, soft_max=512), Field(ge=0)] = 0


def test_zero_is_shown_as_what_it_means(session, qtbot):
    form = ParamsForm(Size, session)
    qtbot.addWidget(form)
    field = form.rows["width"].control.field
    assert field.text() == "" and field.placeholderText() == "auto" and form.value() == {"width": 0}
    QTest.keyClicks(field, "128")
    assert form.value() == {"width": 128}
    field.clear()
    field.textEdited.emit("")
    assert form.value() == {"width": 0} and not form.problems()
