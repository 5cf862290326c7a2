"""What can be asked when a picture is painted: creating, transforming, repainting, extending. Imports no torch.

Owns the fields that every painting operation shares (Painting) and the small items in its lists.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from studio.sdk.params import Density, InputFile, Item, Params, Prompt, Seed, Ui

from .sampler_table import SAMPLERS, SCHEDULES

MOST = 64
"""Pictures of one job."""

if TYPE_CHECKING:
    Sampler = Schedule = str
else:
    Sampler = Literal["auto", *SAMPLERS]
    Schedule = Literal["auto", *SCHEDULES]
Expert = Density.EXPERT


def slider(group: str, low: float, high: float, step: float = 0.01, density: Density = Density.SIMPLE) -> Ui:
    """A slider in `group`; low and high are the range that the handle covers."""
    return Ui(group=group, density=density, widget="slider", step=step, soft_min=low, soft_max=high)


class Lora(Item):
    """An adapter on top of the model."""

    model: Annotated[str, Ui(widget="model", choices_from="hub:adapter")] = Field(
        default="", description="The LoRA; it must be made for the same family of models."
    )
    weight: Annotated[float, slider("", -1, 2, 0.05)] = Field(
        default=1.0, ge=-4, le=4, description="How strongly it acts; 0 is not at all, negative is its opposite."
    )


class Inversion(Item):
    """A word whose meaning is learned: a textual inversion."""

    model: Annotated[str, Ui(widget="model", choices_from="hub:embedding")] = Field(
        default="", description="The file with the learned word."
    )
    word: str = Field(
        default="", max_length=100, description="How to write it in the prompt; empty takes the file's own word."
    )


class Control(Item):
    """A ControlNet with the map that guides it."""

    model: Annotated[str, Ui(widget="model", choices_from="hub:controlnet")] = Field(
        default="", description="The ControlNet; it must be made for the same family of models."
    )
    picture: Annotated[InputFile, Ui(widget="picture")] = Field(
        default="", description="The map itself, or the picture that it is made from."
    )
    map: Literal["given", "canny", "depth", "pose", "scribble"] = Field(
        default="given", description="given: the picture is the map already; else the map is made from it."
    )
    reader: Annotated[str, Ui(widget="model", choices_from="hub:depth-estimation")] = Field(
        default="", title="Seen by", description="For depth and pose: the model that sees it in the picture."
    )
    weight: Annotated[float, slider("", 0, 2, 0.05)] = Field(
        default=1.0, ge=0, le=3, description="How strictly the map is followed."
    )
    start: Annotated[float, slider("", 0, 1)] = Field(
        default=0.0, ge=0, le=1, description="From which share of the steps on it acts."
    )
    end: Annotated[float, slider("", 0, 1)] = Field(
        default=1.0, ge=0, le=1, description="Up to which share of the steps it acts."
    )


class Reference(Item):
    """A picture to take content or style from, through an IP-Adapter or the model itself."""

    model: Annotated[str, Ui(widget="model", choices_from="hub:ip-adapter")] = Field(
        default="", description="The IP-Adapter; empty for models that read reference pictures themselves."
    )
    picture: Annotated[InputFile, Ui(widget="picture")] = Field(default="", description="The reference picture.")
    weight: Annotated[float, slider("", 0, 2, 0.05)] = Field(
        default=0.6, ge=0, le=2, description="How strongly it is followed."
    )


class Region(Item):
    """A prompt for one part of the picture. Edges are shares of its width and height."""

    prompt: str = Field(default="", max_length=4000, description="What is to be seen there.")
    left: Annotated[float, slider("", 0, 1)] = Field(default=0.0, ge=0, le=1, description="Left edge.")
    top: Annotated[float, slider("", 0, 1)] = Field(default=0.0, ge=0, le=1, description="Upper edge.")
    right: Annotated[float, slider("", 0, 1)] = Field(default=0.5, ge=0, le=1, description="Right edge.")
    bottom: Annotated[float, slider("", 0, 1)] = Field(default=1.0, ge=0, le=1, description="Lower edge.")
    weight: Annotated[float, slider("", 0, 2, 0.05)] = Field(
        default=1.0, ge=0, le=4, description="How much it counts beside the whole picture's prompt."
    )

    @model_validator(mode="after")
    def _has_an_area(self) -> "Region":
        if self.left >= self.right or self.top >= self.bottom:
            raise ValueError("the region is empty: left must be less than right, top less than bottom")
        return self


class Steered(Item):
    """What was done to one picture of the batch while it was painted; kept, so that a repeat does it too."""

    step: int = Field(ge=0)
    item: int = Field(ge=0)
    do: Literal["stop", "drop", "save"] = "stop"


class Painting(Params):
    """What all painting operations share. A field that a family of models cannot use is refused in words
    where it would change the picture, and noted as ignored where it would not."""

    prompt: Prompt = Field(
        default="", max_length=20_000,
        description="What is to be seen. (word:1.2) strengthens, [word] weakens, BREAK begins a new chunk, "
        "{a|b} chooses, __name__ takes a line of a wildcards file.",
    )  # fmt: skip
    negative: Annotated[str, Ui(widget="text", group="Prompt")] = Field(
        default="", max_length=20_000, title="Negative prompt", description="What is not to be seen."
    )
    model: Annotated[str, Ui(widget="model", group="Model", choices_from="hub:text-to-image")] = Field(
        default="", description="The picture model; empty for the default one."
    )
    expand: Annotated[Literal["random", "all"], Ui(group="Prompt", density=Expert)] = Field(
        default="random",
        title="Choices in the prompt",
        description="random: each picture draws its own by its seed; all: one picture for every combination.",
    )
    count: Annotated[int, Ui(group="Pictures", soft_min=1, soft_max=16)] = Field(
        default=1, ge=1, le=MOST, title="Pictures", description="How many pictures, each with a seed of its own."
    )
    steps: Annotated[int, Ui(group="Sampling", soft_min=1, soft_max=60)] = Field(
        default=25, ge=1, le=500, description="Denoising steps: more is slower and, up to a point, finer."
    )
    guidance: Annotated[float | None, slider("Sampling", 0, 15, 0.5)] = Field(
        default=None,
        ge=0,
        le=50,
        description="How closely the prompt is followed (CFG); empty takes what suits the model.",
    )
    sampler: Annotated[Sampler, Ui(group="Sampling")] = Field(
        default="auto", description="How the noise is taken away; auto takes the model's own."
    )
    schedule: Annotated[Schedule, Ui(group="Sampling", density=Expert)] = Field(
        default="auto", title="Noise schedule", description="How the noise levels are spread over the steps."
    )
    eta: Annotated[float | None, slider("Sampling", 0, 1, density=Expert)] = Field(
        default=None, ge=0, le=1, description="Fresh noise at each step, for the samplers that know it (DDIM, TCD)."
    )
    shift: Annotated[float | None, slider("Sampling", 0.5, 12, 0.1, density=Expert)] = Field(
        default=None, gt=0, le=30, description="Shift of a flow model's schedule towards high noise; empty: its own."
    )
    seed: Seed = Field(default=None, description="The same seed and settings give the same pictures; empty draws one.")
    variation_seed: Annotated[int | None, Ui(widget="seed", group="Seed", density=Expert)] = Field(
        default=None, ge=0, le=2**32 - 1, description="A second seed to lean towards; empty draws one."
    )
    variation: Annotated[float, slider("Seed", 0, 1, density=Expert)] = Field(
        default=0.0, ge=0, le=1, description="How far each picture leans from the seed's noise to the variation seed's."
    )
    loras: Annotated[list[Lora], Ui(group="LoRA")] = Field(
        default_factory=list, max_length=16, title="LoRA", description="Adapters, each with its weight."
    )
    inversions: Annotated[list[Inversion], Ui(group="Learned words", density=Expert)] = Field(
        default_factory=list, max_length=16, title="Learned words", description="Textual inversions for the prompt."
    )
    controls: Annotated[list[Control], Ui(group="Control")] = Field(
        default_factory=list, max_length=4, title="Control", description="ControlNets with their maps."
    )
    references: Annotated[list[Reference], Ui(group="Reference pictures", density=Expert)] = Field(
        default_factory=list, max_length=4, title="Reference pictures", description="Pictures to lean on."
    )
    regions: Annotated[list[Region], Ui(group="Regions", density=Expert)] = Field(
        default_factory=list, max_length=8, title="Regions", description="Prompts for parts of the picture."
    )
    clip_skip: Annotated[int, Ui(group="Model", density=Expert)] = Field(
        default=0, ge=0, le=11, title="CLIP skip", description="Leave out this many last layers of the text encoder."
    )
    preview_by: Annotated[str, Ui(widget="model", group="Model", density=Expert, choices_from="hub:preview-vae")] = (
        Field(
            default="",
            title="Preview decoder",
            description="A tiny autoencoder (TAESD and its kin) for finer previews, as often as a small share of the "
            "time allows.",
        )
    )
    quantised: Annotated[Literal["none", "int8", "int4"], Ui(group="Model", density=Expert)] = Field(
        default="none",
        title="Weights",
        description="none: as the files store them; int8, int4: in fewer bits, which takes a quarter to an eighth of "
        "the memory, where bitsandbytes or torchao is installed.",
    )
    at_once: Annotated[int, Ui(zero="auto", group="Pictures", density=Expert)] = Field(
        default=0, ge=0, le=MOST, title="At once", description="Pictures painted together; 0: as many as fit."
    )
    expanded: Annotated[list[str], Ui(widget="hidden")] = Field(default_factory=list, max_length=MOST)
    """The prompts that `prompt` was expanded to; a recipe keeps them, so that a repeat needs no wildcards files."""

    steering: Annotated[list[Steered], Ui(widget="hidden")] = Field(default_factory=list, max_length=1000)
    start_latents: Annotated[InputFile, Ui(widget="hidden")] = Field(default="")
    """Latents of one picture between two steps (see steps.py); painting goes on from there."""

    @field_validator("prompt", "negative")
    @classmethod
    def _no_nul(cls, text: str) -> str:
        if "\0" in text:
            raise ValueError(f"it holds a NUL character at position {text.index(chr(0))}, which is no text")
        return text


class Sized(Painting):
    width: Annotated[int, Ui(zero="auto", group="Size", unit="px", step=8, soft_min=64, soft_max=2048)] = Field(
        default=0, ge=0, le=16384, description="0: what the model was made for."
    )
    height: Annotated[int, Ui(zero="auto", group="Size", unit="px", step=8, soft_min=64, soft_max=2048)] = Field(
        default=0, ge=0, le=16384, description="0: what the model was made for."
    )


class Generate(Sized):
    """Text to image, with a second, larger pass when asked."""

    hires: Annotated[float, slider("Second pass", 1, 4, 0.25, Expert)] = Field(
        default=1.0, ge=1, le=4, title="Second pass", description="Paint once more at this many times the size; 1: no."
    )
    hires_strength: Annotated[float, slider("Second pass", 0, 1, density=Expert)] = Field(
        default=0.5, gt=0, le=1, title="Its strength", description="How much of it the second pass paints anew."
    )
    hires_steps: Annotated[int, Ui(zero="same", group="Second pass", density=Expert)] = Field(
        default=0, ge=0, le=500, title="Its steps", description="Denoising steps of the second pass; 0: as the first."
    )
    hires_by: Annotated[Literal["latent", "lanczos"], Ui(group="Second pass", density=Expert)] = Field(
        default="lanczos", title="Enlarged as", description="latent: the model's own picture; lanczos: pixels."
    )


class Transform(Sized):
    """Image to image. Size 0: the picture's own, made to fit the model."""

    picture: Annotated[InputFile, Ui(widget="picture", group="Picture")] = Field(
        description="The picture to begin with."
    )
    strength: Annotated[float, slider("Picture", 0, 1)] = Field(
        default=0.6, gt=0, le=1, description="How far the result may go from the picture; 1 keeps nothing of it."
    )


