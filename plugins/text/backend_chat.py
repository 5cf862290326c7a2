"""text.chat: the conversation becomes a prompt in the model's chat format, and the model writes the next message."""

from studio.sdk.operation import JobContext

from . import resident
from .answering import answer, format_of
from .chat_prompt import ChatPrompt, chat_prompt
from .loading import Language
from .params_chat import Chat as Params
from .renderer import renderer
from .templates import Format
from .writing import Written


class Chat:
    """The backend of text.chat. The result is the answer alone, as Markdown; what it answers is in its recipe."""

    def run(self, params: Params, ctx: JobContext) -> None:
        renderer().warm()
        with resident.language(params.model, ctx, params.weights) as language:
            self._answer(params, ctx, language)

    def _answer(self, params: Params, ctx: JobContext, language: Language) -> None:
        form = format_of(language, params.template, params.thinking)
        prompt = self._prompt(params, form, language, params.system_prompt())
        against: list[int] = []
        if params.guidance != 1 and params.negative_prompt:
            against = self._prompt(params, form, language, params.negative_prompt).ids
        ctx.note(**prompt.facts())
        if params.continue_last:
            ctx.note(continued_chars=len(prompt.lead))

        def save(written: Written) -> None:
            text = written.text if prompt.lead or form.template.source != "plain" else written.text.lstrip()
            ctx.save_text(text)

        answer(form, prompt.ids, params, ctx, language, lead=prompt.lead, against=against, save=save)

    @staticmethod
    def _prompt(params: Params, form: Format, language: Language, system: str) -> ChatPrompt:
        """The conversation under this system prompt; a negative prompt is one that guidance leads away from."""
        return chat_prompt(
            form,
            system,
            params.said(),
            language.context,
            params.max_tokens,
            going_on=params.continue_last,
            tokens=params.tokens_continued(),
            drop=params.overflow == "drop-oldest",
        )
