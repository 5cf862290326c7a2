"""text.generate: checks the prompt, loads the model, writes, saves prompt and continuation."""

from studio.errors import StudioError
from studio.sdk.operation import JobContext

from . import resident
from .language import Language
from .pair import Guide
from .params import Generate as Params
from .sampler import Sampler
from .ways import ways
from .writing import Written, check_ids, write_several


class Generate:
    """The backend of text.generate."""

    def run(self, params: Params, ctx: JobContext) -> None:
        check_prompt(params.prompt)
        with resident.language(params.model, ctx, params.weights) as language:
            self._write(params, ctx, language)

    def _write(self, params: Params, ctx: JobContext, language: Language) -> None:
        prompt, seeds = encode(params.prompt, language), params.seeds()
        samplers = [Sampler(params, seed, language.lexicon, prompt) for seed in seeds]

        def save(row: int, written: Written) -> None:
            ctx.note(prompt_chars=len(params.prompt), seed=seeds[row])
            # Each is what it would be alone, and its recipe makes it alone.
            ctx.save_text(params.prompt + written.text, params={"seed": seeds[row], "count": 1})

        with ways(params, ctx) as how:
            write_several(
                prompt,
                samplers,
                ctx,
                language,
                limit=params.max_tokens,
                stops=params.stops(),
                guide=guide(params, prompt, language),
                save=save,
                **how,
            )


def guide(params: Params, prompt: list[int], language: Language) -> Guide | None:
    """What guidance leads away from: the negative prompt, or the prompt's last token alone."""
    if params.guidance == 1:
        return None
    negative = encode(params.negative_prompt, language) if params.negative_prompt else prompt[-1:]
    return Guide(tuple(negative), params.guidance)


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
