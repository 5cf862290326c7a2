"""The one way a text operation writes: token ids in, streamed text and a Written out.

Owns `write` and the checks of a prompt's ids. Raw completion, chat and code make their ids themselves
(a prompt, a chat template, prefix and suffix with control ids between) and call `write`; what it does below that,
reading the prompt in chunks, keeping caches, stepping, is no business of theirs.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from studio.errors import StudioError
from studio.sdk.operation import JobContext

from .drafts import Drafts
from .loading import Language
from .pair import Guide
from .rows import write_several
from .written import Choose, Written

__all__ = ["Choose", "Drafts", "Each", "Guide", "Save", "Show", "Written", "check_ids", "write", "write_several"]

Each = Callable[[int, str, Any], bool | None]
Show = Callable[[str], None]
Save = Callable[[Written], None]


def write(
    ids: Sequence[int],
    choose: Choose,
    ctx: JobContext,
    language: Language,
    *,
    limit: int,
    stops: Iterable[str] = (),
    ends: Iterable[int] = (),
    lead: str = "",
    each: Each | None = None,
    show: Show | None = None,
    save: Save | None = None,
    guide: Guide | None = None,
    drafts: Drafts | None = None,
    kv_bits: int = 0,
    compiled: bool = False,
) -> Written:
    """Writes on from `ids` until it is done, streaming as it goes; the device may change hands at every step.

    ids: the whole prompt as this model's token ids, control ids included; at least one, and fewer than the context
    holds. choose: this request's own sampler, called once a token with the logits (V,) float32, giving the token's id
    or a Choice with a record. limit: the most tokens.

    stops: texts before which it stops; none of one is ever streamed. ends: token ids that end it beside the model's
    own (`language.ends`): <|im_end|>, a fill-in-the-middle separator. The token that ends it is in `tokens` and not
    in `text`. lead: text that the prompt ends with and that belongs to the answer (a reply that is continued, "<think>"
    of a template); it is streamed first and `text` begins with it.

    each(token, piece, record): called after every token but one that ends it, with the text that has become certain
    by it (often empty, never half of a character, behind what stop strings may still take back). It may return True
    to stop: the token stays, and so does the piece, which has been streamed; whoever cuts differently gives `show`
    a function that streams nothing and shows text itself. show: takes each piece of text in place of `ctx.stream`.

    save(written): called once when it is done, with the facts noted (`ctx.note(**written.facts())`). When the job is
    cancelled it is called as well, if there is any text, with what there is, before JobCancelled goes on to the
    caller; and a second time if the cancel reached it while it saved. Without it nothing is saved.

    guide: a negative prompt's ids and how far to go away from it; it takes twice the time. drafts: a way to guess ahead
    (`drafts.Lookup()`, `drafts.DraftModel(language)`), which changes the time and nothing else; refused with models
    whose cache cannot take a wrong guess back. kv_bits: 8 or 4 to keep keys and values in so many bits, 0 exactly.
    compiled: the step is compiled first, if it was not yet for a text of this size; refused where that cannot be, and
    together with guide, drafts and kv_bits.

    Raises StudioError for ids that cannot be read, JobCancelled, and what `choose`, `each`, `show` and `save` raise.
    Torch is in inference mode meanwhile. Draws nothing from a global generator.
    """
    check_ids(ids, language)
    if guide is not None:
        check_ids(guide.ids, language)

    def kept(_index: int, written: Written) -> None:
        if save:
            save(written)

    return write_several(
        ids,
        [choose],
        ctx,
        language,
        limit=limit,
        stops=stops,
        ends=ends,
        lead=lead,
        each=each and (lambda _index, token, piece, record: each(token, piece, record)),
        show=show and (lambda _index, piece: show(piece)),
        save=kept,
        guide=guide,
        drafts=drafts,
        kv_bits=kv_bits,
        compiled=compiled,
    )[0]


def check_ids(ids: Sequence[int], language: Language, characters: int = 0) -> None:
    """Raises StudioError when there is no token, too many, or one that the model does not know.

    characters: how long the text is that they were made of, where a person wrote it.
    """
    if not ids:
        raise StudioError(
            "The model's tokenizer makes nothing of this prompt", "It leaves no token.", "Write words.", code="empty"
        )
    if language.context is not None and len(ids) >= language.context:
        over = len(ids) - language.context + 1
        length = f" ({characters:,} characters)" if characters else ""
        excess = f"{max(1, round(characters * over / len(ids))):,} characters" if characters else f"{over:,} tokens"
        raise StudioError(
            "The prompt is too long for this model",
            f"It is {len(ids):,} tokens long{length}; the model holds {language.context:,} "
            "tokens, of which at least one is for its answer.",
            f"Leave out about {excess}, or choose a model with a longer context.",
            code="too-long",
        )
    if max(ids) >= language.vocabulary or min(ids) < 0:
        raise StudioError(
            "The tokenizer does not belong to this model",
            f"It gives token {max(ids)}; the model knows {language.vocabulary} tokens.",
            "Put the tokenizer that came with the weights beside them.",
            code="tokenizer",
        )