class Inpaint(Painting):
    """Repaint what is under the mask; every other pixel stays as it is."""

    picture: Annotated[InputFile, Ui(widget="picture", group="Picture")] = Field(description="The picture.")
    mask: Annotated[InputFile, Ui(widget="mask", group="Picture")] = Field(
        description="White is painted anew, black is kept; of the picture's size."
    )
    strength: Annotated[float, slider("Picture", 0, 1)] = Field(
        default=0.9, gt=0, le=1, description="How far the repainted part may go from what was there."
    )
    grow: Annotated[int, Ui(group="Mask", unit="px", soft_min=-64, soft_max=64)] = Field(
        default=4, ge=-512, le=512, description="Make the mask larger (or smaller) on every side."
    )
    feather: Annotated[int, Ui(group="Mask", unit="px", soft_min=0, soft_max=64)] = Field(
        default=8, ge=0, le=512, description="Soften the mask's edge over this many pixels."
    )
    context: Annotated[int, Ui(group="Mask", unit="px", soft_min=0, soft_max=512)] = Field(
        default=64, ge=0, le=4096, description="How much around the mask the model sees."
    )
    whole: Annotated[bool, Ui(group="Mask", density=Expert)] = Field(
        default=False, title="Whole picture", description="Paint at the whole picture's scale instead of cropping."
    )
    fill: Annotated[Literal["original", "blur", "noise", "grey"], Ui(group="Mask", density=Expert)] = Field(
        default="original", description="What lies under the mask before painting begins."
    )


