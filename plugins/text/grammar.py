"""Grammars that a text is kept to: JSON schemas, regular expressions, Lark grammars, by llguidance.

Owns Grammars (compiled ones of one vocabulary) and Matcher (one text's way through a grammar). llguidance works on
the bytes of tokens, fetches nothing, and computes which tokens are allowed in tens of microseconds.
"""

import math
from collections import OrderedDict
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer
from torch import Tensor

from studio.errors import StudioError

from .grammar_tokens import speak
from .params_sampling import Structure
from .stages import nothing_left

KEPT = 16
"""Compiled grammars of one vocabulary."""

WHITESPACE = r"[ \n\r\t]{1,20}"
"""Between the parts of JSON, unless the schema says otherwise: a weak model would write blanks for ever."""

COMPLETE = ("NoExtension", "NoExtensionBias", "EndOfSentence")


class Matcher:
    """One text's way through a grammar, token by token."""

    def __init__(self, matcher: LLMatcher):
        self._matcher = matcher
        self._bits: np.ndarray | None = None

    def allows(self, ids: np.ndarray) -> np.ndarray:
        """ids: (n,) of the vocabulary; a mask of those that may come next."""
        bits = self._mask()
        known = ids < 8 * len(bits)
        return known & ((bits[np.where(known, ids, 0) >> 3] >> (ids & 7)) & 1 == 1)

    def masked(self, logits: Tensor) -> Tensor:
        """(V,) -inf where a token may not come next. Raises StudioError when that is everywhere."""
        bits = np.unpackbits(self._mask(), count=logits.shape[0], bitorder="little")
        allowed = torch.from_numpy(bits.view(np.bool_)).to(logits.device)
        masked = torch.where(allowed, logits, -math.inf)
        if float(masked.max()) == -math.inf:
            raise nothing_left("grammar")
        return masked

    def push(self, token: int) -> bool:
        """`token` was chosen; whether the grammar is complete with it and nothing can follow."""
        self._bits = None
        if not self._matcher.consume_token(token):
            raise stuck(self._matcher)
        if not self._matcher.is_stopped():
            return False
        if self._matcher.stop_reason() not in COMPLETE:
            raise stuck(self._matcher)
        return True

    def copy(self) -> "Matcher":
        return Matcher(self._matcher.deep_copy())

    def _mask(self) -> np.ndarray:
        """One bit a token, the lowest first. Raises StudioError where no way leads on."""
        if self._bits is None:
            bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
            if self._matcher.is_error() or (self._matcher.is_stopped() and not self._matcher.is_accepting()):
                raise stuck(self._matcher)
            self._bits = bits
        return self._bits


class Grammars:
    """Compiles grammars for one vocabulary, and keeps the newest."""

    def __init__(self, tokenizer: Any, size: int, ends: frozenset[int]):
        self._tokenizer, self._size, self._ends = tokenizer, size, ends
        self._spoken: LLTokenizer | None = None
        self._kept: OrderedDict[tuple[Structure, str], LLMatcher] = OrderedDict()

    def matcher(self, structure: Structure, grammar: str) -> Matcher:
        """At the beginning of a text. Raises StudioError when it is no grammar or allows nothing."""
        key = (structure, grammar)
        if key not in self._kept:
            self._kept[key] = self._compile(structure, grammar)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return Matcher(self._kept[key].deep_copy())

    def _compile(self, structure: Structure, grammar: str) -> LLMatcher:
        try:
            match structure:
                case Structure.JSON_SCHEMA:
                    source = LLMatcher.grammar_from_json_schema(grammar, {"whitespace_pattern": WHITESPACE})
                case Structure.REGEX:
                    source = LLMatcher.grammar_from_regex(grammar)
                case _:
                    source = LLMatcher.grammar_from_lark(grammar)
        except ValueError as error:
            raise no_grammar(structure, str(error)) from None
        matcher = LLMatcher(self._speak(), source, log_level=0)
        if matcher.is_error():
            raise no_grammar(structure, matcher.get_error())
        # Some contradictions show only when the first token is looked for.
        probe = matcher.deep_copy()
        probe.compute_bitmask()
        if probe.is_error() or (probe.is_stopped() and not probe.is_accepting()):
            raise unsatisfiable(structure, probe.get_error())
        return matcher

    def _speak(self) -> LLTokenizer:
        """The tokenizer as llguidance reads it; a second or more for a large vocabulary, once."""
        if self._spoken is None:
            self._spoken = speak(self._tokenizer, self._size, sorted(self._ends))
        return self._spoken


NAMES = {
    Structure.JSON_SCHEMA: "JSON schema",
    Structure.REGEX: "regular expression",
    Structure.LARK: "Lark grammar",
}


def no_grammar(structure: Structure, said: str) -> StudioError:
    if "nsatisfiable" in said:
        return unsatisfiable(structure, said)
    return StudioError(
        f"This {NAMES[structure]} cannot be used",
        _words(said),
        "Correct it, or set the structure to free.",
        code="grammar",
    )


def unsatisfiable(structure: Structure, said: str = "") -> StudioError:
    return StudioError(
        f"No text satisfies this {NAMES[structure]}",
        _words(said) or "It contradicts itself: not even a first token is allowed.",
        "Loosen it, or set the structure to free.",
        code="unsatisfiable",
    )


def stuck(matcher: LLMatcher) -> StudioError:
    said = _words(matcher.get_error())
    return StudioError(
        "The grammar leads nowhere from here",
        f"After what was written no token is allowed, and the text is not complete. {said}".strip(),
        "Look for a part of the grammar that cannot be finished, or that this model's tokens cannot spell.",
        code="grammar-stuck",
    )


def _words(said: str) -> str:
    """Of what llguidance says the part for people: without its state, and without a bare name of a reason."""
    said = said.partition("<state>")[0].strip()
    return said[:2000] if " " in said else ""
