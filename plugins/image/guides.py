"""Everything that guides a picture beside its words: LoRAs, ControlNets and reference pictures, in one context.

Owns `guided`, which painting backends wrap around the painting.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from studio.errors import StudioError
from studio.sdk.operation import JobContext

from .adapters import adapted
from .control import controlled
from .reference import referred

UNDER_CONTROL = {"text": "control", "image": "control-image", "inpaint": "control-inpaint"}


@dataclass(frozen=True)
class Guides:
    """call: keyword arguments of the pipeline. parts: what it needs beside the model's own parts.

    ignored: sentences about what was asked and does nothing. adapters_key: tells apart what the text encoders say
    under these adapters. use: from the use that was meant ("text", "image", "inpaint") to that of the pipeline.
    """

    use: Callable[[str], str]
    call: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    adapters_key: str = ""


@contextlib.contextmanager
def guided(
    loaded: Any, ctx: JobContext, params: Any, width: int, height: int, picture: Image.Image | None = None
) -> Iterator[Guides]:
    """What `params` asks for (loras, controls, references; each may be absent), for a picture of this size.

    picture: the one that is painted over, repainted or edited. Raises StudioError for what does not fit the model.
    Inside, the shared modules carry what was asked whenever this job computes, and at no other time.
    """
    loras = getattr(params, "loras", ())
    controls = getattr(params, "controls", ())
    references = getattr(params, "references", ())
    if loras and not loaded.family.loras:
        raise StudioError(
            f"{loaded.family.title} takes no LoRA", f"{loaded.info.id} is of that family.", "Remove the LoRA.",
            code="lora-family",
        )  # fmt: skip
    with (
        adapted(loaded, ctx, loras) as key,
        referred(loaded, ctx, references, picture) as seen,
        controlled(loaded, ctx, controls, width, height, over=picture is not None) as control,
    ):
        if control and seen.looks:
            raise StudioError(
                "Control and reference pictures do not go together here",
                f"{loaded.family.title} reads either maps or pictures.",
                "Remove one of them.",
                code="guides",
            )
        yield Guides(
            use=lambda use: _use(loaded, use, bool(control), seen.looks),
            call={**seen.call, **control.call},
            parts={**seen.parts, **control.parts},
            ignored=_ignored(loras, controls, references),
            adapters_key=key,
        )


def _use(loaded: Any, use: str, control: bool, looks: bool) -> str:
    if looks and use not in ("text", "edit"):
        raise StudioError(
            "Reference pictures cannot be used here",
            f"{loaded.family.title} looks at them when it paints from words or edits, and not when it paints over.",
            "Remove the reference pictures.",
            code="use",
        )
    wanted = UNDER_CONTROL.get(use, use) if control else "edit" if looks else use
    if wanted not in loaded.family.pipelines:
        raise StudioError(
            f"{loaded.family.title} has no ControlNet for this" if control else "This model cannot do that",
            f"{loaded.info.id} is of that family, which has {', '.join(loaded.family.pipelines)}.",
            "Remove the control, or choose another model." if control else "Choose another model.",
            code="use",
        )
    return wanted


def _ignored(loras: Any, controls: Any, references: Any) -> tuple[str, ...]:
    said = [f"The LoRA {lora.model} has weight 0 and does nothing." for lora in loras if lora.model and not lora.weight]
    said += ["A LoRA without a file does nothing." for lora in loras if not lora.model]
    said += [f"The ControlNet {c.model} has weight 0 and does nothing." for c in controls if not c.weight]
    said += ["A reference picture has weight 0 and does nothing." for r in references if not r.weight]
    return tuple(dict.fromkeys(said))