class Outpaint(Painting):
    """Paint on beyond the edges: pixels to add on each side."""

    picture: Annotated[InputFile, Ui(widget="picture", group="Picture")] = Field(description="The picture.")
    left: Annotated[int, Ui(group="Frame", unit="px", step=8)] = Field(default=0, ge=0, le=8192, description="Left.")
    top: Annotated[int, Ui(group="Frame", unit="px", step=8)] = Field(default=0, ge=0, le=8192, description="Above.")
    right: Annotated[int, Ui(group="Frame", unit="px", step=8)] = Field(default=64, ge=0, le=8192, description="Right.")
    bottom: Annotated[int, Ui(group="Frame", unit="px", step=8)] = Field(default=0, ge=0, le=8192, description="Below.")
    feather: Annotated[int, Ui(group="Frame", unit="px", soft_max=64)] = Field(
        default=16, ge=0, le=512, description="How far the new part blends into the old."
    )
    fill: Annotated[Literal["edge", "blur", "noise", "grey"], Ui(group="Frame", density=Expert)] = Field(
        default="blur", description="What the new part holds before painting begins."
    )
    strength: Annotated[float, slider("Frame", 0, 1, density=Expert)] = Field(
        default=1.0, gt=0, le=1, description="How far the new part may go from what it was filled with."
    )
