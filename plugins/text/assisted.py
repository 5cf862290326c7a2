"""Writing with guesses: several tokens a step, the same ones as without.

Owns `write_assisted`. One forward pass computes the place after the last token and after each guess; the text's own
sampler chooses at one place after another for as long as the guesses are what it chose; what was fed in vain is taken
back from the cache.
"""

import time
from collections.abc import Callable

from torch import Tensor

from studio.sdk.operation import JobContext

from .continuation import Continuation
from .drafts import Appetite, Drafter, cannot_take_back
from .feeding import Feeding


def write_assisted(
    fed: Feeding,
    logits: Tensor,
    row: Continuation,
    choose: Callable[[Tensor], object],
    drafter: Drafter,
    first: int,
    ids: list[int],
    room: int,
    ctx: JobContext,
) -> None:
    """Writes the only row to its end. logits: (1, V), what follows `ids`, the prompt; room: the most tokens to write.

    Raises StudioError "draft-cache" where the cache cannot take back.
    """
    if not fed.takes_back:
        raise cannot_take_back("the model's")
    appetite, places = Appetite(first), [logits[0]]
    guessed: list[int] = []
    while True:
        begun = time.perf_counter()
        right = _choose(row, choose, places, guessed)
        row.guessed += len(guessed)
        row.guessed_right += right
        appetite.learn(len(guessed), right)
        fed.take_back(len(guessed) - right)
        row.seconds += time.perf_counter() - begun
        if row.ended:
            return
        ctx.stage(_words(row), len(row.tokens), room)
        ctx.check()
        begun = time.perf_counter()
        guessed = drafter.guess([*ids, *row.tokens], choose, min(appetite.now, room - len(row.tokens) - 1))
        places = list(fed.try_out([row.tokens[-1], *guessed]))
        row.seconds += time.perf_counter() - begun


def _choose(
    row: Continuation, choose: Callable[[Tensor], object], places: list[Tensor], guessed: list[int]
) -> int:
    """Chooses at one place after another; how many guesses were chosen. The last choice is not fed yet."""
    for right, logits in enumerate(places):
        if row.take(choose(logits)) or right == len(guessed) or row.tokens[-1] != guessed[right]:
            return right
    raise AssertionError("there is one more place than guesses")


def _words(row: Continuation) -> str:
    speed = f" at {row.speed:.1f} tokens/s" if row.speed else ""
    share = f", {row.guessed_right / row.guessed:.0%} of {row.guessed:,} drafts accepted" if row.guessed else ""
    return f"Writing{speed}{share}"
