"""What a model is told: the tensors of a prompt for one picture, kept on the resident model.

Owns Words, `encode`, `batch` and the store of embeddings. A prompt without weights is encoded by the pipeline's own
encode_prompt, so that it gives the same bits as a bare call; weights, long prompts, BREAK and learned words of CLIP
families go through clip_chunks.py; encoders that know no weights are given the words alone, and that is said.
"""

import hashlib
import importlib
import inspect
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from studio.errors import StudioError

from . import clip_chunks, emphasis, inversion
from .words_store import Store, Tensors

SHORT = 100
"""Bytes of a prompt that no encoder cuts: a byte is one token at most."""

CLIP = ("sd15", "sd2", "sdxl")
"""Families whose only text encoders are CLIP's: prompts go in chunks of 75 tokens."""

_GIVES: dict[str, tuple[str | None, ...]] = {
    "sd15": ("prompt_embeds",),
    "sd2": ("prompt_embeds",),
    "sdxl": ("prompt_embeds", None, "pooled_prompt_embeds"),
    "sd3": ("prompt_embeds", None, "pooled_prompt_embeds"),
    "flux": ("prompt_embeds", "pooled_prompt_embeds"),
    "flux-kontext": ("prompt_embeds", "pooled_prompt_embeds"),
    "chroma": ("prompt_embeds", None, "prompt_attention_mask"),
    "flux2": ("prompt_embeds",),
    "z-image": ("prompt_embeds",),
    "qwen-image": ("prompt_embeds", "prompt_embeds_mask"),
    "qwen-image-edit": ("prompt_embeds", "prompt_embeds_mask"),
    "wan": ("prompt_embeds",),
    "ltx": ("prompt_embeds", "prompt_attention_mask"),
}
"""What each family's encode_prompt returns for the prompt itself, in its order."""

_READS = {"sd3": "tokenizer_3", "flux": "tokenizer_2", "flux-kontext": "tokenizer_2"}


@dataclass(frozen=True)
class Words:
    """A pipeline's keyword arguments for one picture, batch dimension 1 (Z-Image: a list of one tensor).

    ignored: sentences about what the family leaves out. filler: what `batch` lengthens a shorter sequence with.
    """

    call: Tensors
    ignored: tuple[str, ...] = ()
    filler: dict[str, Tensor] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[tuple[str, int], ...]:
        """Words of one shape can share a batch without becoming other pictures than alone."""
        return tuple((name, value.shape[1]) for name, value in self.call.items() if isinstance(value, Tensor))


def encode(
    loaded: Any,
    prompt: str,
    negative: str = "",
    *,
    guidance: float | None,
    clip_skip: int = 0,
    adapters_key: str = "",
    ctx: Any = None,
    picture: Any = None,
) -> Words:
    """The words of one picture. With guidance, those of the negative prompt too, of the same length.

    picture: what an instruction is about (PIL, or a list of them), as the pipeline is given it, for encoders that
    see it (Qwen-Image-Edit).
    Computed once per text as long as the model stays resident.
    """
    reader = _Reader(loaded, clip_skip, adapters_key, ctx, picture)
    call = dict(reader.read(prompt, clip_skip))
    ignored = reader.ignored(prompt, clip_skip)
    filler: dict[str, Tensor] = {}
    guided = _guided(loaded, guidance)
    if negative.strip() and not loaded.family.negative:
        ignored.append(f"{loaded.family.title} has no negative prompt; it was left out.")
        negative = ""
    if guided:
        ignored += [words for words in reader.ignored(negative, 0) if words not in ignored]
        against = _against(reader, call, negative)
        call |= {f"negative_{name}": value for name, value in against.items()}
    if loaded.family.id in CLIP:
        filler = _filler(reader, call, clip_skip)
        call |= _as_long(call, filler)
    return Words(call, tuple(ignored), filler)


def batch(words: Sequence[Words]) -> Tensors:
    """The words of several pictures in one call; shorter ones are lengthened: with chunks of the empty prompt for
    CLIP, with zeros under a mask of zeros elsewhere."""
    call: Tensors = {}
    for name in dict.fromkeys(name for each in words for name in each.call):
        values = [_value(each, name) for each in words]
        if any(isinstance(value, list) for value in values):
            call[name] = [tensor for value in values for tensor in value]
        elif name.endswith(("embeds_mask", "attention_mask")) or values[0].dim() >= 3:
            longest = max(value.shape[1] for value in values)
            call[name] = torch.cat(
                [_longer(value, longest, each.filler.get(name)) for value, each in zip(values, words, strict=True)]
            )
        else:
            call[name] = torch.cat(values)
    return _masked(words, call)


def _value(words: Words, name: str) -> Any:
    """A mask that is not there, because nothing is masked, is one of ones."""
    if name in words.call:
        return words.call[name]
    stem = words.call[name.removesuffix("_mask")]
    assert isinstance(stem, Tensor)
    return torch.ones(stem.shape[:2], dtype=torch.long, device=stem.device)


