"""A model's tokens as the bytes that they spell, which is how llguidance reads a vocabulary."""

from collections.abc import Sequence
from typing import Any

from llguidance import LLTokenizer, TokenizerWrapper
from llguidance.hf import from_tokenizer
from tokenizers.decoders import ByteLevel, Metaspace
from transformers import PreTrainedTokenizerFast

from studio.errors import StudioError

from .streaming import token_bytes

SPACE = "\N{LOWER ONE EIGHTH BLOCK}"


def speak(tokenizer: Any, size: int, ends: Sequence[int]) -> LLTokenizer:
    """tokenizer: of transformers; size: how many logits there are; ends: ids that end a text, perhaps none.

    Raises StudioError when its tokens cannot be read as bytes.
    """
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise unreadable(type(tokenizer).__name__)
    if ends:
        try:
            return from_tokenizer(tokenizer, n_vocab=size, eos_token=list(ends))
        except ValueError:
            pass  # a kind of vocabulary that it cannot read by itself
    return LLTokenizer(TokenizerWrapper(_Spelled(tokenizer, size, ends)), eos_token=list(ends) or [size])


class _Spelled:
    """What TokenizerWrapper wants to know. Where nothing ends a text, a token that does not exist stands for it."""

    def __init__(self, tokenizer: Any, size: int, ends: Sequence[int]):
        backend = tokenizer.backend_tokenizer
        if isinstance(backend.decoder, ByteLevel):
            spell = token_bytes
        elif isinstance(backend.decoder, Metaspace):
            spell = _metaspace
        else:
            raise unreadable(type(backend.decoder).__name__)
        added = backend.get_added_tokens_decoder()
        pieces = (added[id].content.encode() if id in added else _of(backend, id, spell) for id in range(size))
        self.tokens = [*pieces, b"<|nothing|>"]
        special = {id for id, token in added.items() if token.special and id < size}
        missing = {id for id, piece in enumerate(self.tokens) if not piece}
        self.special_token_ids = sorted(special | missing | {size})
        self._ids = {piece: id for id, piece in enumerate(self.tokens) if id not in special | missing}
        self._longest = max(map(len, self._ids), default=0)
        self.eos_token_id = ends[0] if ends else size
        self.bos_token_id = tokenizer.bos_token_id

    def __call__(self, text: bytes | str) -> list[int]:
        """The longest tokens from the left. The tokenizer itself would put a space before the text."""
        left = text.encode() if isinstance(text, str) else text
        found: list[int] = []
        while left:
            length = next((n for n in range(min(self._longest, len(left)), 0, -1) if left[:n] in self._ids), 0)
            if not length:
                break
            found.append(self._ids[left[:length]])
            left = left[length:]
        return found


def _of(backend: Any, id: int, spell: Any) -> bytes:
    piece = backend.id_to_token(id)
    return spell(piece) if piece else b""


def _metaspace(piece: str) -> bytes:
    if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace(SPACE, " ").encode()


def unreadable(kind: str) -> StudioError:
    return StudioError(
        "This model cannot be kept to a grammar",
        f"Its tokenizer ({kind}) does not say which bytes a token stands for.",
        "Choose another model, or set the structure to free.",
        code="grammar-tokenizer",
    )
