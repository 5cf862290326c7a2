"""Guesses at what a model will write next, cheap enough to be wrong often: from the text itself, or by a small model.

Owns Lookup and DraftModel (what is asked) and their Drafters (one text's guessing). A guess decides nothing: the model
computes all guessed places at once and chooses at each with its own sampler, so the text is the one that it writes
without guesses, at every temperature. A draft model is asked with a twin of that very sampler and the same random
numbers, so where it thinks alike it guesses right also when much is left to chance: the drafter-invariant kind of
speculative decoding (Daliri et al. 2024), after Leviathan et al. 2023.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from studio.errors import StudioError
from studio.sdk.operation import JobContext

from .decoding import Sequence as Fed
from .loading import Language
from .prefix_cache import common

NGRAM = 3
"""The longest end of the text that is looked for earlier in it."""

LEAST, MOST = 1, 16
ALIKE = 0.98


class Drafter(Protocol):
    def guess(self, ids: list[int], choose: Any, most: int) -> list[int]:
        """Up to `most` tokens that may follow `ids`, everything read and written so far. choose: the text's sampler,

        of which a draft model asks a `twin()`.
        """
        ...

    def close(self) -> None:
        """No more guesses; called once."""
        ...


class Drafts(Protocol):
    """A way to guess."""

    @property
    def first(self) -> int:
        """How many tokens are guessed to begin with."""
        ...

    def begin(self, ids: list[int], language: Language, ctx: JobContext) -> Drafter:
        """For one text that begins with `ids`. Raises StudioError when it cannot work with this model."""
        ...


class Appetite:
    """How many tokens to guess: two more after every guess that was right to the end, one less after any other."""

    def __init__(self, first: int):
        self.now = first

    def learn(self, guessed: int, right: int) -> None:
        if guessed:
            self.now = min(MOST, self.now + 2) if right == guessed else max(LEAST, self.now - 1)


@dataclass(frozen=True, slots=True)
class Lookup:
    """What followed the last words when they came up before: for summaries, corrections, code."""

    first: int = 8

    def begin(self, ids: list[int], language: Language, ctx: JobContext) -> Drafter:
        return _Remembered()


class _Remembered:
    """Where each run of up to NGRAM tokens came up last, before the end of the text."""

    def __init__(self) -> None:
        self._places: dict[tuple[int, ...], int] = {}
        self._read = 0

    def guess(self, ids: list[int], choose: Any, most: int) -> list[int]:
        for end in range(self._read + 1, len(ids)):
            for length in range(1, min(NGRAM, end) + 1):
                self._places[tuple(ids[end - length : end])] = end
        self._read = max(0, len(ids) - 1)
        for length in range(min(NGRAM, len(ids)), 0, -1):
            if (at := self._places.get(tuple(ids[-length:]))) is not None:
                return ids[at : at + most]
        return []

    def close(self) -> None:
        self._places.clear()


@dataclass(frozen=True, slots=True)
class DraftModel:
    """A smaller model with the same vocabulary writes ahead."""

    language: Language
    first: int = 4

    def begin(self, ids: list[int], language: Language, ctx: JobContext) -> Drafter:
        if not _same_words(self.language, language) or max(ids) >= self.language.vocabulary:
            raise StudioError(
                "The draft model has another vocabulary",
                "It can guess only for models whose tokens are nearly all the same as its own.",
                "Choose a smaller model of the same family, or no draft model.",
                code="draft-vocabulary",
            )
        if self.language.model is language.model:
            raise StudioError(
                "The draft model is the model itself",
                "Guessing with it would take longer than writing.",
                "Choose a smaller model of the same family, or no draft model.",
                code="draft-vocabulary",
            )
        return _Ahead(self.language, ids, language.vocabulary, ctx)


class _Ahead:
    """One text in the draft model."""

    def __init__(self, language: Language, ids: list[int], vocabulary: int, ctx: JobContext):
        self._language, self._vocabulary = language, vocabulary
        branch, _ = language.prefixes.take(ids)
        self._fed = Fed(language, branch, ctx.alive)

        def between(done: int) -> None:
            ctx.stage("The draft model reads the prompt", done, len(ids))
            ctx.check()

        try:
            between(self._fed.length)
            self._fed.read(ids, between)
            if not self._fed.takes_back:
                raise cannot_take_back("the draft model's")
        except BaseException:
            self.close()
            raise

    def guess(self, ids: list[int], choose: Any, most: int) -> list[int]:
        if self._language.context is not None:
            most = min(most, self._language.context - len(ids))
        fed = self._fed
        same = min(common(fed.ids, ids), len(ids) - 1)
        new = ids[same:]
        if most < 1 or max(new) >= self._language.vocabulary:
            return []  # a token that only the large model has: from here on it would guess blindly
        fed.take_back(fed.length - same)
        twin, found = choose.twin(), list[int]()
        while True:
            logits = fed.try_out(new)[-1]
            token = token_of(twin(_fitted(logits, self._vocabulary)))
            found.append(token)
            if len(found) == most or token in self._language.ends:
                return found
            new = [token]

    def close(self) -> None:
        for branch in self._fed.branches():
            self._language.prefixes.give(branch)


def cannot_take_back(whose: str) -> StudioError:
    return StudioError(
        "This kind of model cannot be written ahead of",
        f"A wrong guess could not be taken back from {whose} memory: it has a sliding window or recurrent layers.",
        "Turn drafts off, or choose a model with full attention in every layer.",
        code="draft-cache",
    )


def token_of(choice: Any) -> int:
    return choice if isinstance(choice, int) else choice.token


def _same_words(one: Language, other: Language) -> bool:
    """Whether nearly all tokens are the same; relatives differ in a few that were added for chat or tools."""
    mine, yours = one.tokenizer.get_vocab(), other.tokenizer.get_vocab()
    return len(mine.items() & yours.items()) >= ALIKE * max(len(mine), len(yours))


def _fitted(logits: Tensor, vocabulary: int) -> Tensor:
    """Logits (V,) of a model whose vocabulary is padded to another size; what it does not know it does not guess."""
    if len(logits) >= vocabulary:
        return logits[:vocabulary]
    return torch.nn.functional.pad(logits, (0, vocabulary - len(logits)), value=-torch.inf)
