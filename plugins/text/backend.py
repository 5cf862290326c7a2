"""text.generate: checks the prompt, loads the model, writes, saves prompt and continuation."""

from studio.errors import StudioError
from studio.sdk.operation import JobContext

from . import resident
from .loading import Language
from .params import Generate as Params
from .sampler import Sampler
from .writing import Written, check_ids, write


class Generate:
    """The backend of text.generate."""

    def run(self, params: Params, ctx: JobContext) -> None:
        check_prompt(params.prompt)
        with resident.language(params.model, ctx) as language:
            self._write(params, ctx, language)

    def _write(self, params: Params, ctx: JobContext, language: Language) -> None:
        prompt = encode(params.prompt, language)
        seed = params.seed if params.seed is not None else params.with_seeds().seed or 0
        sampler = Sampler(params, seed, language.lexicon, prompt)

        def save(written: Written) -> None:
            ctx.note(prompt_chars=len(params.prompt), seed=seed)
            ctx.save_text(params.prompt + written.text)

        write(prompt, sampler, ctx, language, limit=params.max_tokens, stops=params.stops(), save=save)


def check_prompt(prompt: str) -> None:
    """Raises StudioError when there is nothing to go on from, or something that is no text."""
    if not prompt:
        raise StudioError("The prompt is empty", "There is nothing to go on from.", "Write a few words.", code="empty")
    if "\0" in prompt:
        raise StudioError(
            "The prompt is no text",
            f"It holds a NUL character at position {prompt.index(chr(0))}.",
            "Remove it; a file that was read as text may be a binary file.",
            code="not-text",
        )
    try:
        prompt.encode()
    except UnicodeEncodeError as error:
        raise StudioError(
            "The prompt is no text",
            f"It holds half of a character (a lone surrogate) at position {error.start}.",
            "Remove it.",
            code="not-text",
        ) from None


def encode(prompt: str, language: Language) -> list[int]:
    """The prompt's tokens, with those the tokenizer puts first. Raises StudioError when they do not fit."""
    ids = list(language.tokenizer(prompt)["input_ids"])
    check_ids(ids, language, len(prompt))
    return ids
