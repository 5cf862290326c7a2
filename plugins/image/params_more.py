"""What can be asked of a finished picture: enlarging it, editing it by instruction, making a control map of it.

Imports no torch.
"""

from typing import Annotated, Literal

from pydantic import Field

from studio.sdk.params import Density, InputFile, Item, Params, Prompt, Seed, Ui

from .params import Lora, Painting, Sampler, Schedule, Steered, slider

MAPS = ("canny", "depth", "pose", "scribble")
MOST_TILES = 10_000


class Tile(Item):
    """A tile that is painted already, by a job that this one goes on from."""

    picture: InputFile = Field(default="")


class Upscale(Params):
    """Larger: by a learned upscaler where one is given, else Lanczos; then, if asked, details painted anew."""

    prompt: Prompt = Field(
        default="", max_length=20_000, description="What is to be seen, for the details that are painted anew."
    )
    negative: Annotated[str, Ui(widget="text", group="Prompt")] = Field(
        default="", max_length=20_000, title="Negative prompt", description="What is not to be seen."
    )
    model: Annotated[str, Ui(widget="model", group="Model", choices_from="hub:text-to-image")] = Field(
        default="", description="The picture model that paints details; empty for the default one."
    )
    picture: Annotated[InputFile, Ui(widget="picture", group="Picture")] = Field(description="The picture to enlarge.")
    scale: Annotated[float, slider("Size", 1, 4, 0.25)] = Field(
        default=2.0, ge=1, le=8, description="Times its width and height."
    )
    upscaler: Annotated[str, Ui(widget="model", group="Size", choices_from="hub:upscaler")] = Field(
        default="", description="A learned upscaler (compact or RRDB); empty enlarges with Lanczos."
    )
    refine: Annotated[float, slider("Details", 0, 1)] = Field(
        default=0.3,
        ge=0,
        le=1,
        description="How much is painted anew in tiles; 0 leaves the enlarged picture as it is.",
    )
    steps: Annotated[int, Ui(group="Details", soft_min=1, soft_max=60)] = Field(
        default=20, ge=1, le=500, description="Denoising steps of a full pass; the refinement runs its share of them."
    )
    guidance: Annotated[float | None, slider("Details", 0, 15, 0.5)] = Field(
        default=None, ge=0, le=50, description="How closely the prompt is followed; empty takes what suits the model."
    )
    sampler: Annotated[Sampler, Ui(group="Details", density=Density.EXPERT)] = Field(
        default="auto", description="How the noise is taken away."
    )
    schedule: Annotated[Schedule, Ui(group="Details", density=Density.EXPERT)] = Field(
        default="auto", title="Noise schedule", description="How the noise levels are spread over the steps."
    )
    tile: Annotated[int, Ui(zero="auto", group="Tiles", unit="px", step=64, density=Density.EXPERT)] = Field(
        default=0, ge=0, le=4096, description="Size of a tile; 0: what the model was made for."
    )
    overlap: Annotated[int, Ui(zero="auto", group="Tiles", unit="px", step=8, density=Density.EXPERT)] = Field(
        default=0, ge=0, le=1024, description="How far tiles overlap; 0: a quarter of a tile."
    )
    loras: Annotated[list[Lora], Ui(group="LoRA", density=Density.EXPERT)] = Field(
        default_factory=list, max_length=16, title="LoRA", description="Adapters, each with its weight."
    )
    seed: Seed = Field(default=None, description="The same seed and settings give the same picture; empty draws one.")
    steering: Annotated[list[Steered], Ui(widget="hidden")] = Field(default_factory=list, max_length=1000)
    painted: Annotated[list[Tile], Ui(widget="hidden")] = Field(default_factory=list, max_length=MOST_TILES)
    """The first tiles of the picture, in order; painting goes on with the next one."""


class Edit(Painting):
    """A picture and a sentence: `make the sky red`."""

    model: Annotated[str, Ui(widget="model", group="Model", choices_from="hub:image-editing")] = Field(
        default="", description="A model that edits by instruction, such as Flux Kontext or Qwen-Image-Edit."
    )
    picture: Annotated[InputFile, Ui(widget="picture", group="Picture")] = Field(description="The picture to edit.")
    width: Annotated[int, Ui(zero="auto", group="Size", unit="px", step=8, density=Density.EXPERT)] = Field(
        default=0, ge=0, le=16384, description="0: the picture's own shape, at what the model was made for."
    )
    height: Annotated[int, Ui(zero="auto", group="Size", unit="px", step=8, density=Density.EXPERT)] = Field(
        default=0, ge=0, le=16384, description="0: the picture's own shape, at what the model was made for."
    )


class Map(Params):
    """A map for a ControlNet, made without one."""

    picture: Annotated[InputFile, Ui(widget="picture", group="Picture")] = Field(description="The picture.")
    map: Annotated[Literal[*MAPS], Ui(group="Map")] = Field(  # type: ignore[valid-type]
        default="canny", description="canny: edges; depth: near and far; pose: people's joints; scribble: rough lines."
    )
    model: Annotated[str, Ui(widget="model", group="Model", choices_from="hub:depth-estimation")] = Field(
        default="", description="For depth and pose: the model that sees it. canny and scribble need none."
    )
    low: Annotated[int, Ui(group="Map", soft_min=0, soft_max=255)] = Field(
        default=100, ge=0, le=255, title="Low threshold", description="Edges weaker than this are left out."
    )
    high: Annotated[int, Ui(group="Map", soft_min=0, soft_max=255)] = Field(
        default=200, ge=0, le=255, title="High threshold", description="Edges stronger than this begin a line."
    )
