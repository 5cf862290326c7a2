"""text.task as a job sees it: one part, many parts, their order and progress, what is kept when it is stopped."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.text import answering, writing
from plugins.text.backend_task import Task
from plugins.text.params_task import Task as Params
from plugins.text.renderer import renderer
from studio.errors import StudioError
from studio.sdk.operation import JobCancelled
from tests import tiny_models
from tests.text_context import Context, Models
from tests.tiny_tokenizers import give_chat_tokens

pytestmark = pytest.mark.worker
PARAGRAPHS = [f"The fox number {n} told the birds what the river had said." for n in range(12)]
LONG = "\n\n".join(PARAGRAPHS)
Say = Callable[[str], str]


@pytest.fixture(scope="module", autouse=True)
def child() -> Iterator[None]:
    renderer().warm()
    yield
    renderer().close()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    folder = tmp_path_factory.mktemp("models")
    return Models(
        give_chat_tokens(tiny_models.build_qwen2(folder / "chat")),
        tiny_models.build_gpt2(folder / "tiny", n_positions=130),
    )


class Scripted:
    """In place of the model's own noise it "writes" what `say` makes of the message; everything else is as it is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, say: Say):
        self.asked: list[str] = []
        self.systems: list[str] = []

        def write(ids: list[int], _choose: Any, ctx: Any, language: Any, **more: Any) -> Any:
            prompt = language.tokenizer.decode(ids)
            text = prompt.rpartition("<text>\n")[2].partition("\n</text>")[0]
            self.asked.append(text)
            self.systems.append(prompt.partition("<text>")[0])
            said = language.tokenizer(say(text), add_special_tokens=False)["input_ids"][: more["limit"]]
            tokens = iter([*said, next(iter(language.ends))])
            return writing.write(ids, lambda _logits: next(tokens), ctx, language, **more)

        monkeypatch.setattr(answering, "write", write)


def run(models: Models, **values: Any) -> Context:
    ctx = Context(models)
    asked = {"model": "chat", "seed": 1, "max_tokens": 60, **values}
    Task().run(Params.load(asked), ctx)
    return ctx


def test_a_short_text_is_one_question(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, lambda _text: "A fox.")
    ctx = run(models, prompt=PARAGRAPHS[0])
    assert ctx.saved[0][0] == ctx.streamed == "A fox." and script.asked == [PARAGRAPHS[0]]
    facts = ctx.facts
    assert (facts["task"], facts["parts"], facts["answers"], facts["stop_reason"]) == ("summarise", 1, 1, "eos")
    assert facts["template"] == "model" and facts["tokens"] > 3 and "part" not in script.systems[0]


