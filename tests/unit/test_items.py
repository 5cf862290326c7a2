"""Lists of items: described, validated, walked for files and models, typed as flags."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from studio.cli import flags
from studio.engine import references
from studio.errors import StudioError
from studio.sdk.fields import describe
from studio.sdk.params import InputFile, Item, Params, Ui

pytestmark = pytest.mark.unit


class Layer(Item):
    model: Annotated[str, Ui(widget="model", choices_from="hub:adapter")] = ""
    weight: Annotated[float, Field(ge=0, le=2)] = 1.0
    picture: InputFile = ""


class Stack(Params):
    base: Annotated[str, Ui(widget="model", choices_from="hub:text-to-image")] = ""
    picture: InputFile
    layers: Annotated[list[Layer], Field(max_length=2)] = []


def test_items_are_described_with_their_own_fields():
    layers = {spec.name: spec for spec in describe(Stack)}["layers"]
    assert (layers.kind, layers.most, layers.item) == ("items", 2, Layer)
    assert [(field.name, field.kind, field.input) for field in layers.fields] == [
        ("model", "str", False),
        ("weight", "float", False),
        ("picture", "str", True),
    ]


def test_items_are_closed_frozen_and_bounded():
    for layers in ([{"wieght": 1}], [{"weight": 3}], [{}, {}, {}], [{"model": "\ud800"}]):
        with pytest.raises(StudioError) as caught:
            Stack.load({"picture": "x", "layers": layers})
        assert any(name.startswith("layers") for name in caught.value.problems)


def test_references_are_found_and_changed_inside_items():
    values = {"base": "b", "picture": "p", "layers": [{"model": "m", "picture": ""}, {"model": "", "picture": "q"}]}
    found = references.changed(values, describe(Stack), lambda spec, value: value.upper())
    assert found == {
        "base": "B",
        "picture": "P",
        "layers": [{"model": "M", "picture": ""}, {"model": "", "picture": "Q"}],
    }
    assert values["layers"][0]["model"] == "m"
    assert list(references.models(found, describe(Stack))) == ["B", "M"]


def test_an_item_is_typed_as_names_and_values():
    typed = ["--picture", "cat.png", "--layers", "model=ink,weight=0.5", "--layers", '{"model": "oil, old"}']
    given = flags.parse(Stack, typed)
    assert given.values["layers"] == [{"model": "ink", "weight": "0.5"}, {"model": "oil, old"}]
    assert given.values["picture"] == str(Path("cat.png").absolute())
    loaded = flags.load(Stack, given)
    assert loaded.layers[0].weight == 0.5


def test_the_first_word_of_an_item_may_leave_out_its_name():
    assert flags.parse(Stack, ["--layers", "ink, wet,weight=0.5"]).values["layers"] == [
        {"model": "ink, wet", "weight": "0.5"}
    ]


@pytest.mark.parametrize("text", ["{no json", "{'a': 1}"])
def test_an_item_that_is_none_names_the_flag(text):
    with pytest.raises(StudioError) as caught:
        flags.parse(Stack, ["--layers", text])
    assert "--layers" in caught.value.detail


def test_the_help_says_how_an_item_is_typed():
    text = flags.help_text("x.y", "X", "", Stack)
    assert "--layers model=…,weight=…,picture=…" in text and "--picture FILE" in text
