"""The beginning of a text: where what was read before is found, and in which way the model is going to be used.

Owns `opened`, the one place that knows all ways of feeding tokens to a model and which of them go together.
"""

from collections.abc import Callable
from typing import Any

from studio.errors import StudioError
from studio.sdk.operation import JobContext

from .compiled import StaticSequence, compiled_of, size_for
from .decoding import Sequence
from .feeding import Feeding
from .few_bits import few_bits_cache
from .loading import Language
from .pair import Guide, Pair
from .prefix_cache import Reuse
from .written import Wanted

NEGATIVE = "Reading the negative prompt"
def opened(
    ids: list[int], wanted: Wanted, room: int, language: Language, ctx: JobContext
) -> tuple[Feeding, Reuse]:
    """What reads this prompt and writes after it, and how much of the prompt it holds already. room: the most tokens.

    What it holds is the caller's alone; its `branches` go back to `language.prefixes` in the end, however it ends.
    """
    if wanted.compiled:
        return _static(ids, wanted, room, language, ctx)
    guide, fresh = wanted.guide, _fresh(wanted.kv_bits, language)
    branch, reuse = language.prefixes.take(ids, wanted.kind)
    fed = Sequence(language, branch, ctx.alive, fresh)
    if guide is None or guide.scale == 1:
        return fed, reuse
    negative, _ = language.prefixes.take(guide.ids, wanted.kind)
    ctx.stage(NEGATIVE, len(negative.ids), len(guide.ids))
    return Pair(fed, Sequence(language, negative, ctx.alive, fresh), guide, _telling(guide, ctx)), reuse


def _telling(guide: Guide, ctx: JobContext) -> Callable[[int], None]:
    def between(done: int) -> None:
        ctx.stage(NEGATIVE, done, len(guide.ids))
        ctx.check()

    return between


def _fresh(bits: int, language: Language) -> Callable[[], Any] | None:
    if not bits:
        return None
    if not language.plain:
        raise StudioError(
            "This model's cache stays as it is",
            "It makes a cache of its own kind, or none.",
            "Choose the exact cache for this model.",
            code="kv-cache",
        )
    return lambda: few_bits_cache(language.model.config, bits)


def _static(
    ids: list[int], wanted: Wanted, room: int, language: Language, ctx: JobContext
) -> tuple[StaticSequence, Reuse]:
    beside = {"guidance": wanted.guide, "drafts": wanted.drafts, "a cache in fewer bits": wanted.kv_bits}
    if others := [name for name, asked in beside.items() if asked]:
        raise StudioError(
            "A compiled model writes plainly only",
            f"Together with it {' and '.join(others)} was asked for.",
            "Turn one of them off.",
            code="compile",
        )
    if not language.plain:
        raise StudioError(
            "This model cannot be compiled here",
            "It makes a cache of its own kind, or none.",
            "Write without compiling.",
            code="compile",
        )
    size = size_for(len(ids) + room, language.context)

    def begun() -> None:
        ctx.stage(f"Compiling for texts of up to {size:,} tokens; only the first one takes this long")

    fed = StaticSequence(language, compiled_of(language), size, ctx.alive, begun)
    return fed, Reuse(len(ids), fed.wind_back(ids))
