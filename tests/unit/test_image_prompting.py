"""The prompt language without any model: weights, choices, wildcards, what the panel is told, and hostile prompts."""

import random
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.image import choices, emphasis, prompting
from plugins.image.emphasis import Piece
from studio.errors import StudioError

pytestmark = pytest.mark.unit
PLAIN = st.text(alphabet="abc xyz,.:1é\n\"'", max_size=40)


def pieces(text: str) -> list[tuple[str, float]]:
    return [(piece.text, round(piece.weight, 4)) for chunk in emphasis.read(text).chunks for piece in chunk]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", [("a cat", 1)]),
        ("", [("", 1)]),
        ("a (cat)", [("a ", 1), ("cat", 1.1)]),
        ("((cat))", [("cat", 1.21)]),
        ("[cat]", [("cat", 0.9091)]),
        ("(cat:1.5) b", [("cat", 1.5), (" b", 1)]),
        ("(a (b:2):0.5)", [("a ", 0.5), ("b", 1.0)]),
        ("(cat: 0.3 )", [("cat", 0.3)]),
        ("(cat:-1)", [("cat", -1)]),
        ("(a:b)", [("a:b", 1.1)]),
        (r"\(a\) \[b\] c\\d", [(r"(a) [b] c\d", 1)]),
        (r"C:\dir", [(r"C:\dir", 1)]),
        ("(open", [("(open", 1)]),
        ("shut)", [("shut)", 1)]),
        ("[a (b]", [("a (b", 0.9091)]),
        ("BREAKFAST", [("BREAKFAST", 1)]),
        ("<lora:thing:0.5> a", [(" a", 1)]),
        ("(a:99)", [("a", 10)]),
    ],
)
def test_brackets_weigh_what_they_hold(text, expected):
    assert pieces(text) == [(words, pytest.approx(weight, abs=1e-3)) for words, weight in expected]


def test_break_begins_a_chunk_inside_brackets_too():
    assert emphasis.read("a BREAK b").chunks == ((Piece("a"),), (Piece("b"),))
    assert emphasis.read("(a BREAK b:1.5)").chunks == ((Piece("a", 1.5),), (Piece("b", 1.5),))
    assert emphasis.read("BREAK a BREAK BREAK").chunks == ((Piece("a"),),)
    assert emphasis.read("BREAK").chunks == ((Piece(""),),)
    assert emphasis.read("a BREAK b").plain == "a b"


@given(PLAIN)
def test_a_prompt_without_marks_stays_letter_by_letter(text):
    assert emphasis.read(text).chunks == ((Piece(text),),)
    assert prompting.expansions(text, seeds=[1, 2]) == [text, text]


@given(st.text(alphabet="ab ()[]:1.2\\{}|_$BREAK", max_size=60))
def test_no_text_at_all_makes_the_reader_fail(text):
    explained = prompting.explain(text)
    for mark in (*explained.spans, *explained.problems):
        assert 0 <= mark.start < mark.end <= max(1, len(text))
    reading = emphasis.read(text)
    assert all(abs(piece.weight) <= emphasis.MOST for chunk in reading.chunks for piece in chunk)


def test_problems_are_told_where_they_are():
    found = emphasis.read("a (b [c) d]").problems
    assert [(p.start, p.end) for p in found] == [(5, 6), (10, 11)]
    assert "never closed" in found[0].text and "closes nothing" in found[1].text
    assert "editing" in emphasis.read("[cat:dog:0.5]").problems[0].text
    assert "editing" in emphasis.read("[cat|dog]").problems[0].text
    assert not emphasis.read("[a {cat|dog}]").problems


def test_spans_tell_each_place_its_weight():
    text = "a (b (c:2)) d"
    assert emphasis.spans(text, emphasis.read(text)) == [(2, 5, 1.1), (5, 10, pytest.approx(2.2)), (10, 11, 1.1)]


@pytest.mark.parametrize(
    ("text", "start", "end", "delta", "expected", "selected"),
    [
        ("a red cat", 3, 3, 0.1, "a (red:1.1) cat", "red"),
        ("a red cat", 5, 5, 0.1, "a (red:1.1) cat", "red"),
        ("a (red:1.1) cat", 4, 4, 0.1, "a (red:1.2) cat", "red"),
        ("a (red:1.1) cat", 4, 4, -0.1, "a red cat", "red"),
        ("a (red) cat", 3, 6, 0.05, "a (red:1.15) cat", "red"),
        ("a (red) cat", 2, 7, 0.05, "a (red:1.15) cat", "red"),
        ("a red cat", 2, 9, -0.1, "a (red cat:0.9)", "red cat"),
        ("((a) b)", 2, 2, 0.1, "((a:1.2) b)", "a"),
        ("a  b", 2, 2, 0.1, "a  b", ""),
        ("(a", 0, 2, 0.1, "(a", "(a"),
        ("a (b:0.05)", 3, 3, -0.1, "a (b:0)", "b"),
        ("a-b", 0, 0, 0.1, "(a-b:1.1)", "a-b"),
    ],
)
def test_the_weight_at_the_cursor(text, start, end, delta, expected, selected):
    text, start, end = prompting.adjust_weight(text, start, end, delta)
    assert (text, text[start:end]) == (expected, selected)


