"""Loads a picture or video model once, as parts that every job builds its own pipeline object around.

Owns Loaded. Local files only, safetensors (or GGUF) only, no code of the model is run, nothing is fetched, the
safety checker is never loaded. Folders are read by `loading_parts.py`, lone files by `single_file.py`.
"""

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import torch
from diffusers.utils import logging

from studio.errors import StudioError
from studio.sdk.operation import JobContext, ModelInfo

from .families import of_model
from .family_table import Family
from .loading_parts import Parts, read_folder
from .quantised import held, require, settle
from .single_file import read_file

ABSENT: dict[str, Any] = {"feature_extractor": None, "image_encoder": None, "image_processor": None}
"""Parts that a pipeline's constructor may ask for and most uses do without."""

ALWAYS: dict[str, Any] = {"safety_checker": None, "requires_safety_checker": False, "add_watermarker": False}
"""What holds whatever the model says."""


@dataclass
class Loaded:
    """A model with its weights, shared by jobs. Nobody moves, casts or changes `parts` for one job's sake.

    parts: by the names of the pipeline's constructor; a text encoder or tokenizer may be None. settings: numbers
    and flags of the pipeline that are no parts. scheduler_class, scheduler_config: the model's own sampling.
    kept: what jobs remember about this model between them, such as embeddings of prompts. packed: the parts whose
    weights have fewer bits, with how.
    """

    info: ModelInfo
    family: Family
    parts: dict[str, Any]
    scheduler_class: str
    scheduler_config: dict[str, Any]
    device: str
    dtype: torch.dtype
    settings: dict[str, Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    packed: dict[str, str] = field(default_factory=dict)

    def pipeline(self, use: str, scheduler: Any, **parts: Any) -> Any:
        """A diffusers pipeline of the caller's own around the shared parts.

        use: one of the family's ("text", "image", ...). scheduler: a noise scheduler of the job's own.
        parts: further ones (controlnet=..., image_encoder=...) or others in place of the shared.
        Raises StudioError code "use" when the model cannot be used so.
        """
        name = self.family.pipelines.get(use)
        if name is None:
            able = ", ".join(self.family.uses)
            raise StudioError(
                "This model cannot do that",
                f"{self.info.id} ({self.family.title}) has no use {use!r}; it has {able}.",
                "Choose another model.",
                code="use",
            )
        kind: Any = getattr(diffusers, name)
        have = {**ABSENT, **self.settings, **self.parts, **parts, **ALWAYS, "scheduler": scheduler}
        _without_ftfy(kind)
        takes = inspect.signature(kind.__init__).parameters
        needs = [n for n, p in takes.items() if n != "self" and p.default is p.empty and n not in have]
        if needs:
            raise StudioError(
                "Parts of this model are missing",
                f"{name} needs {', '.join(needs)}, which {self.info.id} does not have.",
                "Download the model again, completely.",
                code="missing-parts",
            )
        pipeline = kind(**{n: value for n, value in have.items() if n in takes})
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def make_scheduler(self) -> Any:
        """A fresh noise scheduler as the model itself asks for."""
        return getattr(diffusers, self.scheduler_class).from_config(self.scheduler_config)

    def modules(self) -> list[torch.nn.Module]:
        return [part for part in self.parts.values() if isinstance(part, torch.nn.Module)]

    # The worker weighs and parks what it keeps by these.

    def parameters(self) -> Iterator[torch.Tensor]:
        for module in self.modules():
            yield from held(module)

    def to(self, device: str) -> "Loaded":
        for module in self.modules():
            module.to(device)
        self.device = str(device)
        return self


def load(info: ModelInfo, device: str, dtype: str, quantised: str = "none") -> Loaded:
    """The model of `info` on `device`. Raises StudioError saying what is wrong with its files.

    dtype: torch's name; the VAE stays in float32 where its halves overflow. quantised: "none", "int8" or "int4".
    """
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # it warns of what the studio does on purpose
    path = Path(info.path)
    family = of_model(info)
    kind = _dtype(dtype)
    require(quantised)
    if not path.exists():
        raise StudioError("The model is gone", f"There is no {path}.", code="model-missing")
    if quantised != "none" and family.fixed:
        raise StudioError(
            "This model is loaded as it is",
            f"{quantised} was asked for. {family.fixed}",
            "Choose none under Weights.",
            code="quantised",
        )
    found: Parts = read_folder(path, kind, quantised) if path.is_dir() else read_file(info, family, kind, quantised)
    packed: dict[str, str] = {}
    for name, part in found.parts.items():
        if isinstance(part, torch.nn.Module):
            _settle(name, part, family, kind, device)
            if how := settle(part, kind):
                packed[name] = how
    return Loaded(
        info, family, found.parts, found.scheduler_class, found.scheduler_config, device, kind, found.settings,
        packed=packed,
    )  # fmt: skip


@contextmanager
def opened(params: Any, ctx: JobContext, ref: str | None = None) -> Iterator[Loaded]:
    """The model of `params` (or `ref`), loaded when it is not resident, held while the context lasts."""
    quantised = str(getattr(params, "quantised", "none"))

    def loader(info: ModelInfo) -> Loaded:
        ctx.stage(f"Loading {info.id}")
        return load(info, ctx.device, ctx.dtype, quantised)

    with ctx.models.use(params.model if ref is None else ref, loader, key=f"image-{ctx.dtype}-{quantised}") as loaded:
        if loaded.packed:
            ctx.note(weights=loaded.packed)
        yield loaded


def _settle(name: str, module: torch.nn.Module, family: Family, dtype: torch.dtype, device: str) -> None:
    """Where and in which type a part stays for as long as it is loaded."""
    module.eval().requires_grad_(False)
    config: Any = getattr(module, "config", None)
    upcast = bool(getattr(config, "force_upcast", False))
    if name == "vae" and dtype == torch.float16 and family.id == "sdxl" and upcast:
        module.to(device=device, dtype=torch.float32)
        return
    module.to(device)


def _without_ftfy(kind: Any) -> None:
    """Wan's image pipeline mends a prompt's text with ftfy where diffusers' others do without: so does it here."""
    module: Any = sys.modules[kind.__module__]
    if kind.__name__.startswith("Wan") and not hasattr(module, "ftfy"):
        module.ftfy = SimpleNamespace(fix_text=lambda text: text)


def _dtype(name: str) -> torch.dtype:
    found = getattr(torch, name.removeprefix("torch.") or "float32", None)
    return found if isinstance(found, torch.dtype) else torch.float32
