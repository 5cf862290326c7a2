"""Flags of an operation: every kind of field, messages that name the flag, texts from files and stdin."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from studio.cli import flags
from studio.errors import StudioError
from studio.sdk.params import Density, Item, ModelRef, Params, Prompt, Seed, Ui

pytestmark = pytest.mark.unit


class Paint(Params):
    prompt: Prompt = Field("", description="What to paint.")
    model: ModelRef = ""
    max_tokens: Annotated[int, Field(ge=1, le=8192)] = 200
    strength: Annotated[float, Field(gt=0, le=1), Ui(density=Density.EXPERT)] = 0.5
    mode: Literal["wet", "dry"] = "wet"
    tiled: bool = True
    stop: list[str] = []
    seed: Seed = None


SWITCHES = (flags.Switch("json", "As JSON."), flags.Switch("priority", "How urgent.", True, ("batch", "training")))


def values(*tokens, stdin=b""):
    return flags.parse(Paint, tokens, SWITCHES, lambda: stdin).values


def wrong(*tokens):
    with pytest.raises(StudioError) as caught:
        flags.load(Paint, flags.parse(Paint, tokens, SWITCHES))
    return caught.value


def test_every_kind_of_field_has_its_flag():
    given = flags.parse(
        Paint,
        [
            "--prompt",
            "--odd start",
            "--max-tokens=40",
            "--strength",
            "0.25",
            "--mode",
            "dry",
            "--no-tiled",
            "--stop",
            "\n",
            "--stop",
            "--",
            "--seed",
            "7",
            "--json",
            "--priority",
            "batch",
        ],
        SWITCHES,
    )
    assert flags.load(Paint, given) == Paint(
        prompt="--odd start", max_tokens=40, strength=0.25, mode="dry", tiled=False, stop=["\n", "--"], seed=7
    )
    assert given.switches == {"json": True, "priority": "batch"}


def test_only_what_was_typed_is_given():
    assert values() == {}
    assert values("--tiled") == {"tiled": True}
    assert values("--tiled=no") == {"tiled": False}
    assert values("--seed", "none") == {"seed": None}
    assert values("--model", "none") == {"model": "none"}


def test_a_word_without_a_flag_is_the_prompt():
    assert values("Once upon", "--max-tokens", "3") == {"prompt": "Once upon", "max_tokens": "3"}
    assert values("--", "--odd") == {"prompt": "--odd"}
    assert "'more' follows no flag" in str(wrong("Once", "more"))


def test_a_text_comes_from_a_file_or_standard_input_unchanged(tmp_path):
    text = tmp_path / "text"
    text.write_bytes("zwei\r\nZeilen ü\n".encode())
    assert values("--prompt", f"@{text}") == {"prompt": "zwei\r\nZeilen ü\n"}
    assert values("--prompt", "-", stdin="ü\n".encode()) == {"prompt": "ü\n"}
    assert values("--prompt", "@@home") == {"prompt": "@home"}
    assert values("--model", "@x") == {"model": "@x"}


@pytest.mark.parametrize(
    ("tokens", "says"),
    [
        (["--max-token", "3"], "Did you mean --max-tokens?"),
        (["--max-tokens"], "--max-tokens needs a value"),
        (["--max-tokens", "0"], "--max-tokens: Input should be greater than or equal to 1"),
        (["--max-tokens", "many"], "--max-tokens: Input should be a valid integer"),
        (["--mode", "moist"], "--mode: Input should be 'wet' or 'dry'"),
        (["--strength", "nan"], "--strength: "),
        (["--no-mode"], "There is no flag --no-mode"),
        (["--tiled=perhaps"], "--tiled takes yes or no"),
        (["--priority", "soon"], "--priority takes one of batch, training"),
        (["--prompt", "@/nowhere/at/all"], "--prompt: /nowhere/at/all cannot be read"),
        (["--prompt", "half \ud83d"], "--prompt: it holds half of a character"),
    ],
)
def test_a_wrong_flag_is_named(tokens, says):
    assert says in str(wrong(*tokens))


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"ab\xff")
    assert "no UTF-8 text (byte 2)" in str(wrong("--prompt", f"@{tmp_path / 'x'}"))


class Said(Item):
    role: Literal["user", "assistant"] = "user"
    content: Annotated[str, Ui(widget="text")] = ""


class Talk(Params):
    messages: list[Said] = []


def talk(*tokens, stdin=b""):
    given = flags.parse(Talk, [word for token in tokens for word in ("--messages", token)], (), lambda: stdin)
    return [(said.role, said.content) for said in flags.load(Talk, given).messages]


def test_items_are_typed_or_come_from_a_json_file_or_standard_input(tmp_path):
    file = tmp_path / "chat.json"
    file.write_text('\ufeff{"model": "x", "messages": [{"role": "user", "content": "a, role=b"}, {"content": "c"}]}')
    assert talk(f"@{file}") == [("user", "a, role=b"), ("user", "c")]
    assert talk("role=assistant,content=one, two", '{"content": "three"}') == [
        ("assistant", "one, two"), ("user", "three"),
    ]  # fmt: skip
    assert talk("content=first", "-", stdin=b'[{"role": "assistant", "content": "ok"}]')[1] == ("assistant", "ok")
    assert "--messages ROLE" not in (text := flags.help_text("t.t", "T", "", Talk)) and "content=… or @FILE" in text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[1]", "no list of objects"),
        (b'{"talk": []}', "no list of objects"),
        (b"[" * 99_999, "no JSON"),
        (b"\xff", "no UTF-8"),
        (b'[{"role": "robot"}]', "Input should be 'user' or 'assistant'"),
    ],
)
def test_a_file_that_holds_no_items_is_refused(content, says):
    with pytest.raises(StudioError, match="--messages") as caught:
        talk("-", stdin=content)
    assert says in str(caught.value)


def test_a_param_named_like_a_switch_comes_first():
    class Clash(Params):
        priority: str = ""

    given = flags.parse(Clash, ["--priority", "x"], SWITCHES)
    assert (given.values, given.switches) == ({"priority": "x"}, {})


def test_help_has_every_flag_with_its_range_and_default():
    text = flags.help_text("paint.make", "Paint", "Makes a picture.", Paint, SWITCHES)
    for piece in ("--prompt TEXT", "What to paint", "--max-tokens N", "1…8192", "default 200", "--tiled, --no-tiled",
                  "--mode wet|dry", "drawn when not given", "--priority batch|training", "@FILE"):  # fmt: skip
        assert piece in text, piece
    assert text.index("Expert flags") > text.index("--seed")
    assert text.index("--strength") > text.index("Expert flags")
