"""In which chat format a model is asked, for every operation that asks it like that. Imports no torch."""

from typing import Annotated, Literal

from pydantic import Field

from studio.sdk.params import Density, Params, Ui


class FormatParams(Params):
    """A mixin."""

    thinking: Annotated[Literal["auto", "on", "off"], Ui(group="Template", density=Density.EXPERT)] = Field(
        default="auto", description="For models that can think aloud before they answer: whether they do."
    )
    template: Annotated[str, Ui(group="Template", density=Density.EXPERT, widget="text")] = Field(
        default="",
        max_length=200_000,
        title="Chat template",
        description="A chat template (Jinja) in place of the model's own; the word plain takes a plain format.",
    )
