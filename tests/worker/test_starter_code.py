"""The recipe of the starter code model, killed and resumed at a tiny size; each part for itself; what is shipped."""

import ast
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.worker
ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "assets" / "models" / "python-5m"
STEPS, KILLED_AFTER = 12, 5
CODE = '''class Box:
    """A thing {with} brackets in it."""

    def put(self, thing, *more):
        if thing in self.things:
            return [self.things[thing](1, 2)]
        for other in more:
            self.put(other)

        return None


print(Box().put({"a": (1, 2)}))
'''


def build(folder: Path) -> list[str]:
    return [
        *("--tiny", "--steps", str(STEPS), "--save-every", "0"),
        *("--out", str(folder / "python-tiny"), "--state", str(folder / "state")),
    ]


@pytest.fixture(scope="module")
def resumed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which the recipe was killed in the middle of training and started again."""
    folder = tmp_path_factory.mktemp("killed")
    command = [sys.executable, "-m", "scripts.build_starter_code", *build(folder)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    first = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert first.stdout is not None
    with first.stdout as lines:
        next(line for line in lines if line.startswith(f'code {{"step": {KILLED_AFTER},'))
        first.kill()
    assert first.wait() < 0
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f'"step": {KILLED_AFTER - 2},' not in done.stdout, "it began from the beginning"
    return folder


def test_killed_and_resumed_gives_the_same_weights(resumed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    import torch

    from scripts import build_starter_code as recipe

    options = recipe.parse(build(tmp_path))
    options.state.mkdir()
    library = recipe.read_library(most=recipe.TINY_CHARS)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        tokenizer = recipe.kept_tokenizer(library, options.state, options.vocab)
        model, _, figures = recipe.trained(options, library, tokenizer)
    finally:
        torch.set_num_threads(threads)
    assert figures["steps"] == STEPS and f'"step": {KILLED_AFTER - 2},' in capsys.readouterr().out
    kept = torch.load(resumed / "state" / "code.pt", weights_only=True)
    assert kept["step"] == STEPS
    weights = model.state_dict()
    assert kept["state"]["model"].keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in kept["state"]["model"].items())
    # A longer training goes on from where the rate began to fall, which is before its end.
    recipe.go_further(resumed / "state")
    assert torch.load(resumed / "state" / "code.pt", weights_only=True)["step"] == STEPS // 2


def test_the_folder_is_a_plain_model_with_an_honest_card(resumed: Path):
    import json

    from transformers import AutoModelForCausalLM, AutoTokenizer

    from studio.hub.card import read_card

    folder = resumed / "python-tiny"
    assert not [path for path in folder.rglob("*") if path.suffix in (".bin", ".pt", ".py", ".pkl", ".ckpt")]
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert model.config.vocab_size == len(tokenizer) == 512
    card, figures = read_card(folder), json.loads((folder / "metrics.json").read_text())
    assert (card.licence, card.tag, "code" in card.tags) == ("PSF-2.0", "text-generation", True)
    missed = figures["blocks_parse"] < 0.85
    assert ("completed blocks that parse" in figures["verdict"]) and ("MISSED" in figures["verdict"]) >= missed
    assert figures["verdict"] in (folder / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from scripts.starter_code_tokenizer import train_code_tokenizer

    return train_code_tokenizer([CODE * 3], 700)


def test_indentation_is_one_token_and_every_text_comes_back(tokenizer):
    from scripts.starter_code_tokenizer import SPECIAL, decode, encode

    for start in ("", "\n", "\n\n"):
        assert [len(encode(tokenizer, start + " " * n)) for n in range(1, 33)] == [1] * 32
    assert len(encode(tokenizer, "\n" + " " * 40 + "x")) > 2
    assert [len(encode(tokenizer, word)) for word in ("return", "nonlocal", " lambda")] == [1, 1, 1]
    assert [decode(tokenizer, [number]) for number in encode(tokenizer, "1024")] == list("1024")
    text = f"{CODE}\t<|fim_middle|> é 🦊\r\n\n\n\n      x = 0x1F  # {SPECIAL[0]}\n"
    ids = encode(tokenizer, text)
    assert decode(tokenizer, ids) == text
    marks = [tokenizer.get_vocab()[mark] for mark in SPECIAL]
    assert not set(ids) & set(marks) and len(set(marks)) == len(SPECIAL)


def test_holes_are_where_cursors_stand():
    from scripts import starter_code_holes as holes

    dice = random.Random(0)
    for _ in range(100):
        for kind in holes.KINDS:
            span = kind(CODE, dice)
            assert span is not None and 0 <= span[0] < span[1] <= len(CODE)
        start, end = holes.rest_of_line(CODE, dice) or (0, 0)
        assert CODE[end] == "\n" and "\n" not in CODE[start:end]
        start, end = holes.body_of_block(CODE, dice) or (0, 0)
        assert CODE[start - 1] == ":" or CODE[:start].endswith("    ")
        assert ast.parse(CODE[:start] + (" pass" if CODE[start - 1] == ":" else "pass") + CODE[end:])
    assert {CODE[a + 1 : b] for a, b in holes.bracket_pairs(CODE)} >= {"thing", "1, 2", '{"a": (1, 2)}'}
    assert holes.bracket_pairs("(]") == [] and holes.inside_brackets("plain", dice) is None
    assert holes.hole("x", dice) == (0, 1)


def test_rows_hold_whole_pieces_half_of_them_with_holes(tokenizer):
    from scripts.starter_code_rows import IGNORED, Marks, epoch_rows, modules
    from scripts.starter_code_tokenizer import decode

    marks = Marks(tokenizer)
    read = modules({f"m{n}.py": CODE.replace("Box", f"Box{n}") for n in range(40)}, tokenizer)
    ids, labels = epoch_rows(read, tokenizer, 128, seed=1, epoch=0)
    again, other = epoch_rows(read, tokenizer, 128, seed=1, epoch=0), epoch_rows(read, tokenizer, 128, seed=1, epoch=1)
    assert ids.equal(again[0]) and labels.equal(again[1]) and not ids[:4].equal(other[0][:4])
    counted = labels != IGNORED
    assert ids[counted].equal(labels[counted]) and not (labels == marks.pad).any()
    assert not counted[:, 0].any() and counted.float().mean() > 0.75
    flat = ids.flatten().tolist()
    middles, plain = flat.count(marks.middle), flat.count(marks.file)
    assert flat.count(marks.prefix) == flat.count(marks.suffix) == middles and middles > 20 and plain > 10
    filled = 0
    for row in ids.tolist():
        if row[0] == marks.prefix:  # prefix first: what stands around a middle makes the module with it
            suffix, middle = row.index(marks.suffix), row.index(marks.middle)
            end = row.index(marks.end, middle)
            parts = row[1:suffix], row[middle + 1 : end], row[suffix + 1 : middle]
            text = "".join(decode(tokenizer, part) for part in parts)
            assert any(text in "".join(module.lines) for module in read)
            filled += 1
    assert filled > 3


def test_the_5_gram_model_guesses_as_defined():
    from scripts.starter_code_ngram import BACKOFF, FiveGram

    ids = [1, 2, 3, 4, 5, 1, 2, 3, 4, 6, 1, 2, 3, 4, 6, 9, 3, 4, 7, 3, 4, 7, 3, 4, 7]
    model = FiveGram(ids, 12)
    tokens, counts = model.followers([1, 2, 3, 4])
    assert dict(zip(tokens.tolist(), counts.tolist(), strict=True)) == {5: 1, 6: 2}
    assert model.best([1, 2, 3, 4]) == 6
    assert BACKOFF**2 * 3 / 6 < 1 and model.best([8, 8, 3, 4]) == 7, "the longest context that was seen"
    assert model.best([8]) == model.best([]) in (3, 4)
    with pytest.raises(ValueError, match="too many"):
        FiveGram(ids, 10_000)


@pytest.mark.parametrize(
    ("text", "brackets", "indentation"),
    [
        (CODE, True, True),
        (CODE.replace("(other)", "(other"), False, True),
        (CODE.replace("(other)", "(other]"), False, True),
        (CODE.replace("return None", "  return None"), True, False),
        (CODE.replace("            return [", "        return ["), True, False),
        (CODE.replace('"a": (', '"a: ('), False, True),
        ("x = = (1)\n", True, True),
    ],
)
def test_brackets_and_indentation_are_judged_apart(text: str, brackets: bool, indentation: bool):
    from scripts import starter_code_places as places

    assert (places.brackets_right(text), places.indentation_right(text)) == (brackets, indentation)
    assert places.parses(text) == (text == CODE)


def test_a_block_ends_where_a_line_stands_no_deeper():
    from scripts.starter_code_places import block_end, blocks, line_ends, next_lines

    body = "\n        x = f(\n    1)\n\n        '''a\nb\n'''"
    assert block_end(body + "\n    y = 2\nz", 4) == len(body)
    assert block_end(body + "\n", 4) is None and block_end(body + "\n    y", 4) is None
    dice = random.Random(0)
    found = blocks({"box.py": CODE}, 9, dice)
    assert {place.before.splitlines()[-1].strip()[:3] for place in found} == {"def", "if ", "for"}
    for place in found:
        assert place.before + CODE[len(place.before) :] == CODE and ast.parse(place.before + place.truth)
    for place in (*next_lines({"box.py": CODE}, 9, dice), *line_ends({"box.py": CODE}, 9, dice)):
        assert CODE[len(place.before) :].lstrip("\n").startswith(place.truth) and "\n" not in place.truth


def test_muon_steps_are_of_one_size_in_every_direction():
    import torch

    from scripts.starter_muon import orthogonal

    matrix = torch.randn(24, 40, generator=torch.Generator().manual_seed(0))
    for found in (orthogonal(matrix), orthogonal(matrix.T).T):
        sizes = torch.linalg.svdvals(found)
        assert sizes.min() > 0.6 and sizes.max() < 1.3


def test_the_shipped_model_loads_completes_and_fills_holes():
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from scripts.starter_code_places import brackets_right

    tokenizer: Any = AutoTokenizer.from_pretrained(SHIPPED)
    model: Any = AutoModelForCausalLM.from_pretrained(SHIPPED, dtype=torch.float32).eval()
    assert 5e6 <= model.num_parameters() <= 10e6 and model.config.max_position_embeddings >= 512
    names = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|file_sep|>", "<|endoftext|>")
    marks = {name: tokenizer(name)["input_ids"] for name in names}
    assert all(len(ids) == 1 for ids in marks.values()) and tokenizer.eos_token == names[-1]
    prefix, suffix, middle = (marks[name] for name in names[:3])

    def write(ids: list[int], most: int) -> str:
        made = model.generate(torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), max_new_tokens=most)
        return tokenizer.decode(made[0, len(ids) :])

    before = "import os\n\n\ndef read(path):\n    with open(path) as file:"
    written = write(tokenizer(before)["input_ids"], 24)
    assert written.startswith("\n        "), "what stands below a colon is indented"
    holed = prefix + tokenizer("def size(path):\n    return len(")["input_ids"]
    holed += suffix + tokenizer(")\n")["input_ids"] + middle
    filled = write(holed, 24)
    assert filled.endswith(names[-1]), "a middle ends"
    assert brackets_right(f"def size(path):\n    return len({filled.removesuffix(names[-1])})\n")