@given(st.text(alphabet="ab ()[]:1.", max_size=20), st.integers(0, 20), st.integers(0, 20))
def test_up_and_down_again_reads_as_before(text, start, end):
    up = prompting.adjust_weight(text, start, end, 0.1)
    assert 0 <= up[1] <= up[2] <= len(up[0])
    down = prompting.adjust_weight(*up, -0.1)
    if not emphasis.read(text).brackets:
        assert down[0] == text


def every(text: str, folder: Path | None = None) -> list[str]:
    return prompting.expansions(text, how="all", folder=folder)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{a|b}", ["a", "b"]),
        ("{a|b} {x|y}", ["a x", "a y", "b x", "b y"]),
        ("{a|{b|c}}", ["a", "b", "c"]),
        ("{ a | b }", ["a", "b"]),
        ("{2$$a|b|c}", ["a, b", "a, c", "b, c"]),
        ("{2$$ and $$a|b|c}", ["a and b", "a and c", "b and c"]),
        ("{1-2$$a|b}", ["a", "b", "a, b"]),
        ("{0-1$$a|b}", ["", "a", "b"]),
        ("{-1$$a|b}", ["a", "b"]),
        ("{9$$a|b}", ["a, b"]),
        ("{3::a|b}", ["a", "b"]),
        ("{a|}", ["a", ""]),
        ("{a|a}", ["a"]),
        ('{"scene": "a", "n": [1]}', ['{"scene": "a", "n": [1]}']),
        ('{"scene": "{a|b}"}', ['{"scene": "a"}', '{"scene": "b"}']),
        (r"\{a|b\}", ["{a|b}"]),
        (r"{a\|b|c}", ["a|b", "c"]),
        (r"\(a\) {b|c}", [r"\(a\) b", r"\(a\) c"]),
        ("snake__case # and // all the rest", ["snake__case # and // all the rest"]),
        ("______", ["______"]),
        ("{({a|b}:1.2)|c}", ["(a:1.2)", "(b:1.2)", "c"]),
    ],
)
def test_every_combination(text, expected):
    assert every(text) == expected


def test_all_paints_every_combination_as_often_as_asked():
    assert prompting.expansions("{a|b}", how="all", count=2) == ["a", "b", "a", "b"]


def test_the_same_seed_draws_the_same_whatever_is_beside_it():
    text = "{2$$a|b|c|d} {e|f|g|h} {i|j}"
    one = prompting.expansions(text, seeds=[5])
    assert prompting.expansions(text, seeds=[4, 5, 6])[1:2] == one
    assert len(set(prompting.expansions(text, seeds=range(50)))) > 20


def test_weights_draw_as_often_as_they_say():
    drawn = prompting.expansions("{9::a|b}", seeds=range(2000))
    assert 1700 < drawn.count("a") < 1900
    assert set(prompting.expansions("{0::a|b}", seeds=range(50))) == {"b"}


OPTIONS = st.lists(st.sampled_from([f"w{number}" for number in range(12)]), min_size=2, max_size=6, unique=True)


@given(st.lists(st.tuples(OPTIONS, st.integers(1, 3)), min_size=1, max_size=2), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_counting_drawing_and_listing_agree(groups, seed):
    text = " / ".join("{" + f"{size}$$+$$" + "|".join(options) + "}" for options, size in groups)
    parsed = choices.parse(text, lambda name: pytest.fail(name))
    listed = [choices.nth(parsed.node, index) for index in range(parsed.node.count)]
    expected = [["+".join(c) for c in combinations(options, min(size, len(options)))] for options, size in groups]
    assert len(listed) == len(set(listed))
    first = {entry.split(" / ")[0] for entry in listed}
    assert first == set(expected[0])
    drawn = choices.draw(parsed.node, random.Random(seed))
    alike = [tuple(sorted(part.split("+")) for part in entry.split(" / ")) for entry in listed]
    assert tuple(sorted(part.split("+")) for part in drawn.split(" / ")) in alike


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "wildcards"
    (folder / "animals").mkdir(parents=True)
    (folder / "colour.txt").write_text("# shades\nred\n\n2::blue\n\\#fff\n", encoding="utf-8")
    (folder / "animals" / "cats.txt").write_bytes(b"\xef\xbb\xbftabby\r\n__colour__ cat\r\n")
    (folder / "animals" / "dogs.txt").write_text("{big|small} dog")
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a __colour__ one", ["a red one", "a blue one", "a #fff one"]),
        ("__animals/cats__", ["tabby", "red cat", "blue cat", "#fff cat"]),
        ("__dogs__", ["big dog", "small dog"]),
        ("__Colour__", ["red", "blue", "#fff"]),
        ("{2$$__colour__}", ["red, blue", "red, #fff", "blue, #fff"]),
        ("__animals/*__", ["tabby", "red cat", "blue cat", "#fff cat", "big dog", "small dog"]),
        (r"\__colour__", ["__colour__"]),
    ],
)
def test_wildcards_are_lines_of_files(folder, text, expected):
    assert every(text, folder) == expected


