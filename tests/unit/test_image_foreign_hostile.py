"""Texts inside pictures by strangers: whatever they hold, there is a sentence, never a failure."""

import copy
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.image import foreign
from studio.errors import StudioError
from tests.foreign_texts import graph, read

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "texts",
    [
        {},
        {"Author": "somebody"},
        {"parameters": "just a prompt"},
        {"prompt": "[[[["},
        {"prompt": "[" * 100_000},
        {"prompt": '{"a":' * 100_000},
        {"prompt": "9" * 10_000},
        {
            "workflow": json.dumps(
                {"nodes": [[1], {"type": 5}, {"type": "KSampler", "id": {}}], "links": [1, [2], [[]]]}
            )
        },
        {"invokeai_metadata": "null", "sd-metadata": '{"image": []}', "Dream": '"' + "\\" * 30_000},
        {"Software": "NovelAI", "Comment": "{}"},
        {"xmp": "exif:UserComment<rdf:li"},
    ],
)
def test_texts_that_say_nothing(texts: dict) -> None:
    with pytest.raises(StudioError) as refused:
        read(texts)
    assert refused.value.code == "no-recipe"


def test_a_graph_that_goes_in_circles_and_one_without_end() -> None:
    circle = graph(
        **{
            "10": {"class_type": "LoraLoader", "inputs": {"lora_name": "x", "model": ["10", 0]}},
            "6": {"class_type": "ConditioningCombine", "inputs": {"conditioning_1": ["6", 0], "text": ["6", 0]}},
        }
    )
    assert read({"prompt": json.dumps(circle)}).params["seed"]
    many = graph(
        **{
            f"l{n}": {"class_type": "LoraLoader", "inputs": {"lora_name": f"x{n}", "model": [f"l{n + 1}", 0]}}
            for n in range(6000)
        }
    )
    many["3"]["inputs"]["model"] = ["l0", 0]
    found = read({"prompt": json.dumps(many)})
    assert len(found.left) <= foreign.MOST_SENTENCES + 1 and max(map(len, found.left)) <= 300


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["3", "6", "euler"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(anything, st.integers(0, 10_000))
@settings(max_examples=300, deadline=None)
def test_any_value_anywhere_fails_in_words_or_not_at_all(value, where: int) -> None:
    sources = [
        ("prompt", graph()),
        (
            "invokeai_metadata",
            {
                "positive_prompt": "x",
                "loras": [{"model": {"name": "x"}}],
                "controlnets": [{}],
                "seed": 1,
                "scheduler": "x",
                "model": {},
                "strength": 1,
                "width": 1,
                "cfg_scale": 1,
            },
        ),
        ("sd-metadata", {"image": {"prompt": [{}], "seed": 1, "sampler": "x", "variations": []}}),
        (
            "parameters",
            {"base_model": "x", "prompt": "x", "loras": [["a", 1]], "resolution": "1", "styles": [], "seed": 1},
        ),
        ("parameters", {"sui_image_params": {"prompt": "x", "loras": ["a"], "loraweights": ["b"], "cfgscale": 1}}),
        ("parameters", {"c": "x", "sampler": "x", "lora": [{}], "size": "1x1", "strength": 1}),
        ("Comment", {"prompt": "x", "uc": "x", "seed": 1, "sampler": "x", "strength": 1}),
    ]
    draw = random.Random(where)
    key, said = draw.choice(sources)
    said = _replaced(copy.deepcopy(said), value, draw)
    try:
        found = read({key: json.dumps(said)})
    except StudioError:
        return
    json.dumps(found.params)


def _replaced(said, value, draw: random.Random):
    """The same with `value` at a place drawn by chance."""
    inner = said
    while True:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        if not keys:
            return said
        key = draw.choice(keys)
        if isinstance(inner[key], dict | list) and inner[key] and draw.random() < 0.8:
            inner = inner[key]
            continue
        inner[key] = value
        return said
