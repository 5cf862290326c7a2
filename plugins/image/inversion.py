"""Learned words (textual inversions): their files, and which of them a job has on a shared model.

Owns Learned. Nothing is added to a tokenizer or an embedding: clip_chunks.py puts the vectors in place during one
forward, and `inverted` says which words this job knows whenever it has the device, so that no other job sees them.
"""

import contextlib
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from studio.errors import StudioError
from studio.sdk.operation import JobContext, ModelInfo

from .params import Inversion

LONGEST = 75
LARGEST = 64 * 2**20
_NAMES = {"clip_l": 0, "clip_g": 1, "text_encoder": 0, "text_encoder_2": 1}


@dataclass(frozen=True)
class Embedding:
    """A file's word: vectors (n, D) by encoder, -1 where the file does not say for which."""

    word: str
    vectors: dict[int, Tensor]
    hash: str


@dataclass(frozen=True)
class Learned:
    """vectors: encoder's place -> word in small letters -> (n, D)."""

    key: str
    pattern: re.Pattern[str]
    vectors: dict[int, dict[str, Tensor]] = field(default_factory=dict)


def active(loaded: Any) -> Learned | None:
    """The words of the job that has the device now."""
    return loaded.kept.get("inversions")


@contextlib.contextmanager
def inverted(loaded: Any, ctx: JobContext, inversions: Sequence[Inversion]) -> Iterator[Learned | None]:
    """Inside, prompts of this job know the words of `inversions`. Raises StudioError where one does not fit."""
    wanted = [one for one in inversions if one.model]
    if not wanted:
        yield None
        return
    if not loaded.family.inversions:
        raise StudioError(
            f"{loaded.family.title} takes no learned words",
            "Textual inversions are made for the CLIP encoders of Stable Diffusion.",
            "Take them out of the list, or choose another model.",
            code="inversion",
        )
    with contextlib.ExitStack() as stack:
        found = []
        for one in wanted:
            embedding = stack.enter_context(ctx.models.use(one.model, read, key="embedding"))
            found.append((one.word.strip() or embedding.word, embedding))
        learned = _fitted(loaded, found)
        stack.enter_context(
            ctx.around_baton(
                lambda: loaded.kept.__setitem__("inversions", learned), lambda: loaded.kept.pop("inversions", None)
            )
        )
        yield learned


def read(info: ModelInfo) -> Embedding:
    """Reads a safetensors file: the web UI's emb_params, SDXL's clip_l and clip_g, or a word and its tensor."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    path = _file(Path(info.path))
    try:
        data = path.read_bytes()
        tensors = load(data)
    except (OSError, SafetensorError) as error:
        raise _broken(path, str(error)) from error
    if not tensors or not all(tensor.is_floating_point() and tensor.dim() in (1, 2) for tensor in tensors.values()):
        raise _broken(path, "It holds no vectors of words.")
    found = {name: tensor if tensor.dim() == 2 else tensor[None] for name, tensor in tensors.items()}
    if not all(bool(torch.isfinite(tensor).all()) for tensor in found.values()):
        raise _broken(path, "Some of its numbers are not finite.")
    if max(tensor.shape[0] for tensor in found.values()) > LONGEST:
        raise _broken(path, f"It has more than {LONGEST} vectors, which no prompt has room for.")
    word, vectors = path.stem, {}
    for name, tensor in found.items():
        if name in _NAMES:
            vectors[_NAMES[name]] = tensor
        elif len(found) == 1:
            word = path.stem if name in ("emb_params", "string_to_param", "*") else name
            vectors[-1] = tensor
    if not vectors:
        raise _broken(path, f"Its tensors are called {', '.join(sorted(found)[:4])}; none is a learned word.")
    return Embedding(word, vectors, hashlib.sha256(data).hexdigest())


def _fitted(loaded: Any, found: Sequence[tuple[str, Embedding]]) -> Learned:
    from .clip_chunks import encoders, pattern

    vectors: dict[int, dict[str, Tensor]] = {}
    places = encoders(loaded.parts)
    for word, embedding in found:
        named = embedding.vectors
        if -1 in named and len(places) == 1:
            named = {places[0].place: named[-1]}
        for encoder in places:
            width = encoder.network.get_input_embeddings().weight.shape[1]
            tensor = named.get(encoder.place)
            if tensor is None or tensor.shape[1] != width:
                raise _misfit(
                    loaded, word, embedding, [e.network.get_input_embeddings().weight.shape[1] for e in places]
                )
            vectors.setdefault(encoder.place, {})[word.casefold()] = tensor
    key = " ".join(sorted(f"{word.casefold()}={embedding.hash}" for word, embedding in found))
    return Learned(key, pattern([word for word, _ in found]), vectors)


def _misfit(loaded: Any, word: str, embedding: Embedding, widths: list[int]) -> StudioError:
    has = " and ".join(str(tensor.shape[1]) for tensor in embedding.vectors.values())
    return StudioError(
        f"The learned word {word} is made for another family",
        f"Its vectors have {has} numbers; {loaded.family.title} takes {' and '.join(map(str, widths))}.",
        "Choose a textual inversion that was trained for this kind of model.",
        code="inversion",
    )


def _file(path: Path) -> Path:
    found = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(found) != 1 or found[0].suffix != ".safetensors":
        raise _broken(path, "It is no single safetensors file.")
    if found[0].stat().st_size > LARGEST:
        raise _broken(found[0], f"It is larger than {LARGEST // 2**20} MiB, which no learned word is.")
    return found[0]


def _broken(path: Path, detail: str) -> StudioError:
    return StudioError(f"{path.name} cannot be read as a learned word", detail, code="inversion")
