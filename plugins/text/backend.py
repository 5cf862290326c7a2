"""text.generate: checks the prompt, loads the model, writes, saves prompt and continuation."""

from typing import Any

import torch

from studio.errors import StudioError
from studio.sdk.operation import JobCancelled, JobContext

from .decoding import Continuation
from .loading import Language, load
from .params import Generate as Params
from .sampling import Sampler, Settings


class Generate:
    """The backend of text.generate."""

    def run(self, params: Params, ctx: JobContext) -> None:
        check_prompt(params.prompt)

        def loader(info: Any) -> Language:
            ctx.stage(f"Loading {info.id}")
            return load(info, ctx.device, ctx.dtype)

        # Weights are loaded before inference mode begins, so that they stay ordinary tensors.
        with ctx.models.use(params.model, loader, key=f"text-{ctx.dtype}") as language, torch.inference_mode():
            self._write(params, ctx, language)

    def _write(self, params: Params, ctx: JobContext, language: Language) -> None:
        prompt = encode(params.prompt, language)
        seed = params.seed if params.seed is not None else params.with_seeds().seed or 0
        sampler = Sampler(_settings(params), seed, prompt, params.max_tokens, language.model.device)
        written = Continuation(language, prompt, sampler, params.max_tokens, params.stops())
        try:
            written.run(ctx)
            self._save(params, ctx, written, written.text, len(prompt), seed)
        except JobCancelled:
            # Perhaps only while saving: then it is complete and is saved once more, now without waiting.
            rest = written.rest()
            text = written.text + rest
            if rest:
                _stream_last(rest, ctx)
            if text:
                self._save(params, ctx, written, text, len(prompt), seed)
            raise

    def _save(
        self, params: Params, ctx: JobContext, written: Continuation, text: str, prompt_tokens: int, seed: int
    ) -> None:
        ctx.note(
            prompt_chars=len(params.prompt),
            prompt_tokens=prompt_tokens,
            tokens=len(written.tokens),
            tokens_per_second=round(written.speed or 0.0, 2),
            stop_reason=written.stop_reason,
            seed=seed,
        )
        ctx.save_text(params.prompt + text)


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
    if not ids:
        raise StudioError(
            "The model's tokenizer makes nothing of this prompt", "It leaves no token.", "Write words.", code="empty"
        )
    if language.context is not None and len(ids) >= language.context:
        raise StudioError(
            "The prompt is too long for this model",
            f"It is {len(ids):,} tokens long ({len(prompt):,} characters); the model holds {language.context:,} "
            "tokens, of which at least one is for its answer.",
            f"Leave out about {_share(len(prompt), len(ids), language.context):,} characters, or choose a model with "
            "a longer context.",
            code="too-long",
        )
    if max(ids) >= language.vocabulary:
        raise StudioError(
            "The tokenizer does not belong to this model",
            f"It gives token {max(ids)}; the model knows {language.vocabulary} tokens.",
            "Put the tokenizer that came with the weights beside them.",
            code="tokenizer",
        )
    return ids


def _share(characters: int, tokens: int, context: int) -> int:
    return max(1, round(characters * (tokens - context + 1) / tokens))


def _stream_last(text: str, ctx: JobContext) -> None:
    try:
        ctx.stream(text)
    except JobCancelled:
        pass  # known already


def _settings(params: Params) -> Settings:
    return Settings(
        temperature=params.temperature,
        top_k=params.top_k,
        top_p=params.top_p,
        min_p=params.min_p,
        typical_p=params.typical_p,
        repetition_penalty=params.repetition_penalty,
    )
