"""The resident language model of a job: loaded once for every operation that writes."""

from contextlib import AbstractContextManager

from studio.sdk.operation import JobContext, ModelInfo

from .loading import Language, load
from .prefix_cache import SHARE, chosen_limit


def language(ref: str, ctx: JobContext, weights: str = "as stored") -> AbstractContextManager[Language]:
    """The model `ref`, kept resident, one and the same for raw completion, chat and code.

    weights: "int8" or "int4" to load them in fewer bits.

    Enter it outside inference mode, so that weights are ordinary tensors. What `write` remembers of the texts that
    were read lives in this object and goes with it.
    """

    def loader(info: ModelInfo) -> Language:
        packed = info.path.lower().endswith(".gguf")
        more = " (unpacked: it takes as much memory as in full)" if packed else ""
        ctx.stage(f"Loading {info.id}" + (more if weights == "as stored" else f" in {weights}"))
        found = load(info, ctx.device, ctx.dtype, weights)
        if known := ctx.models.budget():
            found.prefixes.limit = chosen_limit(known // SHARE)
        return found

    return ctx.models.use(ref, loader, key=f"text-{ctx.dtype}" + ("" if weights == "as stored" else f"-{weights}"))