def test_a_long_text_in_parts_whose_summaries_are_combined(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    def say(text: str) -> str:
        return f"[{text.split()[3]}]" if text.startswith("The fox") else f"All: {text}"

    script = Scripted(monkeypatch, say)
    ctx = run(models, prompt=LONG, part_tokens=80)
    parts = ctx.facts["parts"]
    assert parts > 3 and script.asked[:parts] == [p for p in script.asked if p.startswith("The fox")]
    assert "\n\n".join(script.asked[:parts]) == LONG
    assert "part 2 of" in script.systems[1] and "summaries of the parts" in script.systems[-1]
    result = ctx.saved[0][0]
    assert result.startswith("All: ") and "[0]" in result and ctx.facts["answers"] == len(script.asked) > parts
    titles = [title for title, _, _ in ctx.stages]
    assert any(title.startswith(f"Part 3 of {parts} · ") for title in titles)
    assert any(title.startswith("Combining 1 of") for title in titles)
    assert ("Part 2", 1, parts) in [(title[:6], done, total) for title, done, total in ctx.stages]


def test_translations_stand_where_the_parts_stood(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    script = Scripted(monkeypatch, lambda text: f" {text.upper()}\n")
    spaced = LONG.replace("\n\n", "\n \n")
    ctx = run(models, prompt=spaced, task="translate", language="Latin", part_tokens=50, max_tokens=0)
    assert ctx.saved[0][0] == spaced.upper()
    assert ctx.streamed.split() == ctx.saved[0][0].split() and len(script.asked) == ctx.facts["parts"] > 5
    assert "into Latin" in script.systems[0]


def test_json_of_all_parts_is_one(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    def say(text: str) -> str:
        number = text.split()[3]
        return "nothing" if number == "0" else f'Here: {{"people": ["fox {number}", "birds"]}} done'

    Scripted(monkeypatch, say)
    ctx = run(models, prompt=LONG, task="extract", fields=["people"], part_tokens=50)
    found = json.loads(ctx.saved[0][0])
    assert found["people"][:3] == ["fox 2", "birds", "fox 4"] and ctx.facts["parts_without_json"] == [1]
    assert ctx.streamed == ctx.saved[0][0]
    Scripted(monkeypatch, lambda _text: "no idea")
    with pytest.raises(StudioError) as caught:
        run(models, prompt="x", task="extract")
    assert caught.value.code == "no-json" and "no idea" in caught.value.detail


def test_what_is_extracted_is_kept_to_its_schema(models: Models) -> None:
    """Also when the model's own text is noise; several parts together, too."""
    schema = {"type": "object", "properties": {"fox": {"type": "boolean"}}, "required": ["fox"]}
    asked = {"task": "extract", "schema_text": json.dumps({**schema, "additionalProperties": False})}
    for values in ({"prompt": PARAGRAPHS[0]}, {"prompt": LONG, "part_tokens": 200}):
        found = json.loads(run(models, **asked, **values).saved[0][0])
        assert found.keys() == {"fox"} and isinstance(found["fox"], bool)
    with pytest.raises(StudioError) as caught:
        run(models, task="extract", prompt="x", schema_text='{"type": "no such type"}')
    assert caught.value.code in ("grammar", "unsatisfiable")


def test_stopped_it_keeps_what_was_made(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    Scripted(monkeypatch, lambda text: text.upper())
    ctx = Context(models, lambda ctx, kind: kind == "check" and ctx.stages[-1][0].startswith("Part 3 of"))
    asked = {"model": "chat", "task": "rewrite", "prompt": LONG, "part_tokens": 50}
    with pytest.raises(JobCancelled):
        Task().run(Params.load(asked), ctx)
    [(text, facts)] = ctx.saved
    assert LONG.upper().startswith(text) and len(text) > 2 * len(PARAGRAPHS[0]) and facts["stop_reason"] == "cancelled"


def test_with_a_real_model_every_task_ends_within_its_context(models: Models) -> None:
    """Its text is noise; what counts is that no question is ever too long, with and without a chat template."""
    for task in ("summarise", "translate", "outline"):
        ctx = run(models, prompt=LONG, task=task, max_tokens=0, part_tokens=150, length="short")
        assert ctx.saved and ctx.facts["parts"] > 1


def test_guidance_leads_away_from_a_negative_prompt(models: Models) -> None:
    asked = {"prompt": PARAGRAPHS[0], "max_tokens": 8, "temperature": 0, "guidance": 4.0}
    texts = {run(models, **asked, negative_prompt=words).saved[0][0] for words in ("", "The birds", "森の中で")}
    assert len(texts) == 3


def test_a_context_that_holds_not_even_the_instructions(models: Models) -> None:
    with pytest.raises(StudioError) as caught:
        run(models, model="tiny", prompt=LONG)
    assert caught.value.code == "too-long" and "130 tokens" in caught.value.detail


def test_a_file_in_place_of_a_text(models: Models, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = Scripted(monkeypatch, lambda _text: "ok")
    monkeypatch.setattr(Context, "input", lambda _self, value: Path(value), raising=False)
    (tmp_path / "a.md").write_bytes(b"\xef\xbb\xbfOnce\r\nupon")
    assert run(models, file=str(tmp_path / "a.md")).saved[0][0] == "ok" and script.asked == ["Once\nupon"]
    (tmp_path / "b.md").write_bytes(b"")
    for values in ({"file": str(tmp_path / "b.md")}, {"prompt": " \n "}):
        with pytest.raises(StudioError) as caught:
            run(models, **values)
        assert caught.value.code == "empty"
