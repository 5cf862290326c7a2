"""What a sampler must know of a model's tokens: which there are, what they spell, which end a text.

Owns Lexicon, made once a loaded model and kept with it: what is found out by reading all tokens, and compiled
grammars, are there for the next request.
"""

from collections.abc import Iterable
from typing import Any

from tokenizers.decoders import ByteLevel

from studio.errors import StudioError

from .escapes import unescape
from .grammar import Grammars, Matcher
from .marks import TokenMarks
from .params_sampling import BAN, Bias, SamplingParams, Structure
from .stages import StageName
from .streaming import ALPHABET

BLANKS = "\n\r\t \v\f"


class Lexicon:
    """tokenizer: a transformers tokenizer. size: how many logits the model gives. ends: ids that end a text."""

    def __init__(self, tokenizer: Any, size: int, ends: Iterable[int] = ()):
        self._tokenizer, self.size, self._ends = tokenizer, size, frozenset(ends)
        self._grammars = Grammars(tokenizer, size, self._ends)
        self._spelled: list[str] = []
        self._holding: dict[tuple[str, ...], frozenset[int]] = {}

    def marks(self, settings: SamplingParams) -> TokenMarks:
        """What these settings say about single tokens. Raises StudioError for a bias on what is no token."""
        on = settings.working()
        return TokenMarks(
            vocabulary=self.size,
            bias=self._biases(settings.logit_bias) if StageName.BIAS in on else {},
            breakers=self.holding(settings.breakers()) if StageName.DRY in on else frozenset(),
            protected=self._ends | self._line_breaks() if StageName.XTC in on else frozenset(),
        )

    def matcher(self, settings: SamplingParams) -> Matcher | None:
        """What keeps a text to its grammar, from the beginning; None where it is free. Raises StudioError."""
        if settings.structure is Structure.FREE:
            return None
        return self._grammars.matcher(settings.structure, settings.grammar)

    def holding(self, texts: tuple[str, ...]) -> frozenset[int]:
        """The tokens in which one of these texts occurs."""
        if texts not in self._holding:
            marks = [spelling for text in texts for spelling in self._spellings(text)]
            found = (id for id, piece in enumerate(self._pieces()) if any(mark in piece for mark in marks))
            self._holding[texts] = frozenset(found)
        return self._holding[texts]

    def _line_breaks(self) -> frozenset[int]:
        """Tokens of nothing but blanks, a line break among them."""
        key = ("\n",)
        blanks = {spelling for blank in BLANKS for spelling in self._spellings(blank)}
        pieces = self._pieces()
        return frozenset(
            id for id in self.holding(key) if pieces[id] in blanks or all(letter in blanks for letter in pieces[id])
        )

    def _biases(self, biases: Iterable[Bias]) -> dict[int, float]:
        found: dict[int, float] = {}
        for bias in biases:
            token = self._token(bias.token)
            found[token] = float("-inf") if bias.bias <= BAN else found.get(token, 0.0) + bias.bias
        return found

    def _token(self, text: str) -> int:
        """#number, or a text that is exactly one token."""
        if text[:1] == "#" and text[1:].isdecimal():
            if int(text[1:]) < self.size:
                return int(text[1:])
            raise no_token(text, f"The model's tokens go from #0 to #{self.size - 1}.")
        ids = list(self._tokenizer(unescape(text), add_special_tokens=False)["input_ids"])
        if len(ids) == 1 and ids[0] < self.size:
            return ids[0]
        pieces = ", ".join(f"#{id} {self._tokenizer.decode([id])!r}" for id in ids[:8])
        raise no_token(text, f"For this model it is {len(ids)} tokens{': ' + pieces if ids else ''}.")

    def _pieces(self) -> list[str]:
        """All tokens as the vocabulary spells them."""
        if not self._spelled:
            known = min(len(self._tokenizer), self.size)
            self._spelled = [piece or "" for piece in self._tokenizer.convert_ids_to_tokens(list(range(known)))]
        return self._spelled

    def _spellings(self, text: str) -> list[str]:
        """How a text may be spelled in the vocabulary: its bytes as letters, or itself and a byte of its own."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is not None and isinstance(backend.decoder, ByteLevel):
            return ["".join(LETTERS[byte] for byte in text.encode())]
        found = [text.replace(" ", "\N{LOWER ONE EIGHTH BLOCK}")]
        return [*found, f"<0x{ord(text):02X}>"] if len(text) == 1 and ord(text) < 128 else found


LETTERS = {byte: letter for letter, byte in ALPHABET.items()}


def no_token(text: str, why: str) -> StudioError:
    return StudioError(
        f"There is no token {text!r}",
        f"{why} A bias acts on one token.",
        "Write a text that is one token, often a word with the space before it, or the number of a token after #.",
        code="no-token",
    )
