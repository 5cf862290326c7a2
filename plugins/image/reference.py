"""Reference pictures: through IP-Adapters on the UNet families, or read by models that look at pictures themselves.

Owns `referred`. H. Ye et al., "IP-Adapter: Text Compatible Image Prompt Adapter", arXiv:2308.06721. Its attention
processors and its projection are put on the shared UNet while the job computes, and taken off again.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from PIL import Image
from torch import nn

from studio.errors import StudioError
from studio.sdk.operation import JobContext

from .params import Reference
from .pictures import read_picture
from .reference_files import AdapterWeights, Encoder, encoder_for, misfit, read, read_encoder

KEPT = 2
"""Stacks of IP-Adapters that stay ready beside a model."""
ADAPTED = ("sd15", "sdxl")
SEVERAL = ("flux2",)
"""Families that read several pictures beside the prompt."""


@dataclass(frozen=True)
class Referred:
    """What the pipeline is given for the references. looks: the model reads `call["image"]` itself."""

    call: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)
    looks: bool = False


@contextlib.contextmanager
def referred(
    loaded: Any, ctx: JobContext, references: Sequence[Reference], picture: Image.Image | None = None
) -> Iterator[Referred]:
    """The references of a job. picture: the one that is edited, for models that read references beside it."""
    for reference in references:
        if not reference.picture:
            raise StudioError(
                "A reference has no picture", "", "Choose one, or remove the reference.", code="reference"
            )
    acting = [reference for reference in references if reference.weight]
    if not acting:
        yield Referred()
    elif any(not reference.model for reference in acting):
        yield _looked_at(loaded, ctx, acting, picture)
    else:
        with _adapted(loaded, ctx, acting) as found:
            yield found


def _looked_at(loaded: Any, ctx: JobContext, references: list[Reference], picture: Image.Image | None) -> Referred:
    family = loaded.family
    if any(reference.model for reference in references):
        raise StudioError(
            "References of two kinds do not go together",
            "Some name an IP-Adapter and some none.",
            "Choose an IP-Adapter for each, or for none of them.",
            code="reference",
        )
    if "edit" not in family.pipelines:
        raise StudioError(
            f"{family.title} does not look at pictures by itself",
            f"{loaded.info.id} needs an IP-Adapter to follow a reference picture.",
            "Choose an IP-Adapter for it, or a model such as Flux 2, Flux Kontext or Qwen-Image-Edit.",
            code="reference",
        )
    pictures = [read_picture(ctx.input(reference.picture), "reference picture") for reference in references]
    shown = [picture, *pictures] if picture is not None else pictures
    if len(shown) == 1:
        return Referred({"image": shown[0]}, looks=True)
    if family.id not in SEVERAL and "Plus" not in family.pipelines["edit"]:
        raise StudioError(
            f"{family.title} looks at one picture only",
            f"{len(shown)} are given.",
            "Remove the others, or choose a model that reads several, such as Flux 2 or Qwen-Image-Edit-Plus.",
            code="reference",
        )
    return Referred({"image": shown}, looks=True)


@contextlib.contextmanager
def _adapted(loaded: Any, ctx: JobContext, references: list[Reference]) -> Iterator[Referred]:
    if loaded.family.id not in ADAPTED:
        raise StudioError(
            f"{loaded.family.title} takes no IP-Adapter here",
            f"{loaded.info.id} is of that family; IP-Adapters are for Stable Diffusion 1.5 and XL.",
            "Remove the IP-Adapter, or choose another model.",
            code="reference",
        )
    with contextlib.ExitStack() as stack:
        weights = [stack.enter_context(ctx.models.use(r.model, read, key="ip-adapter")) for r in references]
        encoder = _encoder(loaded, ctx, references, weights, stack)
        ready = _ready(loaded, weights)
        switch = _Switch(loaded.parts["unet"], ready, [float(reference.weight) for reference in references])
        stack.enter_context(ctx.around_baton(switch.on, switch.off))
        pictures = [read_picture(ctx.input(reference.picture), "reference picture") for reference in references]
        yield Referred(
            {"ip_adapter_image": pictures},
            {"image_encoder": encoder.model, "feature_extractor": encoder.processor},
        )


def _encoder(
    loaded: Any,
    ctx: JobContext,
    references: list[Reference],
    weights: list[AdapterWeights],
    stack: contextlib.ExitStack,
) -> Encoder:
    """The one image encoder that all of them read by: a pipeline has room for one."""
    folders = {encoder_for(found) for found in weights}
    if len({(found.reads, found.pooled) for found in weights}) > 1 and len(folders) > 1:
        raise StudioError(
            "These IP-Adapters need different image encoders",
            ", ".join(sorted({found.id for found in weights})) + ".",
            "Use those that were made for the same image encoder together.",
            code="reference",
        )
    folder = sorted(folders)[0]

    def load(info: Any) -> Encoder:
        ctx.stage(f"Loading the image encoder of {info.id}")
        return read_encoder(folder, loaded.device, loaded.dtype)

    return stack.enter_context(ctx.models.use(references[0].model, load, key=f"image-encoder-{folder}-{ctx.dtype}"))


@dataclass(frozen=True)
class _Ready:
    """The modules of a stack of IP-Adapters for one UNet: {layer: processor} of cross-attention, and projection."""

    processors: dict[str, nn.Module]
    projection: nn.Module


def _ready(loaded: Any, weights: list[AdapterWeights]) -> _Ready:
    """Made once for a stack and kept beside the model."""
    kept: dict[tuple[str, ...], _Ready] = loaded.kept.setdefault("references", {})
    names = tuple(found.name for found in weights)
    ready = kept.pop(names, None) or _made(loaded, weights)
    kept[names] = ready
    while len(kept) > KEPT:
        del kept[next(iter(kept))]
    return ready


def _made(loaded: Any, weights: list[AdapterWeights]) -> _Ready:
    from diffusers.models.embeddings import MultiIPAdapterImageProjection

    unet = loaded.parts["unet"]
    for found in weights:
        if found.text_width != unet.config.cross_attention_dim:
            why = f"It was made for text of width {found.text_width}; the model's is {unet.config.cross_attention_dim}."
            raise misfit(found, loaded, why)
    states = [found.tensors() for found in weights]
    with torch.inference_mode(False), torch.no_grad():
        try:
            made = unet._convert_ip_adapter_attn_to_diffusers(states, low_cpu_mem_usage=False)
            projections = [
                unet._convert_ip_adapter_image_proj_to_diffusers(state["image_proj"], low_cpu_mem_usage=False)
                for state in states
            ]
        except (KeyError, RuntimeError, ValueError) as error:
            raise misfit(weights[0], loaded, " ".join(str(error).split())[:300]) from None
        processors = {name: module for name, module in made.items() if isinstance(module, nn.Module)}
        projection = MultiIPAdapterImageProjection(projections)
        for module in (*processors.values(), projection):
            module.to(device=loaded.device, dtype=loaded.dtype).eval().requires_grad_(False)
    return _Ready(processors, projection)


class _Switch:
    """Puts a stack on the UNet and takes it off, leaving the very objects that were there."""

    def __init__(self, unet: Any, ready: _Ready, weights: list[float]):
        self._unet, self._ready, self._weights = unet, ready, weights
        self._before: tuple[dict[str, Any], Any, Any] | None = None

    def on(self) -> None:
        unet = self._unet
        before = unet.attn_processors
        self._before = before, unet.encoder_hid_proj, unet.config.encoder_hid_dim_type
        for processor in self._ready.processors.values():
            processor.scale = list(self._weights)  # type: ignore[assignment]
        unet.set_attn_processor({**before, **self._ready.processors})
        unet.encoder_hid_proj = self._ready.projection
        unet.config.encoder_hid_dim_type = "ip_image_proj"

    def off(self) -> None:
        assert self._before is not None
        processors, projection, kind = self._before
        self._unet.encoder_hid_proj = None  # first: it has attention processors of its own
        self._unet.set_attn_processor(dict(processors))
        self._unet.encoder_hid_proj = projection
        self._unet.config.encoder_hid_dim_type = kind
