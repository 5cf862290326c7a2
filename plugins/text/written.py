"""What is asked of one writing, and what came of it, as data."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from .drafts import Drafts
from .pair import Guide

Choose = Callable[[Tensor], Any]
"""Logits (V,) float32 to the next token's id, or to a choice: an object with `token`, `record` and `last`."""


@dataclass(slots=True)
class Written:
    """What came of one prompt, complete to the last token.

    tokens: all that were chosen, an end-of-text token last if one came. text: what they say, behind `lead`, up to the
    stop string, end-of-text left out. stop_reason: "eos" (the model ended), "stop" (a stop string, in `stop`),
    "grammar" (nothing can follow), "rule" (`each` said so), "length" (as many tokens as asked for), "context" (the
    model holds no more), "cancelled". speed: tokens per second of writing, None before the second token. reused: how
    many of the prompt_tokens did not have to be read again; broke: in words what kept it from being more. records:
    what the sampler tells of each token, None where it tells nothing. drafted, accepted: how many tokens were
    guessed, and how many of them rightly. compiling: seconds of warm-up that no later text of this size needs.
    """

    tokens: list[int] = field(default_factory=list)
    text: str = ""
    stop_reason: str = "cancelled"
    stop: str = ""
    speed: float | None = None
    prompt_tokens: int = 0
    reused: int = 0
    broke: str = ""
    records: list[Any] = field(default_factory=list)
    drafted: int = 0
    accepted: int = 0
    compiling: float = 0.0

    def facts(self) -> dict[str, Any]:
        """For the recipe."""
        more: dict[str, Any] = {}
        if self.drafted:
            more |= {"drafted_tokens": self.drafted, "accepted_drafts": self.accepted}
        if self.compiling:
            more["compile_seconds"] = round(self.compiling, 1)
        return {
            **more,
            "prompt_tokens": self.prompt_tokens,
            "reused_tokens": self.reused,
            "reuse_broke": self.broke,
            "tokens": len(self.tokens),
            "tokens_per_second": round(self.speed or 0.0, 2),
            "stop_reason": self.stop_reason,
        }


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `write_several` was asked: see there."""

    limit: int
    stops: tuple[str, ...] = ()
    ends: frozenset[int] = frozenset()
    lead: str = ""
    each: Callable[[int, int, str, Any], bool | None] | None = None
    show: Callable[[int, str], None] | None = None
    save: Callable[[int, Written], None] | None = None
    guide: Guide | None = None
    drafts: Drafts | None = None
    kv_bits: int = 0
    compiled: bool = False

    @property
    def kind(self) -> str:
        """Tells apart caches that do not mix."""
        return f"{self.kv_bits} bits" if self.kv_bits else ""
