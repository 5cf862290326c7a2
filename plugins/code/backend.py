"""code.complete and code.work: the model fills a hole, or is asked about code in words, and the answer is checked."""

from collections.abc import Sequence
from typing import Any

from studio.errors import StudioError
from studio.sdk.operation import JobCancelled, JobContext

from ..text import resident
from ..text.answering import format_of
from ..text.chat_prompt import chat_prompt
from ..text.control_tokens import Controls
from ..text.loading import Language
from ..text.params_sampling import SamplingParams
from ..text.renderer import renderer
from ..text.sampler import Sampler
from ..text.writing import Written, write
from .asking import messages, opening
from .fim import Fim, find
from .outcome import CHAT, CODE, outcome
from .params import Complete as CompleteParams
from .params import Deed, Sampled
from .params import Work as WorkParams
from .trim import Hole, Trimmer

SHARE_BEFORE = 0.75
"""How much of the room for the prompt goes to what stands before the hole, when not all of it fits."""


class Complete:
    """The backend of code.complete. The result is what belongs into the hole."""

    def run(self, params: CompleteParams, ctx: JobContext) -> None:
        if not params.before.strip() and not params.after.strip():
            raise StudioError("There is nothing to go on from", "The file is empty.", "Write a line.", code="empty")
        with resident.language(params.model, ctx) as language:
            self._fill(params, ctx, language)

    def _fill(self, params: CompleteParams, ctx: JobContext, language: Language) -> None:
        text, facts = fill(
            language,
            params,
            ctx,
            Hole(params.before, params.after, params.multiline),
            [(file.path, file.text) for file in params.files],
            params.path,
        )
        ctx.note(**facts, text=text)
        if params.keep:
            ctx.save_text(text, media="text/plain")


class Work:
    """The backend of code.work. The result is the answer as the model gave it; one that is no edit fails the job."""

    def run(self, params: WorkParams, ctx: JobContext) -> None:
        renderer().warm()
        with resident.language(params.model, ctx) as language:
            if language.tokenizer.chat_template:
                answer, form = self._ask(params, ctx, language), CHAT
            else:
                answer, form = self._go_on(params, ctx, language), CODE
        outcome(params, answer, form)  # refused loudly, with the answer on disk to be read

    @staticmethod
    def _ask(params: WorkParams, ctx: JobContext, language: Language) -> str:
        form = format_of(language)
        system, *said = messages(params)
        prompt = chat_prompt(form, system["content"], said, language.context, params.max_tokens)
        ctx.note(**prompt.facts(), form=CHAT)

        def save(written: Written) -> None:
            ctx.save_text(written.text)

        sampler = sampler_of(params, prompt.ids, ctx, language)
        limit, ends, stops = params.max_tokens, form.ends(), form.template.stops
        return write(prompt.ids, sampler, ctx, language, limit=limit, stops=stops, ends=ends, save=save).text

    @staticmethod
    def _go_on(params: WorkParams, ctx: JobContext, language: Language) -> str:
        before, after = opening(params)
        files = [(file.path, file.text) for file in params.files]
        hole = Hole(before, after if params.deed is Deed.WRITE else "")
        answer, facts = fill(language, params, ctx, hole, files, params.path)
        ctx.note(**facts, form=CODE)
        ctx.save_text(answer, media="text/plain")
        return answer


def fill(
    language: Language, params: Sampled, ctx: JobContext, hole: Hole, files: Sequence[tuple[str, str]], path: str
) -> tuple[str, dict[str, Any]]:
    """What the model writes into the hole, trimmed to it, and the facts. Streams as it goes.

    What was written when the job is cancelled is streamed already and nothing more is kept of it: half a line of code
    helps nobody.
    """
    plain = Plain(language)
    fim = find(language.tokenizer, plain.ids, plain.beginning)
    context = language.context or 1 << 20
    # A small model's context is shared out: an answer as long as asked for would leave no room for the code.
    limit = min(params.max_tokens, max(1, context // 2))
    room = context - limit - 1
    ids, cut = prompt_ids(fim, plain, hole, files, path, room)
    trimmer = Trimmer(hole)

    def each(_token: int, piece: str, _record: Any) -> bool:
        return trimmer.push(piece)

    ends = fim.ends if fim is not None else frozenset[int]()
    sampler = sampler_of(params, ids, ctx, language)
    written = write(ids, sampler, ctx, language, limit=limit, ends=ends, each=each)
    if written.stop_reason == "cancelled":
        raise JobCancelled
    facts = {
        "format": fim.format.name if fim is not None else "",
        "ended_by": trimmer.reason or written.stop_reason,
        "characters_left_out": cut,
    }
    # A piece that was still held back is in the text and was not shown to the trimmer.
    if not trimmer.done:
        trimmer = Trimmer(hole)
        trimmer.push(written.text)
    return trimmer.finish(), facts


class Plain:
    """Text to ids in which no control token can be."""

    def __init__(self, language: Language):
        self._controls = Controls(language.tokenizer)
        tokenizer = language.tokenizer
        whole = list(tokenizer("a")["input_ids"])
        bare = list(tokenizer("a", add_special_tokens=False)["input_ids"])
        at = next((n for n in range(len(whole)) if whole[n : n + len(bare)] == bare), 0)
        self.beginning = whole[:at]

    def ids(self, text: str) -> list[int]:
        return self._controls.encode(self._controls.mark(text)) if text else []


def prompt_ids(
    fim: Fim | None, plain: Plain, hole: Hole, files: Sequence[tuple[str, str]], path: str, room: int
) -> tuple[list[int], int]:
    """The prompt in at most `room` tokens, and how many characters of the file were left out for that.

    Other files go first, then what is far from the hole. Without a format for holes the model goes on from what
    stands before.
    """
    before, after = hole.before, hole.after if fim is not None else ""

    def made(others: Sequence[tuple[str, str]]) -> list[int]:
        if fim is None:
            return [*plain.beginning, *plain.ids(before)]
        return fim.splice(before, after, others, path)

    ids = made(files)
    if len(ids) > room and files:
        ids = made(())
    cut = 0
    while len(ids) > room and (before or after):
        # By the share that is too much, and a little more; a few rounds reach it.
        keep = max(0.0, (room / len(ids)) * 0.95)
        left, right = len(before), len(after)
        total = int((left + right) * keep)
        first = max(min(left, int(total * SHARE_BEFORE)), total - right)
        before, after = before[left - first :] if first else "", after[: max(0, total - first)]
        cut += left + right - len(before) - len(after)
        ids = made(())
    return ids, cut


def sampler_of(params: Sampled, ids: Sequence[int], ctx: JobContext, language: Language) -> Sampler:
    seed = params.seed if params.seed is not None else params.with_seeds().seed or 0
    ctx.note(seed=seed)
    settings = SamplingParams(temperature=params.temperature, top_p=params.top_p, top_k=0)
    return Sampler(settings, seed, language.lexicon, ids)
