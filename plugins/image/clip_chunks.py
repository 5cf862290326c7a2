"""Weighted and long prompts for CLIP's text encoders: chunks of 75 tokens, each encoded by itself.

Owns the formula. A token's embedding z under weight w becomes e + w (z - e), where e is the empty prompt's at the
same place: the interpolation of Compel (https://github.com/damian0815/compel, embeddings_provider.py, for w >= 1),
here for every w; at w = 1 the bits stay. Why the formula is taken and not the library: docs/decisions/0013. Chunks
that end at a comma, and their embeddings one behind the other, are what the web UIs do with long prompts.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from studio.errors import StudioError

from .emphasis import Reading
from .inversion import Learned

CHUNK = 75
BACK = 20
"""How far before a chunk's end a comma may end it earlier."""


@dataclass(frozen=True)
class Encoder:
    """One of the model's text encoders; `place`: 0 for text_encoder, 1 for text_encoder_2."""

    place: int
    tokenizer: Any
    network: Any


@dataclass(frozen=True)
class Token:
    id: int
    weight: float = 1.0
    vector: Tensor | None = None
    """A learned word's, in place of the vocabulary's."""


def encoders(parts: dict[str, Any]) -> list[Encoder]:
    names = (("tokenizer", "text_encoder"), ("tokenizer_2", "text_encoder_2"))
    found = [Encoder(place, parts.get(one), parts.get(other)) for place, (one, other) in enumerate(names)]
    return [encoder for encoder in found if encoder.network is not None]


def fits(found: Sequence[Encoder], reading: Reading, learned: Learned | None) -> bool:
    """Whether a prompt without weights is one chunk of ordinary words, which the pipeline encodes itself."""
    tokens = [_tokens(encoder, reading, learned)[0] for encoder in found]
    return all(
        len(each) <= _room(e) and all(t.vector is None for t in each) for e, each in zip(found, tokens, strict=True)
    )


def encode(
    found: Sequence[Encoder], reading: Reading, family: str, clip_skip: int, learned: Learned | None
) -> dict[str, Tensor]:
    """prompt_embeds (1, 77 n, D) and, for SDXL and SD3, pooled_prompt_embeds (1, P) of the first chunk."""
    parts, pooled = [], []
    for encoder in found:
        chunks = [chunk for tokens in _tokens(encoder, reading, learned) for chunk in _split(tokens, encoder)]
        if family == "sd3":
            chunks = chunks[:1]
        hidden, first = _forward(encoder, chunks, family, clip_skip)
        if any(token.weight != 1.0 for chunk in chunks for token in chunk):
            hidden = _weighted(hidden, _forward(encoder, [[]], family, clip_skip)[0], chunks)
        parts.append(hidden)
        pooled += [first] if first is not None else []
    longest = max(part.shape[0] for part in parts)
    whole = torch.cat([_filled(part, e, longest, family, clip_skip) for part, e in zip(parts, found, strict=True)], -1)
    embeds = whole.reshape(1, -1, whole.shape[-1]).to(found[-1].network.dtype)
    if family in ("sd15", "sd2"):
        return {"prompt_embeds": embeds}
    return {"prompt_embeds": embeds, "pooled_prompt_embeds": torch.cat(pooled, -1) if family == "sd3" else pooled[0]}


def _weighted(hidden: Tensor, empty: Tensor, chunks: list[list[Token]]) -> Tensor:
    # hidden: (n, 77, D); empty: (1, 77, D)
    weights = torch.ones(hidden.shape[:2], dtype=hidden.dtype)
    for row, chunk in enumerate(chunks):
        for place, token in enumerate(chunk, 1):
            weights[row, place] = token.weight
    weights = weights.to(hidden.device)[..., None]
    return torch.where(weights == 1, hidden, empty + weights * (hidden - empty))


def _filled(part: Tensor, encoder: Encoder, longest: int, family: str, clip_skip: int) -> Tensor:
    """Encoders that made fewer chunks of the same words are given empty ones."""
    if part.shape[0] == longest:
        return part
    empty = _forward(encoder, [[]], family, clip_skip)[0]
    return torch.cat([part, empty.expand(longest - part.shape[0], -1, -1)])


