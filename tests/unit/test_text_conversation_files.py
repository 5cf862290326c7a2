"""Conversations as files: what is written is read back, and what others write is read or refused in words."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.text import conversation_import as importing
from plugins.text.conversation import Conversation
from plugins.text.conversation_export import to_markdown, to_messages, to_tree
from studio.errors import StudioError

pytestmark = pytest.mark.unit
TALK = [{"role": "user", "content": "What is a fox?"}, {"role": "assistant", "content": "An animal."}]


def read(value: Any) -> importing.Imported:
    return importing.read(value if isinstance(value, bytes) else json.dumps(value).encode(), "talk.json")


def only(value: Any) -> Conversation:
    [found] = read(value).conversations
    return found


def made(*contents: str) -> Conversation:
    c = Conversation()
    for number, content in enumerate(contents):
        c.add(("user", "assistant")[number % 2], content)
    return c


LINES = st.sampled_from(["### You", "\\### You", "\\\\### Assistant  ", "### System", "", "text", "# Title", "  x\r"])


@given(st.lists(st.lists(LINES, max_size=5).map("\n".join), min_size=1, max_size=4))
@settings(deadline=None)
def test_markdown_comes_back_as_it_was(contents: list[str]) -> None:
    c = made(*contents)
    c.rename("Foxes")
    back = only(to_markdown(c).encode())
    assert back.messages() == c.messages() and back.title == "Foxes"


def test_messages_and_the_system_prompt() -> None:
    c = made("a", "b")
    c.configure(system="Be brief.")
    messages = [{"role": "system", "content": "Be brief."}, *c.messages()]
    assert json.loads(to_messages(c)) == {"messages": messages}
    assert only(to_messages(c).encode()).messages() == messages
    assert to_markdown(c).startswith("# a\n\n### System\n\nBe brief.\n\n### You\n\na\n")


def test_a_whole_tree_comes_back_with_its_versions() -> None:
    c = made("a", "b", "c")
    c.edit(c.path()[0].id, "a2")
    c.add("assistant", "b2", model="tales", facts={"tokens": 3})
    c.delete(c.path()[0].id)
    back = only(to_tree(c).encode())
    assert list(back.events()) == list(c.events()) and len(back.deleted()) == 1


def test_what_others_write_as_lists() -> None:
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": "this?"}, {"type": "image_url"}]
    found = read({"messages": [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts}]})
    assert found.conversations[0].messages() == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is\nthis?"},
    ]
    assert found.notes == ["1 parts of messages that are no text (pictures, files) were left out."]
    lines = "\n".join(json.dumps(message) for message in TALK)
    shapes: list[Any] = [
        TALK,
        {"title": "Foxes", "messages": TALK},
        {"conversations": [{"from": "human", "value": TALK[0]["content"]}, {"from": "gpt", "value": "An animal."}]},
        lines.encode(),
        b"\xef\xbb\xbf" + json.dumps(TALK).encode(),
    ]
    for shape in shapes:
        assert only(shape).messages() == TALK
    several = read("\n".join(json.dumps({"messages": TALK}) for _ in range(3)).encode())
    assert len(several.conversations) == 3
    assert len(read([{"messages": TALK}, {"messages": TALK}]).conversations) == 2
    tool = [*TALK, {"role": "tool", "content": "5"}, {"role": "assistant", "content": None}]
    assert only(tool).messages() == TALK and len(read(tool).notes) == 2


def entry(parent: str | None, role: str = "", text: Any = "", **more: Any) -> dict[str, Any]:
    message = {"author": {"role": role}, "content": {"content_type": "text", "parts": [text]}, "create_time": 7.5}
    return {"parent": parent, "message": {**message, **more} if role else None, "children": ["wrong"]}


def test_an_exported_tree_with_versions_and_hidden_entries() -> None:
    mapping = {
        "b2": entry("a", "assistant", "second"),
        "root": entry(None),
        "s": entry("root", "system", ""),
        "a": entry("s", "user", "question"),
        "b1": entry("a", "assistant", "first"),
        "t": entry("b1", "tool", "result"),
        "c": entry("t", "assistant", "after the tool"),
    }
    c = only({"title": "Exported", "mapping": mapping, "current_node": "c"})
    assert [node.content for node in c.path()] == ["question", "first", "after the tool"]
    assert c.title == "Exported" and c.path()[0].created == 7.5
    assert {node.content for node in c.siblings(c.path()[1].id)} == {"first", "second"}
    many = [{"mapping": mapping, "current_node": None}, {"mapping": {"x": entry(None, "user", "hi")}}]
    assert [len(c) for c in read(many).conversations] == [4, 1]


def test_a_chain_of_twenty_thousand_is_no_recursion() -> None:
    mapping = {str(n): entry(str(n - 1) if n else None, "user", "x") for n in range(20_000)}
    assert len(only({"mapping": mapping}).path()) == 20_000


BAD: dict[str, tuple[Any, str]] = {
    "invalid utf-8": (b'{"messages": "\xff"}', "byte 14 belongs to no character"),
    "nul": (b"[\0]", "NUL character at position 1"),
    "no json": (b"{nonsense}", "no valid JSON"),
    "second line": (b'{"messages": []}\n{oops', "Line 2"),
    "deep": (b"[" * 200_000, "nested too deeply"),
    "nothing": ([], "no message"),
    "text": (b"just some text", "no JSON"),
    "number": ({"messages": [1]}, "message 1 of the conversation is a number"),
    "no list": ({"model": "x", "choices": []}, "its entries are 'model', 'choices'"),
    "no role": ([{"content": "x"}], "no list of messages"),
    "role": ({"messages": [{"role": 5, "content": "x"}]}, "Message 1 of the conversation has no role; it is a number"),
    "content": ({"messages": [*TALK, {"role": "user", "content": 5}]}, "content of message 3 of the conversation is a"),
    "long": ({"messages": [{"role": "user", "content": "x" * ((4 << 20) + 1)}]}, "4,194,305 characters; 4,194,304"),
    "circle": ({"mapping": {"a": entry("b", "user"), "b": entry("a", "user"), "c": entry(None)}}, "2 entries"),
    "self": ({"mapping": {"a": entry("a", "user", "x")}}, "in a circle"),
    "entry": ({"mapping": {"a": 5}}, "Entry 'a' of the conversation is a number"),
    "author": ({"mapping": {"a": {"message": {"content": "x"}}}}, "without an author"),
    "newer": ({"format": "atelier-conversation", "version": 2, "events": []}, "version that is not known"),
    "event": ({"format": "atelier-conversation", "version": 1, "events": [{"op": "x"}]}, "Entry 1 of the conversation"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said_with_its_place(name: str) -> None:
    value, words = BAD[name]
    with pytest.raises(StudioError) as caught:
        read(value)
    assert caught.value.code == "import" and caught.value.title.startswith("talk.json")
    assert words.lower() in caught.value.detail.lower()


def test_a_line_of_two_megabytes_is_read() -> None:
    assert only([{"role": "user", "content": "x" * 2_000_000}]).messages()[0]["content"] == "x" * 2_000_000
    assert only(to_markdown(made("y" * 2_000_000)).encode()).messages()[0]["content"] == "y" * 2_000_000


NAMES = ("role", "content", "messages", "mapping", "message", "author", "parent", "parts", "from", "title", "events")
ANY = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just(TALK),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
)


@given(ANY)
@settings(deadline=None, max_examples=150)
def test_any_json_is_read_or_refused(value: Any) -> None:
    try:
        assert read(value).conversations
    except StudioError as error:
        assert error.code == "import"