def test_a_file_that_changed_is_read_again(folder):
    assert every("__colour__", folder)[0] == "red"
    (folder / "colour.txt").write_text("green only")
    assert every("__colour__", folder) == ["green only"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../secret", "stay inside"),
        ("animals/../../secret", "stay inside"),
        ("/etc/passwd", "stay inside"),
        ("~/secret", "stay inside"),
        ("..\\secret", "stay inside"),
        ("linked", "no wildcards file"),
        ("color", "__colour__"),
        ("zebra", "zebra.txt"),
        ("empty", "no line"),
        ("huge", "too large"),
        ("binary", "UTF-8"),
        ("loop", "leads back"),
        ("broken", "{never|shut"),
    ],
)
def test_files_that_cannot_serve_are_refused_in_words(folder, tmp_path, name, says):
    (tmp_path / "secret.txt").write_text("private")
    (folder / "linked.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "empty.txt").write_text("# nothing\n")
    (folder / "huge.txt").write_bytes(b"a\n" * (2 * 2**20 + 1))
    (folder / "binary.txt").write_bytes(b"\xff\xfe\x00")
    (folder / "loop.txt").write_text("a __again__")
    (folder / "again.txt").write_text("__loop__")
    (folder / "broken.txt").write_text("{never|shut")
    with pytest.raises(StudioError) as caught:
        every(f"a __{name}__", folder)
    assert caught.value.code == "wildcard" and says in str(caught.value)
    assert "private" not in str(caught.value)
    explained = prompting.explain(f"a __{name}__ b", folder=folder)
    assert [(p.start, p.end) for p in explained.problems][:1] == [(2, 6 + len(name))]


def test_the_panel_is_told_what_a_prompt_makes(folder):
    told = prompting.explain("a ({red|blue}:1.2) __dogs__ (b", how="all", count=2, folder=folder)
    assert (told.combinations, told.makes) == (4, 8)
    assert told.preview[0] == "a (red:1.2) big dog (b" and len(told.preview) == 4
    assert [p.start for p in told.problems] == [28]
    assert {span.kind for span in told.spans} == {"weight", "choice", "wildcard"}
    told = prompting.explain("{a|b|c|d|e|f|g|h|i|j}", count=12, seeds=[1, 1])
    assert (told.combinations, told.makes, len(told.preview)) == (10, 12, 2)
    assert told.preview[0] == prompting.expansions("{a|b|c|d|e|f|g|h|i|j}", seeds=[1])[0]


def test_too_many_combinations_are_refused_with_their_number():
    with pytest.raises(StudioError, match="128"):
        every("{a|b}" * 7)
    assert prompting.explain("{a|b}" * 7, how="all").makes == 0


DEEP = 10_000


@pytest.mark.parametrize(
    "text",
    [
        "(" * DEEP + "a" + ")" * DEEP,
        "[" * DEEP,
        "([" * DEEP + "a",
        "{" * DEEP + "}" * DEEP,
        "{a|" * DEEP + "b" + "}" * DEEP,
        "{a|b}" * DEEP,
        "{40$$" + "|".join(["a"] * 80) + "}",
        "{40$$" + "|".join(["{a|b}"] * 80) + "}",
        "{64$$" * 40 + "a|b" + "}" * 40,
        "\\" * DEEP,
        "_" * DEEP,
        "__a" * DEEP,
        ":" * DEEP + ")",
        "(a:1." + "1" * DEEP + ")",
        "<lora:" * DEEP,
        "BREAK " * DEEP,
        "{" + "a|" * DEEP + "}",
    ],
)
def test_hostile_prompts_end(text):
    prompting.explain(text, how="all")
    prompting.explain(text)
    emphasis.read(text)
    try:
        prompting.expansions(text[:20_000], seeds=[1, 2])
    except StudioError as error:
        assert error.code in ("prompt", "wildcard")


def test_wildcards_that_multiply_are_refused_before_they_are_drawn(tmp_path):
    for level in range(12):
        (tmp_path / f"w{level}.txt").write_text(f"__w{level + 1}__ " * 20)
    (tmp_path / "w12.txt").write_text("bomb")
    with pytest.raises(StudioError, match="too long"):
        prompting.expansions("__w0__", seeds=[1], folder=tmp_path)
