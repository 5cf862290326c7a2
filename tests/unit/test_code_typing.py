"""What typing does beyond the letter."""

import pytest

from plugins.code.typing_help import Change, after_return, first_word, indented, unindented

pytestmark = pytest.mark.unit


def apply(text: str, change: Change) -> str:
    """The text after it, with | where the cursor is."""
    new = text[: change.start] + change.text + text[change.end :]
    at = change.start + len(change.text) if change.cursor is None else change.cursor
    return new[:at] + "|" + new[at:]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a|", "a\n|"),
        ("    a|b", "    a\n    |b"),
        ("def f():|", "def f():\n    |"),
        ("if x:  # why|", "if x:  # why\n    |"),
        ("    return 1|", "    return 1\n|"),
        ("        pass|", "        pass\n    |"),
        ("return_value|", "return_value\n|"),
        ("f({|})", "f({\n    |\n})"),
        ("\tif x {|", "\tif x {\n\t\t|"),
    ],
)
def test_a_new_line_is_as_deep_as_it_should_be(text, wanted):
    at = text.index("|")
    text = text.replace("|", "")
    assert apply(text, after_return(text, at, at, 4)) == wanted


def test_tab_goes_to_the_next_stop_or_moves_lines():
    assert apply("ab", indented("ab", 2, 2, 4)) == "ab  |"
    text = "a\n\n  b\nc"
    change = indented(text, 0, 6, 4)
    assert apply(text, change) == "    a\n\n      b|\nc" and change.anchor == 0
    assert apply("a\nb\n", indented("a\nb\n", 0, 2, 4)) == "    a|\nb\n", "the line behind the last end stays"


def test_back_tab_takes_one_step_off_every_line():
    text = "      a\n  b\n\tc"
    change = unindented(text, 0, len(text), 4)
    assert apply(text, change) == "  a\nb\nc|"
    assert apply("    ab", unindented("    ab", 5, 5, 4)) == "a|b"
    assert apply(" a", unindented(" a", 0, 0, 4)) == "|a"


@pytest.mark.parametrize(
    ("text", "word"),
    [("foo(bar)", "foo"), ("  foo bar", "  foo"), ("(a", "("), ("\n    x = 1", "\n    x"), ("   ", "   ")],
)
def test_the_first_word_of_a_suggestion(text, word):
    assert first_word(text) == word
