"""From tokens to text while they come: pieces that are never taken back and miss nothing in the end.

Owns the incremental detokenisers and StopStrings. Never waits for the next space and never shows half of a
character. Imports no torch.
"""

import codecs
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from tokenizers.decoders import ByteLevel

HELD = 8
LOST = "\N{REPLACEMENT CHARACTER}"


class Detokeniser(Protocol):
    def push(self, token: int) -> str:
        """The text that is certain now."""
        ...

    def finish(self) -> str:
        """What was still held: an unfinished character comes out as a replacement character."""
        ...


def detokeniser(tokenizer: Any, before: Sequence[int] = ()) -> Detokeniser:
    """The right one for a transformers tokenizer. before: the prompt's tokens, which decide about a first space."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is not None and isinstance(backend.decoder, ByteLevel):
        return Bytes(backend)
    return Window(tokenizer, before)


class Bytes:
    """For byte-level vocabularies (GPT-2, Llama 3, Qwen, …): each token is a string of bytes.

    What the pieces add up to is exactly what the tokenizer makes of all tokens at once, special ones left out.
    """

    def __init__(self, backend: Any):
        self._backend = backend
        self._special = {id for id, token in backend.get_added_tokens_decoder().items() if token.special}
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token: int) -> str:
        if token in self._special:
            return ""
        text = self._backend.id_to_token(token)
        return self._decoder.decode(token_bytes(text)) if text else ""

    def finish(self) -> str:
        return self._decoder.decode(b"", final=True)


class Window:
    """For any tokenizer: decodes the last piece together with the new tokens and gives what was added.

    A window that ends in an unfinished character is held, but for no more than `held` tokens.
    """

    def __init__(self, tokenizer: Any, before: Sequence[int] = (), held: int = HELD):
        self._tokenizer, self._held = tokenizer, held
        self._context = list(before[-HELD:])
        self._shown = self._decode(self._context)
        self._new: list[int] = []

    def push(self, token: int) -> str:
        self._new.append(token)
        text = self._added()
        if not text or (text.endswith(LOST) and len(self._new) <= self._held):
            return ""
        self._context, self._new = self._new, []
        self._shown = self._decode(self._context)
        return text

    def finish(self) -> str:
        text = self._added() if self._new else ""
        self._new = []
        return text

    def _added(self) -> str:
        both = self._decode(self._context + self._new)
        # Some decoders change their mind about what they said; what was shown stays, and this is the rest.
        return both[len(self._shown) :] if both.startswith(self._shown) else self._decode(self._new)

    def _decode(self, ids: list[int]) -> str:
        if not ids:
            return ""
        return self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def _alphabet() -> dict[str, int]:
    """The character that stands for each byte in a byte-level vocabulary (GPT-2's bytes_to_unicode, reversed)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


ALPHABET = _alphabet()


def token_bytes(token: str) -> bytes:
    """The bytes of a byte-level token; one that holds other characters (an added token) stands for itself."""
    try:
        return bytes(ALPHABET[character] for character in token)
    except KeyError:
        return token.encode()


class StopStrings:
    """Lets text through up to the first stop string, holding back only what may still become one.

    The result does not depend on where the pieces are cut: the stop string that is complete first counts, of
    two that end together the longer one.
    """

    def __init__(self, stops: Iterable[str]):
        self._stops = tuple(dict.fromkeys(stops))
        self._held = ""
        self.hit = ""

    def push(self, text: str) -> str:
        """What can be shown now. After a hit (`hit` is the stop string) nothing more is."""
        if not self._stops:
            return text
        if self.hit:
            return ""
        self._held += text
        found = [(at + len(stop), at, stop) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            _, at, self.hit = min(found)
            shown, self._held = self._held[:at], ""
            return shown
        keep = max(_overlap(self._held, stop) for stop in self._stops)
        cut = len(self._held) - keep
        shown, self._held = self._held[:cut], self._held[cut:]
        return shown

    def finish(self) -> str:
        """What was held, now that no more will come."""
        shown, self._held = self._held, ""
        return shown


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that `stop` begins with."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if stop.startswith(text[-length:]):
            return length
    return 0
