"""Video models: denoising a clip step by step, and decoding its latents, tiled when memory is short.

Owns Shot, `shoot` and `frames_for`, and what Wan and LTX do differently. Latents are (1, C, F, h, w); pictures come
out as Pillow RGB.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import diffusers
import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from studio.errors import StudioError
from studio.sdk.operation import JobContext

from .clip_previews import ClipPreviewer
from .conditioning import Words
from .decoding import broken, free, in_float32, out_of_memory, room, tiled
from .denoise_hold import hold
from .loading import Loaded

MEANS = ("latents_mean", "latents_std")
TILED = "tiled VAE"


@dataclass(frozen=True, slots=True)
class Shot:
    """One clip to be made. frames: pictures in it; guidance None: what suits the family."""

    use: str
    width: int
    height: int
    frames: int
    fps: int
    steps: int
    guidance: float | None
    shift: float | None
    seed: int
    words: Words
    picture: Image.Image | None = None


def frames_for(loaded: Loaded, asked: int) -> int:
    """The nearest number of frames that the family makes: a multiple of its step plus one; 0 asks for its own."""
    family = loaded.family
    step = max(1, family.frame_step)
    wanted = asked or family.frames or 1 + 2 * step
    return max(1, round((wanted - 1) / step) * step + 1)


def shoot(loaded: Loaded, ctx: JobContext, shot: Shot) -> list[Image.Image]:
    """The clip's pictures. One ctx.step a denoising step, with a moving preview.

    Raises StudioError code "nan" for numbers that are none, "memory" when nothing helps.
    """
    scheduler = _scheduler(loaded, shot.shift)
    pipeline = loaded.pipeline(shot.use, scheduler)
    generator = torch.Generator("cpu").manual_seed(shot.seed)
    with torch.no_grad():
        try:
            latents = pipeline(
                **_arguments(loaded, shot),
                generator=generator,
                output_type="latent",
                return_dict=False,
                callback_on_step_end=_Steps(loaded, ctx, shot, pipeline, scheduler),
            )[0]
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            free()
            raise _too_large(shot, "was tried") from error
        latents = _decodable(loaded, _unpacked(pipeline, latents, shot))
        if not bool(torch.isfinite(latents).all()):
            raise broken("the latents", None)
        ctx.stage("Decoding the clip")
        return _pictures(_decoded(loaded, latents, ctx.note, shot))


class _Steps:
    """What the pipeline calls at the end of every step."""

    def __init__(self, loaded: Loaded, ctx: JobContext, shot: Shot, pipeline: Any, scheduler: Any):
        self._ctx, self._shot, self._pipeline, self._scheduler = ctx, shot, pipeline, scheduler
        fps = shot.fps / max(1, loaded.family.frame_step)
        self._previewer = ClipPreviewer(loaded, lambda latents: _decodable(loaded, latents), fps)

    def __call__(self, _pipeline: Any, step: int, _timestep: Any, kept: dict[str, Any]) -> dict[str, Any]:
        latents, last = kept["latents"], step + 1 >= self._shot.steps
        if not bool(torch.isfinite(latents).all()):
            raise broken("the latents", step + 1)
        shown = None
        if self._previewer.due(last=last):
            whole = _unpacked(self._pipeline, latents, self._shot)
            shown = self._previewer.make(whole if last else self._clean(whole))
        self._ctx.step(step + 1, self._shot.steps, preview=shown)
        return {}

    def _clean(self, latents: Tensor) -> Tensor:
        """The present estimate of the finished latents; where a first picture is given, that stays."""
        estimate = self._scheduler.clean()
        if estimate is None:
            return latents
        estimate = _unpacked(self._pipeline, estimate, self._shot).to(latents)
        if estimate.shape[2] == latents.shape[2] - 1:
            estimate = torch.cat([latents[:, :, :1], estimate], dim=2)
        return estimate if estimate.shape == latents.shape else latents


def _scheduler(loaded: Loaded, shift: float | None) -> Any:
    """The model's own, untouched but for the shift; it remembers what the previews need."""
    kind = getattr(diffusers, loaded.scheduler_class)
    config = {name: value for name, value in loaded.scheduler_config.items() if not name.startswith("_")}
    if shift is not None:
        config |= {"shift": shift, "flow_shift": shift, "use_dynamic_shifting": False}
    known = kind._get_init_keys(kind)
    return hold(kind).from_config({name: value for name, value in config.items() if name in known})