def _forward(encoder: Encoder, chunks: list[list[Token]], family: str, clip_skip: int) -> tuple[Tensor, Tensor | None]:
    """Hidden states (n, 77, D) of the layer that the family takes, and the first chunk's pooled output (1, P).

    One chunk at a time, as the pipeline does it, for the same bits whatever else is in the prompt.
    """
    tokenizer, network = encoder.tokenizer, encoder.network
    room = _room(encoder)
    hidden, pooled = [], None
    for chunk in chunks:
        pad = tokenizer.pad_token_id
        ids = [tokenizer.bos_token_id, *(token.id for token in chunk), tokenizer.eos_token_id]
        ids += [pad] * (room + 2 - len(ids))
        with _vectors(network, chunk):
            output = network(torch.tensor([ids], device=network.device), output_hidden_states=True)
        hidden.append(_layer(network, output, family, clip_skip))
        if pooled is None and output[0].ndim == 2:
            pooled = output[0]
    return torch.cat(hidden), pooled


def check_skip(parts: Mapping[str, Any], clip_skip: int) -> None:
    """Raises StudioError code "clip-skip" where that would leave no layer of the model's CLIP encoders."""
    configs = [getattr(parts.get(name), "config", None) for name in ("text_encoder", "text_encoder_2")]
    layers = min((n for config in configs if (n := getattr(config, "num_hidden_layers", 0))), default=0)
    if clip_skip and layers and clip_skip >= layers:
        raise StudioError(
            "More CLIP layers are skipped than there are",
            f"The text encoder of this model has {layers} layers; {clip_skip} are to be left out.",
            f"Skip {layers - 1} at most.",
            code="clip-skip",
        )


def _layer(network: Any, output: Any, family: str, clip_skip: int) -> Tensor:
    """SDXL and SD3 take the last layer but one without the final norm; SD 1 and 2 the last, normed."""
    if family in ("sdxl", "sd3"):
        return output.hidden_states[-(clip_skip + 2)]
    if not clip_skip:
        return output.last_hidden_state
    inner = getattr(network, "text_model", network)
    return inner.final_layer_norm(output.hidden_states[-(clip_skip + 1)])


class _vectors:
    """Puts learned words' vectors in place of the vocabulary's during one forward of a shared encoder."""

    def __init__(self, network: Any, chunk: list[Token]):
        self._rows = [(place, token.vector) for place, token in enumerate(chunk, 1) if token.vector is not None]
        self._embedding = network.get_input_embeddings() if self._rows else None

    def __enter__(self) -> None:
        if self._embedding is not None:
            self._hook = self._embedding.register_forward_hook(self._replace)

    def __exit__(self, *_: object) -> None:
        if self._embedding is not None:
            self._hook.remove()

    def _replace(self, _module: Any, _given: Any, output: Tensor) -> Tensor:
        output = output.clone()
        for place, vector in self._rows:
            output[:, place] = vector.to(output)
        return output


def _room(encoder: Encoder) -> int:
    return min(int(encoder.tokenizer.model_max_length), CHUNK + 2) - 2


def _tokens(encoder: Encoder, reading: Reading, learned: Learned | None) -> list[list[Token]]:
    """The tokens between BREAKs."""
    found = []
    for chunk in reading.chunks:
        tokens: list[Token] = []
        for piece in chunk:
            for text, vectors in _words(piece.text, encoder.place, learned):
                if vectors is not None:
                    tokens += [Token(0, piece.weight, vector) for vector in vectors]
                elif text:
                    ids = encoder.tokenizer(text, add_special_tokens=False, truncation=False, verbose=False).input_ids
                    tokens += [Token(one, piece.weight) for one in ids]
        found.append(tokens)
    return found


def _words(text: str, place: int, learned: Learned | None) -> Iterator[tuple[str, Tensor | None]]:
    if learned is None or not learned.vectors.get(place):
        yield text, None
        return
    at = 0
    for match in learned.pattern.finditer(text):
        yield text[at : match.start()], None
        yield "", learned.vectors[place][match.group().casefold()]
        at = match.end()
    yield text[at:], None


def _split(tokens: list[Token], encoder: Encoder) -> list[list[Token]]:
    """Chunks of at most 75 tokens, ended after a comma where one is near the end; at least one."""
    room = _room(encoder)
    if len(tokens) <= room:
        return [tokens]
    commas = set(encoder.tokenizer(",", add_special_tokens=False).input_ids)
    found = []
    while len(tokens) > room:
        ends = [at for at in range(max(1, room - BACK), room + 1) if tokens[at - 1].id in commas]
        cut = ends[-1] if ends else room
        found.append(tokens[:cut])
        tokens = tokens[cut:]
    return [*found, tokens] if tokens else found


def pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Finds whole words, the longest first, in any case of letters."""
    ordered = sorted(map(re.escape, words), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(ordered)})(?!\w)", re.IGNORECASE)
