"""What of a conversation fits into a model's context, and what has to stay out, said before anything is sent.

Owns the arithmetic and its words: turns, the room an answer is kept, Fit. With counted tokens it is exact (in the
worker), with `estimate_tokens` it is near (in the window, while somebody types). Imports the standard library only.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LENGTHS = ("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length", "max_seq_len")
MESSAGE = 5
"""Tokens that a template puts around a message, about."""

_PIECES = re.compile(r"[A-Za-z]+|\d+|[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]|[^\W\d_]+|\n+|[^\w\s]+|_+")


@dataclass(frozen=True, slots=True)
class Fit:
    """How a conversation stands to a context. Sizes in tokens.

    tokens: of what would be sent. whole: of all messages. room: what a conversation may take, None without a limit;
    the context less `reserve`, which is kept for the answer. dropped: how many messages are left out, the oldest
    behind the system prompt, whole turns. of: how many there are. fits: whether what would be sent does.
    """

    tokens: int
    whole: int
    context: int | None
    reserve: int
    dropped: int
    of: int
    fits: bool
    exact: bool

    @property
    def room(self) -> int | None:
        return None if self.context is None else self.context - self.reserve

    @property
    def share(self) -> float:
        """How full the room would be with everything in it; 1 is full."""
        return self.whole / max(1, self.room) if self.room is not None else 0.0

    def words(self) -> str:
        """One sentence for a person."""
        about = "" if self.exact else "about "
        if self.context is None:
            return f"The conversation is {about}{self.whole:,} tokens long."
        size = f"The conversation is {about}{self.whole:,} tokens long; the model holds {self.context:,}, of which "
        size += f"{self.reserve:,} are kept for the answer."
        if not self.dropped and self.fits:
            return size
        if not self.fits:
            return f"{size} Even the last message alone is {about}{self.tokens:,}."
        gone = "the oldest message" if self.dropped == 1 else f"the oldest {self.dropped:,} messages"
        return f"{size} Without {gone} of {self.of:,} it is {about}{self.tokens:,} and fits."


def reserve(context: int, max_tokens: int) -> int:
    """What is kept for the answer: what was asked for, a quarter of the context at most."""
    return max(1, min(max_tokens, context // 4))


def starts(roles: Sequence[str]) -> list[int]:
    """Where a conversation may be made to begin: 0, and every later message of the user; the last is the last turn.

    roles: of the messages behind the system prompt.
    """
    return [0] + [at for at, role in enumerate(roles) if role == "user" and at > 0]


def fit(roles: Sequence[str], size: Callable[[int], int], context: int | None, max_tokens: int, exact: bool) -> Fit:
    """The least that has to be left out, found by halving: `size` is asked for about log2 of the turns.

    roles: of the messages behind the system prompt. size(n): the tokens that are sent without the first n of them.
    """
    whole = size(0)
    if context is None:
        return Fit(whole, whole, None, 0, 0, len(roles), True, exact)
    kept = reserve(context, max_tokens)
    room = context - kept
    if whole <= room:
        return Fit(whole, whole, context, kept, 0, len(roles), True, exact)
    turns = starts(roles)
    low, high = 1, len(turns)  # the first start from which it fits lies in turns[low:high], or nowhere
    while low < high:
        middle = (low + high) // 2
        if size(turns[middle]) <= room:
            high = middle
        else:
            low = middle + 1
    dropped = turns[min(low, len(turns) - 1)]
    tokens = size(dropped)
    return Fit(tokens, whole, context, kept, dropped, len(roles), tokens <= room, exact)


def estimated(
    messages: Sequence[Mapping[str, str]], system: str, context: int | None, max_tokens: int, scale: float = 1.0
) -> Fit:
    """A Fit without a tokenizer. messages: of any role; those of the system count to the system prompt.

    scale: from `learnt_scale`, once a model has answered.
    """
    fixed = [system] * bool(system) + [m["content"] for m in messages if m["role"] == "system"]
    rest = [message for message in messages if message["role"] != "system"]
    sizes = [estimate_tokens(message["content"]) + MESSAGE for message in rest]
    base = sum(estimate_tokens(text) + MESSAGE for text in fixed) + MESSAGE
    behind = [0]
    for count in reversed(sizes):
        behind.append(behind[-1] + count)
    behind.reverse()  # behind[n]: of all messages from the n-th on
    return fit([m["role"] for m in rest], lambda n: round((base + behind[n]) * scale), context, max_tokens, False)


@functools.lru_cache(maxsize=8192)
def estimate_tokens(text: str) -> int:
    """About how many tokens a vocabulary of a hundred thousand makes of it; for small ones `learnt_scale` corrects.

    Words of Latin letters up to eight long are one token, then one more for every five; numbers one for each three
    digits; an East Asian character is one, other scripts one for each two and a half letters; signs one a group.
    """
    count = 0
    for piece in _PIECES.findall(text):
        first = piece[0]
        if first.isascii() and first.isalpha():
            count += 1 + max(0, len(piece) - 4) // 5
        elif first.isdigit():
            count += -(-len(piece) // 3)
        elif first.isalpha():
            count += max(1, round(len(piece) / 2.5))
        else:
            count += -(-len(piece) // 4)
    return count


def learnt_scale(estimate: int, counted: int) -> float:
    """What to multiply estimates with, from one that was counted (`prompt_tokens` of an answer)."""
    return min(8.0, max(0.25, counted / estimate)) if estimate > 0 and counted > 0 else 1.0


def context_of(config: Mapping[str, Any]) -> int | None:
    """The tokens a model holds, by its config.json; None when it says nothing."""
    config = {**config, **(config.get("text_config") or {})}
    found = (config.get(name) for name in LENGTHS)
    return next((n for n in found if isinstance(n, int) and not isinstance(n, bool) and n > 0), None)