def _arguments(loaded: Loaded, shot: Shot) -> dict[str, Any]:
    family = loaded.family
    found: dict[str, Any] = {
        **shot.words.call,
        "width": shot.width,
        "height": shot.height,
        "num_frames": shot.frames,
        "num_inference_steps": shot.steps,
        "guidance_scale": family.guidance if shot.guidance is None else shot.guidance,
    }
    if family.id == "ltx":
        found["frame_rate"] = shot.fps
    if shot.picture is not None:
        found["image"] = ImageOps.fit(shot.picture, (shot.width, shot.height), Image.Resampling.LANCZOS)
    return found


def _unpacked(pipeline: Any, latents: Tensor, shot: Shot) -> Tensor:
    """LTX denoises a sequence of patches (1, L, D); everything else has its frames already."""
    if latents.dim() == 5:
        return latents
    space, time = pipeline.vae_spatial_compression_ratio, pipeline.vae_temporal_compression_ratio
    return pipeline._unpack_latents(
        latents,
        (shot.frames - 1) // time + 1,
        shot.height // space,
        shot.width // space,
        pipeline.transformer_spatial_patch_size,
        pipeline.transformer_temporal_patch_size,
    )


def _decodable(loaded: Loaded, latents: Tensor) -> Tensor:
    """As the decoder wants them: z * std + mean per channel, and LTX's divided by its scaling first."""
    vae = loaded.parts["vae"]
    if loaded.family.id == "wan":
        latents = latents.to(vae.dtype)
        mean, std = (torch.tensor(vae.config[name]).view(1, -1, 1, 1, 1).to(latents) for name in MEANS)
        return latents * std + mean
    mean, std = (getattr(vae, name).view(1, -1, 1, 1, 1).to(latents) for name in MEANS)
    return (latents * std / vae.config.scaling_factor + mean).to(vae.dtype)


def _decoded(loaded: Loaded, latents: Tensor, note: Callable[..., None], shot: Shot) -> Tensor:
    """The video (1, 3, F, H, W) in -1…1: as it is, then in tiles, then refused. The module is left as it was."""
    vae = loaded.parts["vae"]
    try:
        return _finite(vae, latents, note)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
    free()
    try:
        with tiled(vae):
            video = _finite(vae, latents, note)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        free()
        raise _too_large(shot, "was decoded whole and in tiles") from error
    note(rung=TILED)
    return video


def _finite(vae: Any, latents: Tensor, note: Callable[..., None]) -> Tensor:
    """Halves that overflow are decoded once more in float32."""
    video = _through(vae, latents)
    if not bool(torch.isfinite(video).all()) and vae.dtype in (torch.float16, torch.bfloat16):
        with in_float32(vae):
            video = _through(vae, latents.float())
        note(rung="VAE in float32")
    if not bool(torch.isfinite(video).all()):
        raise broken("the decoded clip", None)
    return video


def _through(vae: Any, latents: Tensor) -> Tensor:
    more: list[Any] = []
    if "timestep_conditioning" in vae.config:
        # Decoders that denoise a last bit want to be told at which timestep; 0 adds no noise.
        more = [torch.zeros(1, device=latents.device, dtype=latents.dtype)] if vae.config.timestep_conditioning else []
    return vae.decode(latents, *more, return_dict=False)[0]


def _too_large(shot: Shot, tried: str) -> StudioError:
    return StudioError(
        "Memory does not suffice for this clip",
        f"A clip of {shot.frames:,} frames of {shot.width:,} × {shot.height:,} px {tried}. {room()}",
        "Choose fewer frames or a smaller size, or unload other models.",
        code="memory",
    )


def _pictures(video: Tensor) -> list[Image.Image]:
    values = ((video[0].float() / 2 + 0.5).clamp(0, 1) * 255).round().byte().permute(1, 2, 3, 0).cpu().numpy()
    return [Image.fromarray(np.ascontiguousarray(frame), "RGB") for frame in values]
