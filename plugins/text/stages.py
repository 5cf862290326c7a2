"""The stages of the sampler chain by name, and the orders they may stand in. Imports no torch."""

from collections.abc import Iterable
from enum import StrEnum

from studio.errors import StudioError


class StageName(StrEnum):
    """One stage of the chain, as it is called in `order`."""

    PENALTIES = "penalties"
    DRY = "dry"
    NO_REPEAT = "no_repeat"
    BIAS = "bias"
    TOP_N_SIGMA = "top_n_sigma"
    TOP_K = "top_k"
    TYPICAL_P = "typical_p"
    TOP_P = "top_p"
    MIN_P = "min_p"
    XTC = "xtc"
    TEMPERATURE = "temperature"
    MIROSTAT = "mirostat"


DEFAULT_ORDER = tuple(StageName)
"""llama.cpp's: what is penalised and forbidden first, then what is cut away, the temperature of what is left last.

No-repeat, bias and mirostat have no place of their own there and stand where they act as they do in it.
"""

TRANSFORMERS_ORDER = tuple(
    map(
        StageName,
        (
            *("bias", "penalties", "dry", "no_repeat", "temperature", "top_k", "top_p", "min_p", "typical_p"),
            *("top_n_sigma", "xtc", "mirostat"),
        ),
    )
)
"""That of transformers' generate(): the temperature before everything that cuts. What it lacks stands last."""

ORDERS = {"As llama.cpp": DEFAULT_ORDER, "As transformers": TRANSFORMERS_ORDER}


def order_problem(names: Iterable[str]) -> str:
    """What is wrong with an order, as a sentence; empty when it is one."""
    known, seen = set(StageName), set[str]()
    for name in names:
        if name not in known:
            return f"{str(name)!r} is no stage of the chain; the stages are {', '.join(StageName)}"
        if name in seen:
            return f"{str(name)!r} stands in the order twice; a stage acts once, where it stands"
        seen.add(name)
    return ""


def nothing_left(stage: str) -> StudioError:
    """When a stage forbids every token that the ones before it left."""
    return StudioError(
        "No token is left to choose from",
        f"After the stage '{stage}' every token is forbidden that the stages before it had left.",
        "Forbid fewer tokens, or move this stage before those that cut tokens away.",
        code="nothing-left",
    )
