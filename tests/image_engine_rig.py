"""A real engine that paints with tiny models, and what tests of bad input ask of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from studio.errors import StudioError
from studio.library.recipe import read_recipe
from tests import tiny_checkpoints, tiny_pipelines
from tests.guides_rig import resident
from tests.worker.engine_rig import EngineProcess, Nursery, Watcher, running
from tests.worker.test_image_adapters import of_diffusers
from tests.worker.test_image_guides import unet_control

PLUGINS = Path(__file__).with_name("memory_plugin")


class Painter:
    """A client of the engine, in the words of these tests."""

    def __init__(self, watcher: Watcher, picture: Path, mask: Path):
        self.watcher, self._picture, self._mask = watcher, str(picture), str(mask)

    def params(self, operation: str = "generate", **changes: Any) -> dict[str, Any]:
        values: dict[str, Any] = {"model": "sd15", "prompt": "a fox", "steps": 2, "seed": 5}
        if operation in ("transform", "inpaint", "outpaint", "upscale", "edit"):
            values["picture"] = self._picture
        if operation == "inpaint":
            values["mask"] = self._mask
        return {**values, **changes}

    async def submit(self, operation: str = "generate", **changes: Any) -> str:
        return await self.watcher.submit(f"image.{operation}", self.params(operation, **changes))

    async def run(self, operation: str = "generate", **changes: Any) -> dict[str, Any]:
        """The job at its end, in whatever state."""
        return await self.watcher.ended(await self.submit(operation, **changes))

    async def paint(self, operation: str = "generate", **changes: Any) -> list[Path]:
        job = await self.run(operation, **changes)
        assert job["state"] == "finished", job["error"]
        return [Path(one["path"]) for one in job["artifacts"]]

    async def refusal(self, operation: str = "generate", **changes: Any) -> StudioError:
        """Why it cannot be painted, whether the engine refuses it or its job fails."""
        try:
            job = await self.run(operation, **changes)
        except StudioError as error:
            found = error
        else:
            assert job["state"] == "failed" and not job["artifacts"], job
            assert job["deaths"] == 0, "the worker died of it"
            found = StudioError.from_dict(job["error"])
        assert found.code not in ("", "error", "bug", "plugin"), found.to_dict()
        assert found.title and "Traceback" not in said(found), found.to_dict()
        assert len(said(found)) < 2_000, said(found)[:3_000]
        return found

    async def limit(self, **limits: Any) -> None:
        """From now on the networks run out of memory above these sizes."""
        job = await self.watcher.ended(await self.watcher.submit("short_memory.limit", limits))
        assert job["state"] == "finished", job["error"]


def said(error: StudioError) -> str:
    return f"{error.title} {error.detail} {error.hint}"


def pixels(path: Path) -> tuple[tuple[int, int], bytes]:
    with Image.open(path) as picture:
        return picture.size, picture.convert("RGB").tobytes()


def rung(path: Path) -> str:
    return read_recipe(path).rung


def build_models(folder: Path) -> None:
    """sd15, flux and sdxl; guides for other families; a checkpoint that lacks tensors; weights that are no numbers."""
    tiny_pipelines.make("flux", folder / "flux")
    sdxl = resident("sdxl", folder)
    of_diffusers(sdxl, folder, texts=False).rename(folder / "lora-xl.safetensors")
    unet_control(sdxl, folder / "control-xl")
    unet_control(resident("sd15", folder), folder / "control")
    tiny_checkpoints.learned_word(folder / "wide-word.safetensors", width=48)
    tiny_checkpoints.single_file(folder / "sd15", folder / "cut.safetensors", without="model.diffusion_model.middle")
    for name, part in (("nan", "unet"), ("nan-vae", "vae")):
        tiny_pipelines.copied(folder / "sd15", folder / name)
        spoil(folder / name / part)


def spoil(part: Path) -> None:
    """Puts NaN into the last tensor of a part."""
    from safetensors.torch import load_file, save_file

    (file,) = part.glob("*.safetensors")
    tensors = load_file(file)
    name = next(name for name in reversed(tensors) if name.startswith(("decoder", "up_blocks")))
    tensors[name] = torch.full_like(tensors[name], float("nan"))
    save_file(tensors, file, {"format": "pt"})


@contextmanager
def painting(base: Path, nursery: Nursery) -> Iterator[EngineProcess]:
    """An engine that knows the models in `base`/models and the plugin that makes memory short."""
    with running(base, nursery, base / "models", ATELIER_PLUGINS=str(PLUGINS)) as engine:
        yield engine
