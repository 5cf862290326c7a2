"""text.task: a ready prompt on a text, which may be longer than the model's context: parts first, then combined.

Owns the plan of a job (Desk: how much fits, the parts) and what is done with the parts' answers. Translations and
rewritten texts are put together with the space that stood between the parts; summaries and outlines are combined by
the model, in groups, until one is left; extracted JSON is merged.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, cast

from studio.errors import StudioError
from studio.sdk.operation import JobCancelled, JobContext

from . import resident
from .answering import answer, format_of
from .backend import check_prompt
from .chat_prompt import chat_prompt
from .json_answers import find_json, merged
from .loading import Language
from .params_sampling import Structure
from .params_task import Task as Params
from .params_task import read_file
from .part_context import PartContext
from .passages import Passage, split
from .renderer import renderer
from .task_words import Instruction, combining, instruction
from .templates import Format
from .writing import Written

UNLIMITED = 4096
"""Tokens of a part where the model itself sets no limit."""

LEAST = 24


class Task:
    """The backend of text.task."""

    def run(self, params: Params, ctx: JobContext) -> None:
        text = params.prompt
        if params.file:
            place = ctx.input(params.file)
            text = read_file(place.name, place.read_bytes())
        check_prompt(text.strip())
        renderer().warm()
        with resident.language(params.model, ctx, params.weights) as language:
            desk = Desk(params, ctx, language, format_of(language, params.template, params.thinking))
            desk.work(text)


class Desk:
    """One job: what it asks the model in turn, and what was made so far."""

    def __init__(self, params: Params, ctx: JobContext, language: Language, form: Format):
        self._params, self._ctx, self._language, self._form = params, ctx, language, form
        self._room = self._measured()
        self._asked = self._tokens = self._read = 0
        self._made: list[str] = []
        self._facts: dict[str, Any] = {}

    def work(self, text: str) -> None:
        """Does the task and saves the result; cancelled, it saves what there is."""
        passages = split(text, self._room, self._count)
        self._facts = {"task": self._params.task, "parts": len(passages), **self._form.template.facts()}
        try:
            result = self._whole(passages)
        except JobCancelled:
            self._facts["stop_reason"] = "cancelled"
            if any(part.strip() for part in self._made):
                self._save("".join(self._made).strip())
            raise
        self._save(result)

    def _whole(self, passages: Sequence[Passage]) -> str:
        match self._params.task:
            case "translate" | "rewrite":
                return self._in_place(passages)
            case "extract":
                return self._extracted(passages)
            case _:
                return self._combined(self._answers(passages))

    # one part after the other ----------------------------------------------------------------

    def _in_place(self, passages: Sequence[Passage]) -> str:
        """Each part's answer where the part was."""
        for number, passage in enumerate(passages):
            self._part(number, passages, self._ctx.stream)
            if passage.gap and number < len(passages) - 1:
                self._made.append(passage.gap)
                self._ctx.stream(passage.gap)
        return "".join(self._made)

    def _answers(self, passages: Sequence[Passage]) -> list[str]:
        """Each part's answer; only that of a single part is shown as it grows."""
        show = self._ctx.stream if len(passages) == 1 else _hide
        found = []
        for number in range(len(passages)):
            found.append(self._part(number, passages, show))
            self._made.append("\n\n")
        return found

    def _part(self, number: int, passages: Sequence[Passage], show: Callable[[str], None]) -> str:
        parts = len(passages)
        ask = instruction(self._params, number + 1, parts)
        title = f"Part {number + 1} of {parts}" if parts > 1 else ""
        return self._ask(ask, passages[number].text, title, (number, parts), show)

    def _combined(self, answers: list[str]) -> str:
        """One of many, in rounds: in each, as many as the model can read together become one."""
        while len(answers) > 1:
            groups = self._groups(answers)
            done: list[str] = []
            for number, group in enumerate(groups):
                title = f"Combining {number + 1} of {len(groups)}"
                show = self._ctx.stream if len(groups) == 1 else _hide
                text, place = "\n\n".join(group), (number, len(groups))
                done.append(self._ask(combining(self._params), text, title, place, show) if len(group) > 1 else text)
            self._made = [f"{text}\n\n" for text in done]
            self._facts["rounds"] = self._facts.get("rounds", 0) + 1
            answers = done
        return answers[0].strip()

    def _groups(self, answers: Sequence[str]) -> list[list[str]]:
        """Neighbours that fit together. Two always do, since no answer has more than a third of the room."""
        groups: list[list[str]] = [[]]
        for text in answers:
            if len(groups[-1]) > 1 and self._count("\n\n".join([*groups[-1], text])) > self._room:
                groups.append([])
            groups[-1].append(text)
        return groups

    def _extracted(self, passages: Sequence[Passage]) -> str:
        """The parts' JSON, merged. A part without any is named; where no part has any, it is an error."""
        answers = self._answers(passages)
        values = [find_json(text) for text in answers]
        missing = [number for number, value in enumerate(values, 1) if value is None]
        if len(missing) == len(values):
            raise StudioError(
                "The model wrote no JSON",
                f"Its answer begins: {answers[0].strip()[:200]!r}.",
                "Allow more tokens, choose another model, or set the structure to the schema.",
                code="no-json",
                log="\n\n".join(answers)[:20_000],
            )
        if missing:
            self._facts["parts_without_json"] = missing
        text = json.dumps(merged(value for value in values if value is not None), ensure_ascii=False, indent=2)
        if len(passages) > 1:
            self._ctx.stream(text)
        return text

    # asking ----------------------------------------------------------------------------------

    def _ask(self, ask: Instruction, text: str, title: str, place: tuple[int, int], show: Callable[[str], None]) -> str:
        """One answer, which is in `_made` as it grows. title, place: of a part; "" for all there is."""
        system, user = ask.messages(text)
        prompt = chat_prompt(self._form, system["content"], [user], self._language.context, 1)
        against: list[int] = []
        if self._params.guidance != 1 and (away := self._params.negative_prompt):
            against = chat_prompt(self._form, away, [user], self._language.context, 1).ids
        ctx = cast(JobContext, PartContext(self._ctx, title, *place)) if title else self._ctx
        changes = {"max_tokens": self._limit(text, len(prompt.ids), place[1]), **self._structure()}
        asked = self._params.model_copy(update=changes)
        at = len(self._made)
        self._made.append("")

        def grow(piece: str) -> None:
            self._made[at] += piece
            show(piece)

        written = answer(
            self._form, prompt.ids, asked, ctx, self._language, lead=prompt.lead, against=against, show=grow
        )
        self._add_up(written)
        self._made[at] = written.text.strip()
        return self._made[at]

    def _structure(self) -> dict[str, Any]:
        """What is extracted is kept to its schema, unless another structure was asked for."""
        params = self._params
        free = params.structure is Structure.FREE and self._language.tokenizer.is_fast
        if params.task != "extract" or not free:
            return {}
        return {"structure": Structure.JSON_SCHEMA, "grammar": params.json_schema()}

    def _limit(self, text: str, prompt: int, parts: int) -> int:
        tokens = self._params.answer_tokens(self._count(text))
        if self._language.context is not None:
            tokens = min(tokens, self._language.context - prompt)
        if parts > 1 and self._params.task in ("summarise", "outline"):
            tokens = min(tokens, self._room // 2 - 4)  # two of them are to fit into the next question
        return tokens

    def _add_up(self, written: Written) -> None:
        self._asked += 1
        self._tokens += len(written.tokens)
        self._read += written.prompt_tokens
        self._facts |= {"stop_reason": written.stop_reason, "tokens_per_second": round(written.speed or 0.0, 2)}

    def _save(self, text: str) -> None:
        self._ctx.note(answers=self._asked, tokens=self._tokens, prompt_tokens=self._read, **self._facts)
        self._ctx.save_text(text)

    # what fits -------------------------------------------------------------------------------

    def _count(self, text: str) -> int:
        return len(self._language.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _measured(self) -> int:
        """The tokens of a part: what the model holds without the instructions and an answer."""
        context, params = self._language.context, self._params
        room = UNLIMITED
        if context is not None:
            around = max(self._around(instruction(params, 99, 99)), self._around(combining(params)))
            free = context - around - 8  # a text has a few more tokens between others than alone
            in_place = params.task in ("translate", "rewrite") and not params.max_tokens
            room = (free - 32) // 3 if in_place else free - min(params.answer_tokens(0), free // 3)
        if room < LEAST:
            raise StudioError(
                "The model's context is too small for this task",
                f"It holds {context:,} tokens, of which the instructions alone take most.",
                "Choose a model with a longer context.",
                code="too-long",
            )
        return min(room, params.part_tokens) if params.part_tokens >= LEAST else room

    def _around(self, ask: Instruction) -> int:
        system, user = ask.messages("")
        return len(chat_prompt(self._form, system["content"], [user], None, 1).ids)


def _hide(_piece: str) -> None:
    """For what is only made on the way to the result."""
