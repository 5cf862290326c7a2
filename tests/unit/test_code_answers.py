"""A model's answer becomes the new text of a file, or is refused with the reason."""

import pytest

from plugins.code.answers import edited, fitted
from studio.errors import StudioError

pytestmark = pytest.mark.unit
FILE = "def a():\n    x = 1\n    return x\n\n\ndef b():\n    x = 1\n    return x + 1\n"


def block(old: str, new: str) -> str:
    return f"Here you are:\n<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\nDone."


def test_a_fenced_block_is_the_new_text_of_what_was_asked_about():
    assert edited("Sure!\n```python\nnew\n```\nThat is it.", FILE) == "new\n"
    start = FILE.index("    x = 1")
    end = FILE.index("\n\n\n") + 1
    assert edited("```\ny = 2\nreturn y\n```", FILE, start, end) == FILE.replace(
        "    x = 1\n    return x\n", "    y = 2\n    return y\n", 1
    )


def test_a_block_may_hold_fences_of_its_own():
    inner = 'text = """\n```\ninside\n```\n"""\n'
    assert edited(f"````python\n{inner}````", FILE) == inner
    assert edited(f"~~~\n{inner}~~~", FILE) == inner


def test_search_and_replace_is_to_the_letter_or_but_for_the_indentation():
    assert edited(block("    return x + 1\n", "    return 0\n"), FILE) == FILE.replace("return x + 1", "return 0")
    assert edited(block("return x + 1  \n", "y = 2\nreturn y\n"), FILE) == FILE.replace(
        "    return x + 1\n", "    y = 2\n    return y\n"
    )
    two = block("def a():\n", "def aa():\n") + "\n" + block("def b():\n", "def bb():\n")
    assert edited(two, FILE) == FILE.replace("def a()", "def aa()").replace("def b()", "def bb()")


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ("I would rename it.", "no code"),
        ("```python\ndef a(): ...", "middle of its code"),
        ("```\none\n```\nor\n```\ntwo\n```", "2 pieces"),
        ("```\n\n```", "empty"),
        (block("    x = 1\n", "    x = 2\n"), "2 places"),
        (block("    z = 1\n", "    z = 2\n"), "not in the file"),
        (block("\n", "x\n"), "looks for nothing"),
        ("<<<<<<< SEARCH\ndef a():\n=======\nnew", "middle of a SEARCH"),
        ("<<<<<<< SEARCH\nx\n<<<<<<< SEARCH\n", "inside another"),
        ("<<<<<<< SEARCH\ndef a():\n>>>>>>> REPLACE\n", "no SEARCH|middle of a SEARCH"),
    ],
)
def test_a_broken_answer_is_refused_whole(answer, word):
    with pytest.raises(StudioError, match="no edit") as caught:
        edited(answer, FILE)
    assert caught.value.code == "malformed"
    assert any(part in caught.value.detail for part in word.split("|"))


def test_of_two_blocks_with_one_broken_nothing_is_applied():
    with pytest.raises(StudioError):
        edited(block("def a():\n", "def aa():\n") + "\n" + block("absent\n", "x\n"), FILE)


def test_a_replacement_keeps_the_last_line_end_and_the_indentation():
    assert fitted("x", "    y\n") == "    x\n"
    assert fitted("x\n", "y") == "x"
    assert fitted("    x\n", "    y\n") == "    x\n"
    assert fitted("if a:\n    b\n", "\tc\n") == "\tif a:\n\t    b\n"