def _masked(words: Sequence[Words], call: Tensors) -> Tensors:
    """Masks for Qwen's prompts of different length, which alone need none."""
    for stem in ("prompt_embeds", "negative_prompt_embeds"):
        lengths = [each.call[stem].shape[1] for each in words if isinstance(each.call.get(stem), Tensor)]  # type: ignore[union-attr]
        known = any(name in call for name in (f"{stem}_mask", stem.replace("embeds", "attention_mask")))
        if len(set(lengths)) > 1 and not known and not any(each.filler for each in words):
            whole = call[stem]
            assert isinstance(whole, Tensor)
            places = torch.arange(whole.shape[1], device=whole.device)
            ends = torch.tensor(lengths, device=whole.device)
            call[f"{stem}_mask"] = (places[None] < ends[:, None]).long()
    return call


def _longer(value: Tensor, length: int, filler: Tensor | None) -> Tensor:
    missing = length - value.shape[1]
    if missing <= 0:
        return value
    if filler is not None:
        return torch.cat([value, filler.repeat(1, missing // filler.shape[1], 1)], dim=1)
    return torch.cat([value, value.new_zeros((value.shape[0], missing, *value.shape[2:]))], dim=1)


def _guided(loaded: Any, guidance: float | None) -> bool:
    """Whether the pipeline will run the negative prompt: its own do_classifier_free_guidance."""
    family = loaded.family
    scale = family.guidance if guidance is None else guidance
    if family.guided != "cfg" or scale is None:
        return False
    config = getattr(loaded.parts.get("unet"), "config", None)
    if getattr(config, "time_cond_proj_dim", None) is not None:
        return False
    return scale > (0 if family.id == "z-image" else 1)


def _against(reader: "_Reader", call: Tensors, negative: str) -> Tensors:
    if not negative and reader.family.id == "sdxl" and reader.config("force_zeros_for_empty_prompt", True):
        return {name: torch.zeros_like(value) for name, value in call.items() if isinstance(value, Tensor)}
    if not negative and reader.family.id.startswith("qwen"):
        negative = " "  # what its makers give where there is none: a template around nothing is no text
    return reader.read(negative, 0)


def _filler(reader: "_Reader", call: Tensors, clip_skip: int) -> dict[str, Tensor]:
    """The empty prompt's chunk, where a sequence is longer than one chunk or may be beside one that is."""
    found: dict[str, Tensor] = {}
    negative = call.get("negative_prompt_embeds")
    found["prompt_embeds"] = reader.empty(clip_skip)
    if isinstance(negative, Tensor):
        zero = not bool(negative.any())
        found["negative_prompt_embeds"] = torch.zeros_like(found["prompt_embeds"]) if zero else reader.empty(0)
    return found


def _as_long(call: Tensors, filler: dict[str, Tensor]) -> Tensors:
    longest = max(call[name].shape[1] for name in filler)  # type: ignore[union-attr]
    return {name: _longer(call[name], longest, one) for name, one in filler.items()}  # type: ignore[arg-type]


class _Reader:
    """Encodes texts with one loaded model; asks its store first."""

    def __init__(self, loaded: Any, clip_skip: int, adapters_key: str, ctx: Any, picture: Any):
        self.loaded, self.family, self._ctx = loaded, loaded.family, ctx
        self._learned = inversion.active(loaded)
        self._picture = picture if loaded.family.id == "qwen-image-edit" else None
        self._made: Any = None
        if self.family.id not in _GIVES:
            raise StudioError(f"The words of {self.family.title} cannot be encoded", code="family")
        learned = self._learned.key if self._learned else ""
        self._key = (adapters_key, learned, _fingerprint(self._picture))
        self._store: Store = loaded.kept.setdefault("words", Store())

    def read(self, text: str, clip_skip: int) -> Tensors:
        """text may hold weights; no choices any more."""
        clip_skip = clip_skip if self.family.clip_skip else 0
        clip_chunks.check_skip(self.loaded.parts, clip_skip)
        key = (text, clip_skip, *self._key)
        kept = self._store.get(key)
        if kept is None:
            if self._ctx is not None:
                self._ctx.stage("Reading the prompt")
            with torch.no_grad():
                kept = self._encoded(text, clip_skip)
            self._store.put(key, kept)
        return kept

    def empty(self, clip_skip: int) -> Tensor:
        found = self.read("", clip_skip)["prompt_embeds"]
        assert isinstance(found, Tensor)
        return found

    def config(self, name: str, default: Any) -> Any:
        return getattr(self._pipeline().config, name, default)

    def ignored(self, text: str, clip_skip: int) -> list[str]:
        """What is not taken from `text`, in words."""
        reading = emphasis.read(text)
        title, found = self.family.title, []
        if reading.tags:
            found.append("Tags like <lora:…> are not read from the prompt; choose LoRAs in their list.")
        if reading.weighted and not self.family.weights:
            found.append(f"{title} knows no weights in a prompt; the words were read without them.")
        if reading.weighted and self.family.id == "sd3":
            found.append(f"Weights act on the CLIP encoders of {title}; its T5 encoder reads the words without them.")
        if len(reading.chunks) > 1 and self.family.id not in CLIP:
            found.append(f"{title} reads a prompt in one piece; BREAK was left out.")
        if clip_skip and not self.family.clip_skip:
            found.append(f"{title} has no CLIP layers to skip; CLIP skip was left out.")
        if self.family.id not in CLIP:
            found += self._cut(reading.plain)
        return found

    def _encoded(self, text: str, clip_skip: int) -> Tensors:
        reading = emphasis.read(text)
        encoders = clip_chunks.encoders(self.loaded.parts)
        if self.family.id in CLIP:
            plain = not reading.weighted and len(reading.chunks) == 1 and not (clip_skip and self.family.id != "sdxl")
            if plain and clip_chunks.fits(encoders, reading, self._learned):
                return self._plain(reading.plain, clip_skip)
            return dict(clip_chunks.encode(encoders, reading, self.family.id, clip_skip, self._learned))
        found = self._plain(reading.plain, clip_skip)
        if self.family.id == "sd3" and reading.weighted:
            found = _over_clip(found, clip_chunks.encode(encoders[:2], reading, "sd3", clip_skip, None))
        return found

    def _plain(self, text: str, clip_skip: int) -> Tensors:
        """What the pipeline's own encode_prompt gives for a text, called as the pipeline calls it."""
        pipeline = self._pipeline()
        known = inspect.signature(pipeline.encode_prompt).parameters
        call = inspect.signature(pipeline.__call__).parameters
        options: dict[str, Any] = {
            "prompt": text, "prompt_2": None, "prompt_3": None, "device": torch.device(self.loaded.device),
            "num_images_per_prompt": 1, "num_videos_per_prompt": 1, "do_classifier_free_guidance": False,
            "clip_skip": clip_skip or None, "image": _seen(pipeline, self._picture),
        }  # fmt: skip
        options |= {
            name: call[name].default for name in ("max_sequence_length", "text_encoder_out_layers") if name in call
        }
        _quieten(type(pipeline).__module__)
        given = pipeline.encode_prompt(**{name: value for name, value in options.items() if name in known})
        given = given if isinstance(given, tuple) else (given,)
        named = zip(_GIVES[self.family.id], given, strict=False)
        return {name: value for name, value in named if name is not None and value is not None}

    def _pipeline(self) -> Any:
        if self._made is None:
            import diffusers

            scheduler = getattr(diffusers, self.loaded.scheduler_class).from_config(self.loaded.scheduler_config)
            use = "text" if "text" in self.family.pipelines else next(iter(self.family.pipelines))
            self._made = self.loaded.pipeline(use, scheduler)
        return self._made

    def _cut(self, text: str) -> list[str]:
        """Says that the end of a prompt is not read, where the encoder's sequence is shorter."""
        if len(text.encode()) < SHORT:
            return []
        tokenizer = self.loaded.parts.get(_READS.get(self.family.id, "tokenizer"))
        limit = inspect.signature(self._pipeline().__call__).parameters.get("max_sequence_length")
        if tokenizer is None or limit is None:
            return []
        tokens = len(tokenizer(text, truncation=False, verbose=False).input_ids)
        if tokens <= limit.default:
            return []
        return [f"The prompt has {tokens} tokens; {self.family.title} reads the first {limit.default}."]


def _over_clip(whole: Tensors, clip: dict[str, Tensor]) -> Tensors:
    """SD3's sequence is CLIP's 77 tokens, filled up with zeros to T5's width, then T5's tokens."""
    embeds = whole["prompt_embeds"]
    assert isinstance(embeds, Tensor)
    weighted = embeds.clone()
    weighted[:, : clip["prompt_embeds"].shape[1], : clip["prompt_embeds"].shape[2]] = clip["prompt_embeds"]
    return whole | {"prompt_embeds": weighted}


def _seen(pipeline: Any, picture: Any) -> Any:
    """The picture in the size in which the pipeline shows it to its text encoder."""
    if picture is None:
        return None
    plus = "Plus" in type(pipeline).__name__
    area = 384 * 384 if plus else 1024 * 1024
    module = importlib.import_module(type(pipeline).__module__)

    def resized(one: Any) -> Any:
        width, height = module.calculate_dimensions(area, one.width / one.height)[:2]
        return pipeline.image_processor.resize(one, height, width)

    found = [resized(one) for one in (picture if isinstance(picture, list) else [picture])]
    return found if plus else found[0]


def _fingerprint(picture: Any) -> str:
    pictures = [] if picture is None else picture if isinstance(picture, list) else [picture]
    digest = hashlib.sha256()
    for each in pictures:
        digest.update(f"{each.mode} {each.size}".encode() + each.tobytes())
    return digest.hexdigest() if pictures else ""


class _Quiet(logging.Filter):
    """Words.ignored says what was cut, for the person; the libraries' own lines are for programmers."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        return "was truncated because" not in said and "longer than the specified maximum sequence" not in said


_QUIET = _Quiet()


def _quieten(module: str) -> None:
    for name in (module, "transformers.tokenization_utils_base"):
        logging.getLogger(name).addFilter(_QUIET)  # a filter that is there already is not added again
