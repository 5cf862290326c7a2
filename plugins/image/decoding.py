"""Latents to pictures: the VAE, and what is tried when its memory does not suffice or its numbers break.

Owns `decode`. Rungs, gentlest first: as they are; in tiles; one picture at a time, in tiles; refused with numbers.
Halves that overflow are decoded once more in float32.
"""

import contextlib
import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from studio.errors import StudioError

from .layout import DEEP, Layout

TILE = 256
TOGETHER = 1024 * 1024
"""Pixels that are decoded in one call at most; more pictures go one by one."""

Note = Callable[..., None]


def decode(loaded: Any, layout: Layout, latents: Tensor, note: Note, generator: Any = None) -> list[Image.Image]:
    """The pictures of finished latents as the loop gave them (B, ...). note: told the rung, for the recipe.

    Raises StudioError code "nan" for numbers that are none, "memory" when nothing helps.
    """
    if not bool(torch.isfinite(latents).all()):
        raise broken("the latents", None)
    count, side = latents.shape[0], layout.scale
    together = count * layout.high * layout.wide * side**2 <= TOGETHER

    def through(part: Tensor) -> list[Image.Image]:
        return _decoded(layout, part, note, generator)

    for rung, tiles, size in _rungs(count, together, layout.vae):
        pictures = _tried(layout, tiles, lambda size=size: _by(latents, size, through))
        if pictures is not None:
            if rung:
                note(rung=rung)
            return pictures
        free()
    width, height = layout.wide * side, layout.high * side
    raise StudioError(
        "Memory does not suffice to decode the picture",
        f"{count} of {width:,} × {height:,} px were tried together, in tiles of {TILE} px and one by one. {room()}",
        "Choose a smaller size, or unload other models.",
        code="memory",
    )


def _rungs(count: int, together: bool, vae: Any) -> list[tuple[str, bool, int]]:
    """What is tried in turn: its name, whether in tiles, and how many pictures at once."""
    size = count if together else 1
    found = [("", False, size)]
    if hasattr(vae, "enable_tiling"):
        found.append(("tiled VAE", True, size))
    if size > 1:
        found.append(("tiled VAE, one by one", hasattr(vae, "enable_tiling"), 1))
    return found


def _tried(layout: Layout, tiles: bool, decoded: Callable[[], list[Image.Image]]) -> list[Image.Image] | None:
    """None when memory did not suffice; nothing of the attempt is held any more then."""
    try:
        with tiled(layout.vae) if tiles else contextlib.nullcontext():
            return decoded()
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
    return None


def _by(latents: Tensor, size: int, decoded: Callable[[Tensor], list[Image.Image]]) -> list[Image.Image]:
    return [picture for part in latents.split(size) for picture in decoded(part)]


def _decoded(layout: Layout, latents: Tensor, note: Note, generator: Any) -> list[Image.Image]:
    vae = layout.vae
    half = vae.dtype in (torch.float16, torch.bfloat16)
    if vae.dtype == torch.float16 and getattr(vae.config, "force_upcast", False):
        with in_float32(vae):
            values = _through(layout, latents.float(), generator)
    else:
        values = _through(layout, latents, generator)
    if half and not bool(torch.isfinite(values).all()):
        with in_float32(vae):
            values = _through(layout, latents.float(), generator)
        note(rung="VAE in float32")
    if not bool(torch.isfinite(values).all()):
        raise broken("the decoded picture", None)
    return pictures_of(values)


def _through(layout: Layout, latents: Tensor, generator: Any) -> Tensor:
    values = layout.for_vae(latents).to(layout.vae.dtype)
    more = {"generator": generator} if generator is not None and layout.family in ("sd15", "sd2") else {}
    given = layout.vae.decode(values, return_dict=False, **more)[0]
    return given[:, :, 0] if layout.family in DEEP else given


def pictures_of(values: Tensor) -> list[Image.Image]:
    """values: (B, 3, H, W) in [-1, 1]; rounded as diffusers' image processor rounds."""
    values = (values * 0.5 + 0.5).clamp(0, 1)
    pixels = (values.cpu().permute(0, 2, 3, 1).float().numpy() * 255).round().astype(np.uint8)
    return [Image.fromarray(one if one.shape[-1] == 3 else one.repeat(3, axis=-1)) for one in pixels]


@contextlib.contextmanager
def tiled(vae: Any) -> Iterator[None]:
    """The shared VAE decodes in small tiles inside; nothing else computes meanwhile."""
    before = {name: value for name, value in vars(vae).items() if name.startswith(("tile_", "use_tiling"))}
    vae.enable_tiling()
    scale = 2 ** (len(getattr(vae.config, "block_out_channels", (1, 1, 1, 1))) - 1)
    if hasattr(vae, "tile_sample_min_size"):
        vae.tile_sample_min_size = min(vae.tile_sample_min_size, TILE)
        vae.tile_latent_min_size = max(1, vae.tile_sample_min_size // scale)
    try:
        yield
    finally:
        vae.disable_tiling()
        for name, value in before.items():
            setattr(vae, name, value)


@contextlib.contextmanager
def in_float32(vae: Any) -> Iterator[None]:
    before = vae.dtype
    vae.to(torch.float32)
    try:
        yield
    finally:
        vae.to(before)


def out_of_memory(error: BaseException) -> bool:
    words = str(error).lower()
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or "can't allocate memory" in words or "out of memory" in words


def free() -> None:
    gc.collect()
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def room() -> str:
    """How much memory there is, as a sentence."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        left, whole = torch.cuda.mem_get_info()
        return f"{left / 2**30:.1f} of {whole / 2**30:.1f} GiB of the device are free."
    import psutil

    memory = psutil.virtual_memory()
    return f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB of memory are free."


def broken(what: str, step: int | None) -> StudioError:
    """What is said when the model's numbers are none any more. step: after which it was seen."""
    when = "" if step is None else f" after step {step}"
    return StudioError(
        "The model gave no numbers",
        f"There are NaN or infinite values in {what}{when}.",
        "Choose another sampler, a lower guidance or another VAE; on a graphics card, float32 or bfloat16 weights.",
        code="nan",
    )
