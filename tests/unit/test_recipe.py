"""Recipes survive inside texts and pictures, and every text comes back exactly."""

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import StudioError
from studio.library.recipe import (
    CLOSE,
    OPEN,
    embed_png,
    embed_text,
    png_with,
    read_recipe,
    read_text,
    text_of,
    to_json,
    write_beside,
)
from studio.sdk.artifact import ModelUse, Recipe

pytestmark = pytest.mark.unit

RECIPE = Recipe(
    operation="text.generate",
    params={"prompt": "A <b>fox</b> & an é --> 😀", "seed": 7, "stop": ["\n"], "temperature": 0.8},
    job="j1",
    artifact="j1-1",
    models=(ModelUse(ref="tales", sha256="ab"),),
    facts={"tokens": 3},
    later_key={"kept": True},  # type: ignore[call-arg]
)
TEXTS = [
    "",
    "a",
    "no newline at the end",
    "one\n",
    "two\r\nlines\r\n",
    "\r",
    "\ufeffbegins with a mark",
    "trailing blanks   \n\n\n",
    OPEN,
    CLOSE,
    OPEN + "{}" + CLOSE,
    embed_text("inner", RECIPE),
    embed_text(embed_text("", RECIPE), RECIPE),
    "\n\n<!-- atelier:recipe",
    "--> <!-- <script> &amp;",
    "\x00\x01\x1a\x85\u2028",
    "日本語 العربية \u202e 😀",
    "x" * 1_000_000,
]


def png(pixels: bytes = b"\x00\x00\x00\x00", extra: list[tuple[bytes, bytes]] | None = None) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    body = b"".join(chunk(kind, data) for kind, data in extra or [])
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:20]))
def test_a_text_comes_back_exactly_with_its_recipe(tmp_path, text):
    path = tmp_path / "a.md"
    path.write_bytes(embed_text(text, RECIPE).encode())
    assert text_of(path) == text
    assert read_recipe(path) == RECIPE
    assert read_text(path) == (text, RECIPE)


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(st.characters(exclude_categories=["Cs"])),
    prompt=st.text(),
    facts=st.dictionaries(st.text(max_size=5), st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)),
)
def test_any_text_and_any_recipe(tmp_path_factory, text, prompt, facts):
    path = tmp_path_factory.mktemp("any") / "a.md"
    recipe = Recipe(operation="x.y", params={"prompt": prompt}, facts=facts)
    path.write_bytes(embed_text(text, recipe).encode())
    assert text_of(path) == text
    assert read_recipe(path) == recipe


def test_the_block_is_one_ascii_line_that_ends_no_comment():
    block = embed_text("", RECIPE)
    line = block.removeprefix(OPEN).removesuffix(CLOSE)
    assert line.isascii() and not set("<>&\n\r") & set(line)


def test_a_file_that_an_editor_touched_keeps_its_recipe(tmp_path):
    path = tmp_path / "a.md"
    whole = embed_text("A tale.\nIt ends.", RECIPE)
    for touched in (whole.replace("\n", "\r\n"), whole.rstrip("\n"), whole + "\n\n  "):
        path.write_bytes(touched.encode())
        assert read_recipe(path) == RECIPE
        assert text_of(path).replace("\r\n", "\n") == "A tale.\nIt ends."
    path.write_bytes(whole.replace("A tale", "My tale").encode())
    assert text_of(path) == "My tale.\nIt ends."


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain",
        b"\xff\xfe",
        OPEN.encode() + b"{}" + CLOSE.encode() + b"words after it",
        b"\x89PNG\r\n\x1a\n",
        png(),
    ],
)
def test_files_without_a_recipe(tmp_path, data):
    path = tmp_path / "a"
    path.write_bytes(data)
    with pytest.raises(StudioError) as caught:
        read_recipe(path)
    assert caught.value.code == "no-recipe"


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "{",
        '{"operation": 3}',
        '{"operation":"a","params":[]}',
        "{" + '"a":{' * 50_000,
        '{"operation":"a","x":' + "9" * 5000 + "}",
    ],
)
def test_a_damaged_recipe_is_said_to_be_damaged(tmp_path, line):
    path = tmp_path / "a.md"
    path.write_text("text" + OPEN + line + CLOSE)
    with pytest.raises(StudioError) as caught:
        read_recipe(path)
    assert caught.value.code == "no-recipe" and "damaged" in caught.value.detail
    assert text_of(path) == "text"  # a damaged recipe does not hide the text


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(StudioError) as caught:
        read_recipe(tmp_path / "nothing")
    assert caught.value.code == "not-found"
    with pytest.raises(StudioError) as caught:
        read_recipe(tmp_path)
    assert caught.value.code == "unreadable"


def test_png_keeps_its_pixels_and_other_notes(tmp_path):
    path = tmp_path / "a.png"
    original = png(extra=[(b"tEXt", b"Title\x00hello")])
    path.write_bytes(original)
    embed_png(path, RECIPE)
    assert read_recipe(path) == RECIPE
    embed_png(path, RECIPE.model_copy(update={"job": "j2"}))
    assert read_recipe(path).job == "j2"
    data = path.read_bytes()
    assert data.count(b"atelier\x00") == 1 and b"tEXtTitle\x00hello" in data
    assert data[data.index(b"IDAT") - 4 :] == original[original.index(b"IDAT") - 4 :]


def test_pillow_reads_the_picture_and_the_recipe(tmp_path):
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "a.png"
    image.effect_noise((64, 48), 50).save(path)
    before = image.open(path).tobytes()
    embed_png(path, RECIPE)
    with image.open(path) as opened:
        opened.load()
        assert opened.tobytes() == before
        assert '"operation":"text.generate"' in opened.text["atelier"]


def test_png_made_elsewhere_with_a_compressed_note(tmp_path):
    path = tmp_path / "a.png"
    note = b'{"operation":"x.y","params":{}}'
    path.write_bytes(png(extra=[(b"iTXt", b"atelier\x00\x01\x00en\x00t\x00" + zlib.compress(note))]))
    assert read_recipe(path).operation == "x.y"


@pytest.mark.parametrize("data", [png()[:-3], png()[:40], b"\x89PNG\r\n\x1a\n\xff\xff\xff\xff", b"GIF89a"])
def test_a_cut_png_gets_no_recipe(data):
    with pytest.raises(StudioError) as caught:
        png_with(data, RECIPE)
    assert caught.value.code == "broken-picture"


def test_hostile_chunks_are_not_unpacked(tmp_path):
    path = tmp_path / "a.png"
    bomb = zlib.compress(b"{" + b" " * (80 << 20))
    path.write_bytes(png(extra=[(b"iTXt", b"atelier\x00\x01\x00\x00\x00" + bomb)]))
    with pytest.raises(StudioError) as caught:
        read_recipe(path)
    assert caught.value.code == "no-recipe"


def test_other_formats_have_the_recipe_beside_them(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF....WAVE")
    write_beside(path, RECIPE)
    assert read_recipe(path) == RECIPE
    with pytest.raises(FileExistsError):
        write_beside(path, RECIPE)


def test_values_that_json_does_not_have():
    class Number:
        def item(self):
            return 1.5

    recipe = Recipe(operation="x", params={"a": float("nan"), "b": (1, {2}), "c": Number()}, facts={"d": float("inf")})
    assert to_json(recipe)["params"] == {"a": None, "b": [1, [2]], "c": 1.5}
    assert to_json(recipe)["facts"] == {"d": None}
