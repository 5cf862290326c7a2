"""From settings to ways of writing: what `write` is told beside the prompt and the sampler."""

import contextlib
from collections.abc import Iterator
from typing import Any

from studio.errors import StudioError
from studio.sdk.operation import JobContext

from . import resident
from .drafts import DraftModel, Drafts, Lookup
from .params_engine import EngineParams


@contextlib.contextmanager
def ways(params: EngineParams, ctx: JobContext) -> Iterator[dict[str, Any]]:
    """Keywords for `write` and `write_several`; a draft model stays loaded inside."""
    with contextlib.ExitStack() as stack:
        yield {"drafts": _drafts(params, ctx, stack), "kv_bits": params.kv_bits(), "compiled": params.compiled}


def _drafts(params: EngineParams, ctx: JobContext, stack: contextlib.ExitStack) -> Drafts | None:
    if params.guess == "off":
        return None
    if params.guess == "lookup":
        return Lookup()
    if not params.draft:
        raise StudioError(
            "No draft model was chosen",
            "Guessing ahead by a draft model was asked for.",
            "Choose a smaller model of the same family, or guess by lookup.",
            code="no-draft",
        )
    return DraftModel(stack.enter_context(resident.language(params.draft, ctx)))
