"""Saved prompts with variables, personas, and what the coach says about prompts, good and bad."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.text.params_chat import Chat
from plugins.text.prompt_coach import advise, own_words
from plugins.text.prompt_examples import PERSONAS, PROMPTS
from plugins.text.prompt_library import Persona, Personas, Prompts
from plugins.text.prompt_variables import Variable, fill, variables
from studio.errors import StudioError

pytestmark = pytest.mark.unit


def test_variables_with_and_without_defaults() -> None:
    text = "{{ topic }} to {{reader=a child}}, again {{topic}}. {{ not a name! }} {{1}} {x} {{a=}} {{% raw %}}"
    assert variables(text) == [Variable("topic"), Variable("reader", "a child"), Variable("a", "")]
    filled = fill(text, {"topic": "{{reader}}", "unknown": "x", "reader": ""})
    assert filled == "{{reader}} to a child, again {{reader}}. {{ not a name! }} {{1}} {x}  {{% raw %}}"
    with pytest.raises(StudioError, match="topic"):
        fill(text, {})
    assert variables("{{x}} {{x=5}} {{x=6}}") == [Variable("x", "5")]


@given(st.text(alphabet="{}=ab \n1", max_size=40))
def test_what_holds_no_variable_stays_as_it_is(text: str) -> None:
    given_values = {variable.name: variable.name for variable in variables(text)}
    filled = fill(text, given_values)
    assert given_values or filled == text


def test_prompts_are_files_that_can_be_edited_outside(tmp_path: Path) -> None:
    prompts = Prompts(tmp_path)
    assert prompts.all() == []
    prompts.save("Explain it (short)", "Explain {{topic}}.\n")
    assert (tmp_path / "prompts" / "Explain it (short).md").read_text() == "Explain {{topic}}.\n"
    (tmp_path / "prompts" / "von außen.md").write_bytes("\ufeffZwei\r\nZeilen".encode())
    (tmp_path / "prompts" / "broken.md").write_bytes(b"\xff")
    found = {prompt.name: prompt for prompt in prompts.all()}
    assert list(found) == ["broken", "Explain it (short)", "von außen"]
    assert found["von außen"].text == "Zwei\nZeilen" and "no UTF-8" in found["broken"].problem
    assert found["Explain it (short)"].filled({"topic": "foxes"}) == "Explain foxes.\n"
    with pytest.raises(StudioError) as caught:
        prompts.save("Explain it (short)", "other")
    assert caught.value.code == "taken" and prompts.get("Explain it (short)").text == "Explain {{topic}}.\n"
    prompts.save("Explain it (short)", "other", replace=True)
    assert prompts.get("Explain it (short)").text == "other"
    with pytest.raises(StudioError):
        prompts.save("x", " \n")


def test_renamed_removed_and_brought_back(tmp_path: Path) -> None:
    shelf = Prompts(tmp_path).shelf
    shelf.write("one", "1")
    shelf.write("two", "2")
    with pytest.raises(StudioError, match="already"):
        shelf.rename("one", "two")
    shelf.rename("one", "One")
    kept = shelf.remove("One")
    assert shelf.names() == ["two"]
    assert shelf.restore(kept) == "One" and shelf.read("One") == "1"
    again = shelf.remove("One")
    shelf.write("One", "new")
    with pytest.raises(StudioError, match="already"):
        shelf.restore(again)
    wishes = {"two": "two 2", "a/b: c?": "a b c", "...": "Prompt", "con": "Prompt con"}
    assert {wish: shelf.free_name(wish) for wish in wishes} == wishes


@pytest.mark.parametrize("name", ["", ".hid", "a/b", "..", "a\\b", "con", "NUL.txt", "x" * 101, "a:b", "end ", "end."])
def test_names_that_no_file_can_have_everywhere(tmp_path: Path, name: str) -> None:
    shelf = Prompts(tmp_path).shelf
    with pytest.raises(StudioError) as caught:
        shelf.write(name, "x")
    assert caught.value.code == "name"
    assert not (tmp_path / "prompts").exists()


def test_personas_keep_their_settings(tmp_path: Path) -> None:
    personas = Personas(tmp_path)
    made = personas.save(Persona("Tutor", "Ask one question.\n", {"temperature": 0.2}))
    assert personas.get("Tutor") == made
    for name, content in {"a": b"[1]", "b": b"{", "c": b'{"system": 5}', "d": b"[" * 100_000}.items():
        (tmp_path / "personas" / f"{name}.json").write_bytes(content)
    assert [(p.name, bool(p.problem)) for p in personas.all()] == [*((n, True) for n in "abcd"), ("Tutor", False)]


def test_the_examples_are_good_ones() -> None:
    for persona in PERSONAS:
        Chat.load({**persona.settings, "system": persona.system})
    for prompt in PROMPTS:
        filled = prompt.filled({variable.name: "foxes" for variable in prompt.variables if variable.default is None})
        assert prompt.variables and "{{" not in filled
        assert [advice.rule for advice in advise(filled, with_input=True)] == [], prompt.name


# the coach ---------------------------------------------------------------------------------------

GOOD = [
    "Explain how a vaccine works to a ten-year-old, in 5 sentences, as a story with a fox in it.",
    "List 8 questions that I can ask at a job interview for a nurse, one line each, ordered from easy to hard.",
    "Translate the text between the lines into French. Keep the Markdown.\n---\nSome nice things, whatever.\n---",
    "What is the capital of France?",
    "Übersetze das bitte: Der Fuchs ist schlau.",
]


@pytest.mark.parametrize("prompt", ["", "  \n", *GOOD])
def test_the_coach_is_silent_about_good_prompts(prompt: str) -> None:
    assert advise(prompt) == []


BAD = {
    "Write something nice about dogs": {"vague": "something", "format": "", "length": ""},
    "Write a short but detailed report about foxes": {"conflict": "short but detailed"},
    "Explain it simply, in a technical tone, in 3 sentences, for my boss": {"conflict": "simply, in a technical"},
    "List the causes of the war. Use at most 50 words and at least 200 words.": {
        "conflict": "at most 50 words and at least 200 words"
    },
    "Give only JSON and explain each value in 3 sentences to a child.": {"conflict": "only JSON and explain"},
    "Summarise the following article in 3 sentences.": {"input": "the following article"},
    "Fix the bug in this code": {"input": "this code"},
    "Don't use jargon. Never be boring.": {"task": "", "negative": "Don't use jargon."},
    "the weather and my feelings about it": {"task": ""},
    "Classify each sentence as positive or negative: I came. I saw. It was what it was, I believe, in the end.": {
        "example": "Classify"
    },
    "Explain photosynthesis in 100 words as a list.": {"audience": "Explain"},
    "Explain {{topic}} to a child in 50 words, as a list.": {"variable": "topic"},
    "Summarise it, translate it, list the names, find the errors, and suggest 3 titles, as a table.": {"many": ""},
}


@pytest.mark.parametrize("prompt", BAD)
def test_what_the_coach_says_and_where(prompt: str) -> None:
    found = advise(prompt)
    rules = {advice.rule: prompt[advice.start : advice.end] for advice in reversed(found)}
    assert BAD[prompt].items() <= rules.items(), rules
    assert len(found) <= 5
    for advice in found:
        assert advice.what.endswith(".") and advice.why.endswith(".") and advice.proposal
        assert 0 <= advice.start <= advice.end <= len(prompt)


def test_what_comes_with_the_prompt_is_not_missing() -> None:
    prompt = "Summarise the following article in 3 sentences."
    assert advise(prompt, with_input=True) == []
    assert advise(f"{prompt}\n\n{'The fox lived in the old wood. ' * 3}") == []
    assert advise(f'{prompt} "The fox."') == []


def test_a_model_that_goes_on_is_given_a_beginning() -> None:
    [advice] = advise("Write a story about a fox.", chat=False)
    assert advice.rule == "continuation" and advice.start == 0
    assert advise("Once upon a time there was a fox who", chat=False) == []
    assert advise("Write a story about a fox. Story:", chat=False) == []


def test_what_is_quoted_is_not_judged_and_keeps_its_place() -> None:
    prompt = 'Rewrite "some nice stuff" and\n```\ngood things\n```\n> something\nx'
    words = own_words(prompt)
    assert len(words) == len(prompt) and words.split() == ["Rewrite", "and", "x"]


@given(st.text(max_size=300))
def test_any_text_is_advised(text: str) -> None:
    for chat in (True, False):
        assert all(advice.what for advice in advise(text, chat=chat))
