"""The X/Y/Z table without a window: which fields vary, how values are read, what each cell is and in which order."""

import re
from itertools import pairwise

import pytest

from plugins.image import axes as ax
from plugins.image.params import Generate
from studio.errors import StudioError
from studio.host.discover import discover
from studio.host.loader import load_params
from studio.paths import bundled

pytestmark = pytest.mark.unit

MODELS = {
    "text-to-image": [
        {"id": "tiny", "title": "Tiny"},
        {"id": "big-a", "title": "Big"},
        {"id": "big-b", "title": "Big"},
    ],
    "adapter": [{"id": "ink", "title": "Ink"}],
}
VALUES = {
    **Generate().model_dump(mode="json"), "prompt": "a red house, a red door", "seed": 7,
    "loras": [{"model": "ink", "weight": 1.0}, {"model": "", "weight": 0.5}],
}  # fmt: skip


def axis(key: str):
    return next(found for found in ax.axes(Generate, VALUES, MODELS) if found.key == key)


def read(key: str, text: str):
    return ax.parse(axis(key), text, VALUES)


def made(*chosen, values=VALUES, seed=lambda: 99):
    return ax.cells(Generate, values, [read(key, text) for key, text in chosen], seed)


def test_numbers_choices_switches_models_items_and_words_can_vary():
    found = {one.key: one for one in ax.axes(Generate, VALUES, MODELS)}
    assert found["steps"].kind == "number" and found["sampler"].kind == "choice" and found["model"].kind == "model"
    assert found["loras.0.weight"].title == "LoRA 1 weight" and found["loras.1.model"].kind == "model"
    assert found["prompt~"].title == "Prompt S/R" and "negative~" not in found and "negative" in found
    assert not {"expanded", "steering", "start_latents", "loras"} & set(found)
    assert not any(key.startswith("controls") for key in found)


def test_what_to_ask_the_catalogue_for():
    assert ax.capabilities(Generate)[:2] == ["text-to-image", "adapter"]


@pytest.mark.parametrize(
    ("key", "text", "values"),
    [
        ("steps", "1,2,3", (1, 2, 3)),
        ("steps", " 10 , 20 ", (10, 20)),
        ("steps", "1-4", (1, 2, 3, 4)),
        ("steps", "1-10 (+2)", (1, 3, 5, 7, 9)),
        ("steps", "9-1 (-4)", (9, 5, 1)),
        ("steps", "10-30 [3], 50", (10, 20, 30, 50)),
        ("steps", "1, 1, 2", (1, 2)),
        ("width", "512-1024 [4]", (512, 680, 856, 1024)),
        ("guidance", "0.1-1 [4]", (0.1, 0.4, 0.7, 1.0)),
        ("guidance", "0.1-0.5 (+0.1)", (0.1, 0.2, 0.3, 0.4, 0.5)),
        ("guidance", "auto, 7.5", (None, 7.5)),
        ("loras.0.weight", "-1-1 [3]", (-1, 0, 1)),
        ("loras.0.weight", "-1 - -0.5 (+0.25)", (-1, -0.75, -0.5)),
        ("seed", "1e3", (1000,)),
        ("prompt", '"a, b", c', ("a, b", "c")),
        ("prompt", 'say ""hi"", c', ('say ""hi""', "c")),
        ("negative", '"", blurry', ("", "blurry")),
        ("hires_by", "*", ("latent", "lanczos")),
        ("hires_by", "LAT", ("latent",)),
        ("model", "tiny, big-b", ("tiny", "big-b")),
    ],
)
def test_values_are_read(key, text, values):
    assert read(key, text).values == values


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("steps", "", "no values yet"),
        ("steps", "many", "not a number"),
        ("steps", "0", "at least 1"),
        ("steps", "501", "at most 500"),
        ("steps", "1-500", "at most 64"),
        ("steps", "1-9 (0)", "step other than 0"),
        ("steps", "1-9 [0]", "1 to 64"),
        ("steps", "nan", "not a number|finite"),
        ("guidance", "0.1-0.9", "needs a step"),
        ("hires_by", "l", "no choice"),
        ("model", "large", "no model"),
        ("prompt~", "blue, green", "does not stand in the prompt"),
    ],
)
def test_what_cannot_be_read_is_said(key, text, words):
    with pytest.raises(StudioError) as error:
        read(key, text)
    assert error.value.code == "axis"
    assert re.search(words, error.value.detail)


