"""Params: validation messages, migrations, seeds, and their description for forms and flags."""

from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import Field

from studio.errors import StudioError
from studio.sdk.fields import describe
from studio.sdk.params import Density, ModelRef, Params, Prompt, Seed, Ui

pytestmark = pytest.mark.unit


class Shape(StrEnum):
    ROUND = "round"
    FLAT = "flat"


class Sample(Params):
    version = 3
    migrations = {
        1: lambda values: {"steps": values.pop("iterations"), **values},
        2: lambda values: {**values, "strength": values.get("strength", 50) / 100},
    }
    prompt: Prompt = Field("", description="What to make.")
    model: ModelRef = ""
    steps: Annotated[int, Field(ge=1, le=50, multiple_of=1), Ui(group="Sampling", step=5)] = 20
    strength: Annotated[float, Field(gt=0, le=1), Ui(density=Density.EXPERT)] = 0.5
    shape: Shape = Shape.ROUND
    mode: Literal["a", "b"] = "a"
    tiled: bool = False
    stop: list[str] = []
    seed: Seed = None


def test_the_description_has_everything_a_form_needs():
    fields = {spec.name: spec for spec in describe(Sample)}
    assert list(fields) == list(Sample.model_fields)
    steps = fields["steps"]
    assert (steps.kind, steps.minimum, steps.maximum, steps.default) == ("int", 1, 50, 20)
    assert (steps.ui.group, steps.ui.step) == ("Sampling", 5)
    assert fields["strength"].ui.density is Density.EXPERT
    assert fields["shape"].choices == ("round", "flat")
    assert fields["mode"].choices == ("a", "b")
    assert (fields["seed"].optional, fields["seed"].ui.widget, fields["seed"].maximum) == (True, "seed", 2**32 - 1)
    assert fields["stop"].kind == "strings"
    assert fields["prompt"].description == "What to make."


def test_every_wrong_field_is_named():
    with pytest.raises(StudioError) as caught:
        Sample.load({"steps": 0, "strength": float("nan"), "colour": 1})
    assert set(caught.value.problems) == {"steps", "strength", "colour"}
    assert "steps" in caught.value.detail


def test_lone_surrogates_are_refused():
    with pytest.raises(StudioError):
        Sample.load({"prompt": "a\ud800b"})


def test_old_values_are_migrated_and_newer_ones_refused():
    assert Sample.load({"iterations": 7, "strength": 40}, 1) == Sample(steps=7, strength=0.4)
    with pytest.raises(StudioError, match="newer"):
        Sample.load({}, 4)


def test_empty_seeds_are_drawn_once_and_given_ones_kept():
    drawn = Sample().with_seeds(lambda: 11)
    assert drawn.seed == 11 and drawn.with_seeds(lambda: 12).seed == 11
    assert 0 <= Sample().with_seeds().seed <= 2**32 - 1
    assert Sample(seed=0).with_seeds(lambda: 5).seed == 0


def test_params_are_frozen():
    with pytest.raises(ValueError):
        Sample().steps = 3
