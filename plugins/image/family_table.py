"""The families of picture and video models: what each is and what can be asked of it. Data; imports no torch.

Owns Family and the table. Sources of numbers: the pipelines' own defaults in diffusers and the model cards of
their makers. `families.py` says which row a model belongs to and how its own configuration changes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import sqrt

from .sampler_table import samplers_for, schedules_for

SHAPES = ((1, 1), (4, 3), (3, 4), (3, 2), (2, 3), (16, 9), (9, 16))


@dataclass(frozen=True)
class Family:
    """One family. Sizes in pixels.

    pipelines: use -> diffusers class; a use that is missing cannot be asked. uses: "text", "image", "inpaint",
    "control", "control-image", "control-inpaint", "edit", "video", "image-video".
    prediction: "noise", "velocity" or "flow". guided: "cfg" (a second run with the negative prompt), "distilled"
    (the scale is an input of the network) or "none"; guidance_name: the pipeline argument that carries it.
    multiple: width and height are multiples of it. latent_scale: pixels per latent, on each side.
    network: name of the part that denoises. control_class: the class of its ControlNets, "" without any.
    frames, frame_step, fps: of clips; frames are a multiple of frame_step plus one.
    fixed: of one model: why its weights cannot be loaded in fewer bits, as a sentence; "" where they can.
    """

    id: str
    title: str
    pipelines: Mapping[str, str]
    prediction: str = "noise"
    multiple: int = 8
    native: int = 512
    sizes: tuple[tuple[int, int], ...] = ()
    latent_channels: int = 4
    latent_scale: int = 8
    guidance: float | None = 7.5
    guided: str = "cfg"
    guidance_name: str = "guidance_scale"
    steps: int = 25
    negative: bool = True
    weights: bool = False
    clip_skip: bool = False
    inversions: bool = False
    controls: bool = False
    references: bool = False
    loras: bool = True
    regions: bool = False
    network: str = "transformer"
    control_class: str = ""
    shifts: bool = False
    frames: int = 0
    frame_step: int = 1
    fps: int = 0
    fixed: str = ""
    samplers: tuple[str, ...] = field(default=())
    schedules: tuple[str, ...] = field(default=())

    @property
    def uses(self) -> tuple[str, ...]:
        return tuple(self.pipelines)


def shaped(native: int, multiple: int) -> tuple[tuple[int, int], ...]:
    """Sizes of about native x native pixels in the usual shapes, each a multiple of `multiple`."""
    step = max(multiple, 64) if native >= 512 else multiple
    found: list[tuple[int, int]] = []
    for wide, high in SHAPES:
        side = native / sqrt(wide * high)
        size = (max(step, round(side * wide / step) * step), max(step, round(side * high / step) * step))
        if size not in found:
            found.append(size)
    return tuple(found)


def complete(family: Family) -> Family:
    """With what follows from its other values."""
    known = family.samplers or samplers_for(family.prediction)
    goes = {name for sampler in known for name in schedules_for(sampler, family.prediction)}
    if family.id not in ("sd15", "sd2", "sdxl"):
        goes.discard("ays")  # its tables are measured for these networks (arXiv:2404.14507)
    order = schedules_for("auto", family.prediction)
    schedules = (*(name for name in order if name in goes), *sorted(goes.difference(order)))
    sizes = family.sizes or shaped(family.native, family.multiple)
    return replace(family, samplers=known, schedules=schedules, sizes=sizes, shifts=family.prediction == "flow")


def _uses(stem: str, **more: str) -> dict[str, str]:
    return {
        "text": f"{stem}Pipeline",
        "image": f"{stem}Img2ImgPipeline",
        "inpaint": f"{stem}InpaintPipeline",
        **more,
    }


def _controlled(stem: str) -> dict[str, str]:
    return _uses(
        stem,
        **{
            "control": f"{stem}ControlNetPipeline",
            "control-image": f"{stem}ControlNetImg2ImgPipeline",
            "control-inpaint": f"{stem}ControlNetInpaintPipeline",
        },
    )


SD15 = Family(
    "sd15", "Stable Diffusion 1.5", _controlled("StableDiffusion"), weights=True, clip_skip=True, inversions=True,
    controls=True, references=True, regions=True, network="unet", control_class="ControlNetModel",
)  # fmt: skip
SD2 = replace(SD15, id="sd2", title="Stable Diffusion 2", native=768, references=False)
SDXL = replace(
    SD15, id="sdxl", title="Stable Diffusion XL", pipelines=_controlled("StableDiffusionXL"), native=1024, guidance=5.0
)
SD3 = Family(
    "sd3", "Stable Diffusion 3",
    _uses("StableDiffusion3", control="StableDiffusion3ControlNetPipeline"),
    prediction="flow", multiple=16, native=1024, latent_channels=16, guidance=5.0, steps=28, weights=True,
    clip_skip=True, controls=True, control_class="SD3ControlNetModel",
)  # fmt: skip
FLUX = Family(
    "flux", "Flux 1", _controlled("Flux"), prediction="flow", multiple=16, native=1024, latent_channels=16,
    guidance=3.5, guided="distilled", steps=28, negative=False, controls=True,
    control_class="FluxControlNetModel",
)  # fmt: skip
KONTEXT = replace(
    FLUX, id="flux-kontext", title="Flux Kontext", control_class="", controls=False, references=False, guidance=2.5,
    pipelines={"text": "FluxKontextPipeline", "edit": "FluxKontextPipeline", "inpaint": "FluxKontextInpaintPipeline"},
)  # fmt: skip
FLUX2 = Family(
    "flux2", "Flux 2",
    {"text": "Flux2KleinPipeline", "edit": "Flux2KleinPipeline", "inpaint": "Flux2KleinInpaintPipeline"},
    prediction="flow", multiple=16, native=1024, latent_channels=32, guidance=4.0, steps=28, references=True,
)  # fmt: skip
Z_IMAGE = Family(
    "z-image", "Z-Image", _uses("ZImage"), prediction="flow", multiple=16, native=1024, latent_channels=16,
    guidance=4.0, steps=28,
)  # fmt: skip
QWEN_IMAGE = Family(
    "qwen-image", "Qwen-Image",
    _uses("QwenImage", control="QwenImageControlNetPipeline"),
    prediction="flow", multiple=16, native=1328, latent_channels=16, guidance=4.0, guidance_name="true_cfg_scale",
    steps=30, controls=True, control_class="QwenImageControlNetModel",
    sizes=((1328, 1328), (1472, 1104), (1104, 1472), (1584, 1056), (1056, 1584), (1664, 928), (928, 1664)),
)  # fmt: skip
QWEN_EDIT = replace(
    QWEN_IMAGE, id="qwen-image-edit", title="Qwen-Image-Edit", native=1024, sizes=(), controls=False,
    control_class="", pipelines={"edit": "QwenImageEditPipeline", "inpaint": "QwenImageEditInpaintPipeline"},
)  # fmt: skip
WAN = Family(
    "wan", "Wan", {"video": "WanPipeline"}, prediction="flow", multiple=16, native=640, latent_channels=16,
    guidance=5.0, steps=30, frames=81, frame_step=4, fps=16,
    sizes=((832, 480), (480, 832), (624, 624), (1280, 720), (720, 1280), (960, 960)),
)  # fmt: skip
LTX = Family(
    "ltx", "LTX Video", {"video": "LTXPipeline", "image-video": "LTXImageToVideoPipeline"}, prediction="flow",
    multiple=32, native=608, latent_channels=128, latent_scale=32, guidance=3.0, steps=30, frames=97, frame_step=8,
    fps=24, sizes=((704, 512), (512, 704), (608, 608), (768, 512), (1216, 704), (704, 1216)),
)  # fmt: skip
CHROMA = replace(
    FLUX, id="chroma", title="Chroma", pipelines={"text": "ChromaPipeline", "image": "ChromaImg2ImgPipeline"},
    guided="cfg", negative=True, guidance=5.0, controls=False, references=False, control_class="",
)  # fmt: skip

TABLE: dict[str, Family] = {
    family.id: complete(family)
    for family in (SD15, SD2, SDXL, SD3, FLUX, KONTEXT, FLUX2, Z_IMAGE, QWEN_IMAGE, QWEN_EDIT, WAN, LTX, CHROMA)
}

FLUX2_DEV = {"text": "Flux2Pipeline", "edit": "Flux2Pipeline"}
QWEN_EDIT_PLUS = {"edit": "QwenImageEditPlusPipeline"}
WAN_IMAGE = {"image-video": "WanImageToVideoPipeline"}
"""Pipelines of other members of these families."""

CLASSES: dict[str, str] = {name: family.id for family in TABLE.values() for name in family.pipelines.values()} | {
    "StableDiffusionPipeline": "sd15",
    "LatentConsistencyModelPipeline": "sd15",
    "FluxKontextPipeline": "flux-kontext",
    "Flux2Pipeline": "flux2",
    "QwenImageEditPlusPipeline": "qwen-image-edit",
    "WanImageToVideoPipeline": "wan",
    "StableDiffusionControlNetPipeline": "sd15",
}
for _shared in ("Img2Img", "Inpaint", "ControlNet", "ControlNetImg2Img", "ControlNetInpaint"):
    CLASSES[f"StableDiffusion{_shared}Pipeline"] = "sd15"  # the same classes serve Stable Diffusion 2
"""Pipeline class of model_index.json -> family. What one network cannot do (a UNet of 9 channels that only
repaints) is taken from the row by `families.py`."""
