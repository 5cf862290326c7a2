"""Where an answer in a hole ends, whatever pieces it comes in."""

import pytest

from plugins.code.trim import Hole, Trimmer, unopened, without_doubled_end

pytestmark = pytest.mark.unit

CASES = {
    "a bracket that the text behind closes": ("print(", ")\n", "a, b)\nmore", "a, b"),
    "a bracket in a string is none": ("print(", ")\n", '")", x)', '")", x'),
    "a bracket that nothing behind closes stays": ("x = ", "\n", "f(1)\ny = g(2)", "f(1)\ny = g(2)"),
    "one line where one is asked": ("x = ", "\n", "1\ny = 2\n", "1"),
    "the lines behind the hole": (
        "def f():\n    ", "\n    b = second()\n    return a + b\n",
        "a = first()\n    b = second()\n    return a + b\n    x", "a = first()",
    ),
    "a line that is indented less": ("def f():\n    ", "\n", "return 1\nclass A:\n    pass\n", "return 1"),
    "the next thing at the margin": (
        "", "\n", "def f():\n    return 1\n\ndef g():\n    return 2\n", "def f():\n    return 1"
    ),
    "else belongs to what was begun": (
        "", "\n", "if x:\n    a()\nelse:\n    b()\nc()\n", "if x:\n    a()\nelse:\n    b()"
    ),
    "the same line again and again": ("    ", "\n", "x()\n    x()\n    x()\n    x()\n", "x()"),
    "the end doubles the rest of the line": ("if ", ":\n    pass", "x > 1:", "x > 1"),
    "it says only what stands there already": ("    ", "return x\n", "return x", ""),
    "nothing to cut": ("a = ", "\nb = 2", "1", "1"),
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("name", CASES)
def test_it_ends_where_the_hole_ends(name, size):
    before, after, answer, wanted = CASES[name]
    trimmer = Trimmer(Hole(before, after, multiline=name != "one line where one is asked"))
    for at in range(0, len(answer), size):
        if trimmer.push(answer[at : at + size]):
            break
    assert trimmer.finish() == wanted


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("(a)", None), ("a)", 1), ("'(' )", 4), ('"""\n)"""', None), ("# )\n]", 4), ("'\\')' )", 6), ("{[}]", None),
        ("", None),
    ],
)
def test_brackets_are_counted_outside_of_strings_and_comments(text, place):
    assert unopened(text) == place


def test_a_lone_bracket_behind_the_hole_is_not_taken_for_its_end():
    assert without_doubled_end("f(x)", ")") == "f(x)"
    assert without_doubled_end("x)", ")") == "x"
