"""What can be asked of a clip: from words, from a picture, or as a travel between prompts. Imports no torch."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from studio.sdk.params import Density, InputFile, Item, Params, Prompt, Seed, Ui

from .params import Lora, Sampler, Schedule, slider

Container = Literal["mp4", "webp"]
Expert = Density.EXPERT


class Clips(Params):
    """What all clips share."""

    prompt: Prompt = Field(default="", max_length=20_000, description="What happens in the clip.")
    negative: Annotated[str, Ui(widget="text", group="Prompt")] = Field(
        default="", max_length=20_000, title="Negative prompt", description="What is not to be seen."
    )
    model: Annotated[str, Ui(widget="model", group="Model", choices_from="hub:text-to-video")] = Field(
        default="", description="The video model; empty for the default one."
    )
    width: Annotated[int, Ui(zero="auto", group="Size", unit="px", step=16, soft_min=64, soft_max=1920)] = Field(
        default=0, ge=0, le=8192, description="0: what the model was made for."
    )
    height: Annotated[int, Ui(zero="auto", group="Size", unit="px", step=16, soft_min=64, soft_max=1920)] = Field(
        default=0, ge=0, le=8192, description="0: what the model was made for."
    )
    frames: Annotated[int, Ui(zero="auto", group="Clip", soft_min=1, soft_max=161)] = Field(
        default=0, ge=0, le=1000, description="Pictures in the clip; 0: what the model was made for."
    )
    fps: Annotated[int, Ui(zero="auto", group="Clip", unit="frames/s", soft_min=1, soft_max=60)] = Field(
        default=0, ge=0, le=120, title="Speed", description="Pictures a second; 0: what the model was made for."
    )
    container: Annotated[Container, Ui(group="Clip")] = Field(
        default="mp4", title="File", description="mp4 is small and plays everywhere; webp loops in any browser."
    )
    steps: Annotated[int, Ui(group="Sampling", soft_min=1, soft_max=60)] = Field(
        default=30, ge=1, le=500, description="Denoising steps."
    )
    guidance: Annotated[float | None, slider("Sampling", 0, 15, 0.5)] = Field(
        default=None, ge=0, le=50, description="How closely the prompt is followed; empty takes what suits the model."
    )
    shift: Annotated[float | None, slider("Sampling", 0.5, 12, 0.1, density=Expert)] = Field(
        default=None, gt=0, le=30, description="Shift of the schedule towards high noise; empty: the model's own."
    )
    loras: Annotated[list[Lora], Ui(group="LoRA", density=Expert)] = Field(
        default_factory=list, max_length=16, title="LoRA", description="Adapters, each with its weight."
    )
    seed: Seed = Field(default=None, description="The same seed and settings give the same clip; empty draws one.")


class Clip(Clips):
    """Text to video."""


class Animate(Clips):
    """Image to video."""

    model: Annotated[str, Ui(widget="model", group="Model", choices_from="hub:image-to-video")] = Field(
        default="", description="The video model; empty for the default one."
    )
    picture: Annotated[InputFile, Ui(widget="picture", group="Picture")] = Field(description="The first picture.")


class Stop(Item):
    """A place that the travel passes."""

    prompt: str = Field(default="", max_length=20_000, description="What is to be seen there.")
    seed: Annotated[int | None, Ui(widget="seed")] = Field(
        default=None, ge=0, le=2**32 - 1, description="Its seed; empty: the clip's own."
    )
    frames: int = Field(default=12, ge=1, le=500, description="Pictures on the way to the next stop.")


class Travel(Params):
    """Interpolates prompts (their embeddings, linearly) and seeds (their noise, on the sphere) between stops."""

    stops: Annotated[list[Stop], Ui(group="Stops")] = Field(
        max_length=32, description="At least two places; the clip glides from each to the next."
    )
    negative: Annotated[str, Ui(widget="text", group="Prompt")] = Field(
        default="", max_length=20_000, title="Negative prompt", description="What is not to be seen."
    )
    model: Annotated[str, Ui(widget="model", group="Model", choices_from="hub:text-to-image")] = Field(
        default="", description="The picture model; empty for the default one."
    )
    loop: Annotated[bool, Ui(group="Clip")] = Field(
        default=False, description="Glide back from the last stop to the first."
    )
    ease: Annotated[Literal["linear", "smooth"], Ui(group="Clip", density=Expert)] = Field(
        default="smooth", description="smooth: slow at the stops, quick between them."
    )
    fps: Annotated[int, Ui(group="Clip", unit="frames/s", soft_min=1, soft_max=60)] = Field(
        default=12, ge=1, le=120, title="Speed", description="Pictures a second."
    )
    container: Annotated[Container, Ui(group="Clip")] = Field(
        default="mp4", title="File", description="mp4 is small and plays everywhere; webp loops in any browser."
    )
    width: Annotated[int, Ui(zero="auto", group="Size", unit="px", step=8, soft_min=64, soft_max=2048)] = Field(
        default=0, ge=0, le=8192, description="0: what the model was made for."
    )
    height: Annotated[int, Ui(zero="auto", group="Size", unit="px", step=8, soft_min=64, soft_max=2048)] = Field(
        default=0, ge=0, le=8192, description="0: what the model was made for."
    )
    steps: Annotated[int, Ui(group="Sampling", soft_min=1, soft_max=60)] = Field(
        default=20, ge=1, le=500, description="Denoising steps of each picture."
    )
    guidance: Annotated[float | None, slider("Sampling", 0, 15, 0.5)] = Field(
        default=None, ge=0, le=50, description="How closely the prompt is followed; empty takes what suits the model."
    )
    sampler: Annotated[Sampler, Ui(group="Sampling")] = Field(
        default="auto", description="How the noise is taken away; one without fresh noise glides best."
    )
    schedule: Annotated[Schedule, Ui(group="Sampling", density=Expert)] = Field(
        default="auto", title="Noise schedule", description="How the noise levels are spread over the steps."
    )
    clip_skip: Annotated[int, Ui(group="Model", density=Expert)] = Field(
        default=0, ge=0, le=11, title="CLIP skip", description="Leave out this many last layers of the text encoder."
    )
    loras: Annotated[list[Lora], Ui(group="LoRA", density=Expert)] = Field(
        default_factory=list, max_length=16, title="LoRA", description="Adapters, each with its weight."
    )
    at_once: Annotated[int, Ui(zero="auto", group="Sampling", density=Expert)] = Field(
        default=0, ge=0, le=64, title="At once", description="Pictures painted together; 0: as many as fit."
    )
    seed: Seed = Field(default=None, description="The same seed and settings give the same clip; empty draws one.")

    @field_validator("stops")
    @classmethod
    def _are_two(cls, stops: list[Stop]) -> list[Stop]:
        if len(stops) < 2:
            raise ValueError("a travel needs at least two stops")
        if sum(stop.frames for stop in stops) > 2000:
            raise ValueError("the clip would have more than 2,000 pictures")
        return stops
