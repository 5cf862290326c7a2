"""Model cards of every kind, read without a YAML library."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.hub.card import front_matter, parse, read_card

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("front", "licence"),
    [
        ("license: apache-2.0", "apache-2.0"),
        ("license: 'mit'", "mit"),
        ('license: "cc-by-4.0" ', "cc-by-4.0"),
        ("license: mit # fine", "mit"),
        ("license:\n- mit\n- apache-2.0", "mit"),
        ("license:\n  - openrail", "openrail"),
        ("license: [mit, x]", "mit"),
        ("license: other\nlicense_name: llama3", "llama3"),
        ("license: other", "other"),
        ("License: mit", "mit"),
        ("license:", ""),
        ("license: null", ""),
        ("license: |\n  long words", ""),
        ("tags:\n- a\nlicense: mit\nmodel-index:\n- name: x\n  results:\n  - license: no", "mit"),
        ("x: 1", ""),
        ("", ""),
    ],
)
def test_licences(front, licence):
    assert parse(f"---\n{front}\n---\n# Title\n").licence == licence
    assert parse(f"---\n{front}\n---\n".replace("\n", "\r\n")).licence == licence


def test_front_matter_of_a_real_card():
    text = """language:
  - en
  - de
pipeline_tag: text-generation
base_model:
- org/base
widget:
  - text: "Hello: there"
    example_title: One
datasets: [a, 'b']
"""
    assert front_matter(text) | {"widget": []} == {
        "language": ["en", "de"],
        "pipeline_tag": ["text-generation"],
        "base_model": ["org/base"],
        "widget": [],
        "datasets": ["a", "b"],
    }


def test_the_first_prose_is_the_excerpt():
    card = parse(
        "---\nlicense: mit\n---\n<p align=center><img src=x></p>\n\n# The *Title*\n\n[![badge](a)](b)\n\n"
        "| a | b |\n\n- a list\n\nThis is **the** [model](http://x) we made,\nwith `care` and snake_case.\n\nMore."
    )
    assert card.title == "The Title"
    assert card.excerpt == "This is the model we made, with care and snake_case."
    assert len(parse("word " * 1000).excerpt) <= 400 and parse("word " * 1000).excerpt.endswith("…")


def test_no_card_and_odd_cards(tmp_path):
    assert read_card(tmp_path).licence == ""
    (tmp_path / "README.md").write_bytes(b"\xff\xfe---\nlicense: mit")
    assert read_card(tmp_path).licence == ""
    (tmp_path / "README.md").write_bytes("\ufeff---\nlicense: mit\n---\n".encode())
    assert read_card(tmp_path).licence == "mit"
    (tmp_path / "README.md").write_bytes(b"---\nlicense: mit\n---\n" + b"x" * (1 << 20))
    assert read_card(tmp_path).licence == "mit"
    (tmp_path / "README.md").unlink()
    (tmp_path / "README.md").mkdir()
    assert read_card(tmp_path).licence == ""


@given(st.text())
def test_no_text_is_too_odd(text):
    for candidate in (text, f"---\n{text}\n---\n{text}"):
        card = parse(candidate)
        assert len(card.excerpt) <= 400 and len(card.licence) <= 100
