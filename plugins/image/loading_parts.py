"""Reads the parts of a model in diffusers' layout, distrusting the folder.

Owns which classes may be made of what a folder says, and what a part that cannot be read is called.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers
from diffusers.models.modeling_utils import ModelMixin
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from safetensors import SafetensorError
from transformers.utils import logging as transformers_logging

from studio.errors import StudioError

from .families import QUANTISABLE
from .quantised import check_stored, config_for

INDEX = "model_index.json"
NEVER = {"safety_checker", "watermark"}
OPTIONAL = {"feature_extractor", "image_encoder", "image_processor"}
# Keys by which a configuration makes a library import code, from the folder or from a hub.
DISTRUSTED = re.compile(
    r"auto_map|custom_\w+|trust_remote_code|_?(attn|experts|mlp)_implementation\w*|use_kernels?|kernel_config"
)
BROKEN = (
    OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, AssertionError, ImportError, EOFError,
)  # fmt: skip


@dataclass
class Parts:
    """What was read: parts by name, the model's own sampling, and settings of the pipeline that are no parts."""

    parts: dict[str, Any] = field(default_factory=dict)
    scheduler_class: str = ""
    scheduler_config: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def read_folder(folder: Path, dtype: torch.dtype, quantised: str = "none", without: tuple[str, ...] = ()) -> Parts:
    """The parts of the pipeline in `folder`, except `without`, on the CPU. Raises StudioError."""
    transformers_logging.disable_progress_bar()
    index = read_json(folder / INDEX)
    found = Parts()
    for name, value in index.items():
        if name.startswith("_") or name in NEVER or name in without:
            continue
        if not isinstance(value, list) or len(value) != 2:
            found.settings[name] = value
            continue
        library, kind = value
        if not isinstance(library, str) or not isinstance(kind, str):
            found.parts[name] = None
            continue
        if name == "scheduler":
            found.scheduler_class, found.scheduler_config = read_scheduler(folder / name, kind)
            continue
        found.parts[name] = read_part(folder, name, library, kind, dtype, quantised)
    if not found.scheduler_class and "scheduler" not in without:
        raise _broken(folder / INDEX, "It names no scheduler.")
    return found


def read_part(folder: Path, name: str, library: str, kind: str, dtype: torch.dtype, quantised: str = "none") -> Any:
    """One part. Raises StudioError naming it."""
    place = folder / name
    if not place.is_dir():
        raise StudioError(
            "Parts of this model are missing",
            f"{folder.name} has no folder {name}.",
            "Download the model again, completely.",
            code="missing-parts",
        )
    if library not in ("diffusers", "transformers", "stable_diffusion"):
        raise _broken(folder / INDEX, f"Its part {name} is code of the model's own ({library}.{kind}), not run.")
    if "Tokenizer" in kind:
        return guarded(f"tokenizer ({name})", lambda: _tokenizer(place, kind))
    if kind.endswith(("Processor", "FeatureExtractor", "ProcessorPil", "ProcessorFast")):
        try:
            return guarded(f"processor ({name})", lambda: _processor(place, kind))
        except StudioError:
            if name in OPTIONAL:
                return None  # only some uses need it; those say so
            raise
    bits = None
    if not _is_stored_packed(place) and name in QUANTISABLE:
        bits = config_for(quantised, dtype, library)
    if library == "diffusers":
        known: Any = getattr(diffusers, kind, None)
        if not isinstance(known, type) or not issubclass(known, ModelMixin):
            raise _unknown(name, library, kind)
        return guarded(f"part {name}", lambda: _network(known, place, dtype, bits))
    known = getattr(transformers, kind, None)
    if not isinstance(known, type) or not issubclass(known, transformers.PreTrainedModel):
        raise _unknown(name, library, kind)
    return guarded(f"part {name}", lambda: _encoder(known, place, dtype, bits))


def read_scheduler(place: Path, kind: str = "") -> tuple[str, dict[str, Any]]:
    """Class name and config of a scheduler folder; its own file's word goes before the index's."""
    config = trusted(read_json(place / "scheduler_config.json"))
    named = config.get("_class_name") or kind
    known = getattr(diffusers, str(named), None)
    if not isinstance(known, type) or not issubclass(known, SchedulerMixin):
        raise _unknown("scheduler", "diffusers", str(named))
    return str(named), config


def read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _broken(path, f"It cannot be read: {error}.") from None
    if not isinstance(found, dict):
        raise _broken(path, f"It holds a {type(found).__name__}, not an object.")
    return found


def trusted(raw: Any) -> Any:
    """The same without entries that name code or kernels, at any depth."""
    if isinstance(raw, dict):
        return {key: trusted(value) for key, value in raw.items() if not DISTRUSTED.fullmatch(key)}
    return [trusted(value) for value in raw] if isinstance(raw, list) else raw