def test_search_and_replace_changes_every_place_and_keeps_the_first_as_it_is():
    prompts = [cell.params["prompt"] for cell in made(("prompt~", 'red, blue, "very, very old"'))]
    assert prompts == [
        "a red house, a red door",
        "a blue house, a blue door",
        "a very, very old house, a very, very old door",
    ]


def test_search_and_replace_looks_into_the_prompt_of_another_axis():
    chosen = [read("prompt~", "red, blue"), read("prompt", '"a red cat", "a red dog"')]
    prompts = {cell.params["prompt"] for cell in ax.cells(Generate, VALUES, chosen, lambda: 1)}
    assert prompts == {"a red cat", "a blue cat", "a red dog", "a blue dog"}


def test_a_cell_changes_its_fields_alone_and_all_cells_share_a_seed():
    values = {**VALUES, "seed": None, "count": 4, "expand": "all", "expanded": ["x"], "steering": []}
    found = made(("steps", "5, 6"), ("loras.1.weight", "0, 1"), values=values)
    assert {cell.params["seed"] for cell in found} == {99}
    assert {(cell.params["count"], cell.params["expand"]) for cell in found} == {(1, "random")}
    assert all(cell.params["expanded"] == [] for cell in found)
    by_place = {cell.place: cell for cell in found}
    assert by_place[1, 0, 0].params["steps"] == 6 and by_place[1, 0, 0].params["loras"][1]["weight"] == 0
    assert by_place[0, 1, 0].params["loras"] == [{"model": "ink", "weight": 1.0}, {"model": "", "weight": 1}]
    assert VALUES["loras"][1]["weight"] == 0.5
    assert by_place[1, 1, 0].title == "Steps 6, LoRA 2 weight 1"


def changes(found, key):
    return sum(one.params[key] != other.params[key] for one, other in pairwise(found))


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1)])
def test_models_load_as_rarely_as_possible_whatever_axis_they_are_on(order):
    parts = [("model", "tiny, big-a, big-b"), ("loras.0.model", "*"), ("steps", "1-4")]
    found = made(*(parts[i] for i in order))
    assert len(found) == 12 and changes(found, "model") == 2
    parts[1] = ("loras.0.weight", "0, 0.5, 1")
    found = made(*(parts[i] for i in order))
    assert changes(found, "model") == 2 and changes(found, "loras") == 8


def test_a_table_has_bounds():
    with pytest.raises(StudioError, match="too large"):
        made(("steps", "1-30"), ("seed", "1-30"))
    with pytest.raises(StudioError) as error:
        made(("steps", "1, 2"), ("steps", "3, 4"))
    assert "same field" in error.value.detail


def test_a_cell_that_cannot_be_is_named_before_any_is_queued():
    with pytest.raises(StudioError) as error:
        made(("prompt", f"ok, {'x' * 20_001}"))
    assert "Prompt" in error.value.detail


def test_headings_are_short_and_models_have_their_titles():
    assert read("model", "big-a, tiny").labels == ("big-a", "Tiny")
    assert read("guidance", "auto, 7").labels == ("auto", "7")
    assert len(read("prompt", "word " * 40).labels[0]) == 60


def test_every_axis_says_what_to_write():
    for one in ax.axes(Generate, VALUES, MODELS):
        assert ax.example(one)
        if one.kind in ("number", "switch") or (one.kind == "choice"):
            text = ax.example(one).split(" or ")[0]
            assert ax.parse(one, text, VALUES).values


def test_every_operation_of_the_plugin_has_axes():
    for id, operation in discover([bundled("plugins")], installed=False).operations().items():
        if id.startswith("image."):
            assert ax.axes(load_params(operation), {}), id
