"""What every operation that answers in a chat format does: the format of a model, its sampler, and `write`."""

from collections.abc import Callable, Sequence

from studio.sdk.operation import JobContext

from .loading import Language
from .pair import Guide
from .params import ModelParams as Params
from .renderer import renderer
from .sampler import Sampler
from .templates import Format, template_of
from .ways import ways
from .writing import Save, Written, write


def format_of(language: Language, template: str = "", thinking: str = "auto") -> Format:
    """template: Jinja text, "plain", or "" for the model's own. thinking: "auto", "on" or "off"."""
    told = {"on": True, "off": False}.get(thinking)
    return Format(language.tokenizer, template_of(language.tokenizer, template), renderer(), told)


def answer(
    form: Format,
    ids: Sequence[int],
    params: Params,
    ctx: JobContext,
    language: Language,
    *,
    lead: str = "",
    against: Sequence[int] = (),
    show: Callable[[str], None] | None = None,
    save: Save | None = None,
) -> Written:
    """Writes an answer to a prompt in this format; it ends where the format ends a message.

    against: the prompt that guidance leads away from; the last token alone when empty.
    """
    seed = params.seed if params.seed is not None else params.with_seeds().seed or 0
    ctx.note(seed=seed)
    plain = form.template.source == "plain" and not lead
    with ways(params, ctx) as how:
        return write(
            ids,
            Sampler(params, seed, language.lexicon, ids),
            ctx,
            language,
            limit=params.max_tokens,
            stops=[*params.stops(), *form.template.stops],
            ends=form.ends(),
            lead=lead,
            show=_Trimmed(show or ctx.stream) if plain else show,
            save=save,
            guide=Guide(tuple(against or ids[-1:]), params.guidance) if params.guidance != 1 else None,
            **how,
        )


class _Trimmed:
    """Shows an answer without the space that it begins with."""

    def __init__(self, show: Callable[[str], None]):
        self._show, self._begun = show, False

    def __call__(self, text: str) -> None:
        if not self._begun:
            text = text.lstrip()
        if text:
            self._begun = True
            self._show(text)