def guarded(what: str, read: Callable[[], Any]) -> Any:
    """What `read` gives; what libraries raise for damaged files, as StudioError in words."""
    try:
        return read()
    except (torch.OutOfMemoryError, MemoryError, StudioError):
        raise
    except (SafetensorError, *BROKEN, RuntimeError) as error:
        if "out of memory" in str(error).lower():
            raise
        if cut := _damage(error):
            raise StudioError(
                "The model's weights are damaged",
                f"The {what}: a safetensors file is truncated or not valid: {cut}",
                "Get the model again; its file is not complete.",
                code="truncated",
            ) from None
        raise StudioError(
            f"The model's {what} could not be loaded",
            words(error),
            "Its files may be damaged, or of a kind this version cannot use.",
            code="model-load",
        ) from error


def _damage(error: BaseException | None) -> BaseException | None:
    """The word of safetensors behind an error: diffusers puts one of its own in front of it."""
    while error is not None and not isinstance(error, SafetensorError):
        error = error.__cause__ or error.__context__
    return error


def check_complete(missing: list[str], what: str) -> None:
    if missing:
        raise StudioError(
            "The model's weights are not complete",
            f"{len(missing)} tensors of its {what} are missing, among them {', '.join(sorted(missing)[:3])}.",
            "Get the model again; a part of it is not here.",
            code="incomplete",
        )


def words(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines)[:600]}"


def _is_stored_packed(place: Path) -> bool:
    """Whether its weights have fewer bits in their files already. Raises StudioError when they cannot be read."""
    return (place / "config.json").is_file() and check_stored(place.name, read_json(place / "config.json"))


def _network(kind: Any, place: Path, dtype: torch.dtype, bits: Any) -> Any:
    model, report = kind.from_pretrained(
        str(place),
        torch_dtype=dtype,
        use_safetensors=True,
        local_files_only=True,
        variant=_variant(place, "diffusion_pytorch_model"),
        output_loading_info=True,
        **({"quantization_config": bits} if bits is not None else {}),
    )
    check_complete(list(report["missing_keys"]), place.name)
    return model


def _encoder(kind: Any, place: Path, dtype: torch.dtype, bits: Any) -> Any:
    config = kind.config_class.from_dict(trusted(read_json(place / "config.json")))
    model, report = kind.from_pretrained(
        str(place),
        config=config,
        dtype=dtype,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        attn_implementation="sdpa" if kind._supports_sdpa else "eager",
        variant=_variant(place, "model"),
        output_loading_info=True,
        **({"quantization_config": bits} if bits is not None else {}),
    )
    check_complete(list(report["missing_keys"]), place.name)
    return model


def _variant(place: Path, stem: str) -> str | None:
    """None where weights have their plain name; else the precision in their name, such as "fp16"."""
    names = {path.name for path in place.iterdir()}
    if f"{stem}.safetensors" in names or f"{stem}.safetensors.index.json" in names:
        return None
    pattern = re.compile(rf"{stem}\.([a-z0-9_]+)(-\d{{5}}-of-\d{{5}})?\.safetensors")
    variants = sorted({match[1] for name in names if (match := pattern.fullmatch(name))})
    if variants:
        return variants[0]
    unsafe = sorted(name for name in names if name.endswith((".bin", ".pt", ".ckpt")))
    detail = f"{', '.join(unsafe)} can run any code and is not read." if unsafe else "It holds no safetensors file."
    raise StudioError(
        f"The model's part {place.name} has no weights", detail, "Get its safetensors.", code="no-weights"
    )


def _tokenizer(place: Path, kind: str) -> Any:
    if (place / "tokenizer.json").is_file():
        read_json(place / "tokenizer.json")  # the tokenizers library has no exception of its own for a file cut short
    known: Any = getattr(transformers, kind, None) or transformers.AutoTokenizer
    return known.from_pretrained(str(place), local_files_only=True, trust_remote_code=False)


def _processor(place: Path, kind: str) -> Any:
    if kind == "Qwen2VLProcessor":
        return _qwen_processor(place)
    kind = kind.replace("CLIPFeatureExtractor", "CLIPImageProcessor")
    known: Any = getattr(transformers, f"{kind}Pil", None) or getattr(transformers, kind)
    return known.from_pretrained(str(place), local_files_only=True, trust_remote_code=False)


def _qwen_processor(place: Path) -> Any:
    """Qwen2VLProcessor for pictures alone: its part for videos asks for torchvision, and nothing here needs it."""

    class PictureProcessor(transformers.Qwen2VLProcessor):
        def __init__(self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None, **_: Any):
            super().__init__(image_processor, tokenizer, None, chat_template)

    pictures = transformers.Qwen2VLImageProcessorPil.from_pretrained(str(place), local_files_only=True)
    tokenizer = transformers.Qwen2Tokenizer.from_pretrained(str(place), local_files_only=True)
    return PictureProcessor(pictures, tokenizer)


def _broken(path: Path, detail: str) -> StudioError:
    hint = "Download this file again from where it came from."
    return StudioError(f"{path.name} cannot be used", detail, hint, code="bad-config")


def _unknown(name: str, library: str, kind: str) -> StudioError:
    return StudioError(
        "The model is of an unknown architecture",
        f"Its part {name} is {library}.{kind}, which the installed {library} does not know.",
        "Models that bring their own code are not run.",
        code="unknown-architecture",
    )
