"""Weights files judged by content: the thirty hostile or broken safetensors, and what else lies under such names."""

import json
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import StudioError
from studio.hub import formats
from studio.hub.formats import pack_header, read_header, read_shards
from studio.hub.hashes import HashCache, sha256_of, weights_hash
from studio.hub.inspect import lone_file

pytestmark = pytest.mark.unit


def tensor(start: int = 0, end: int = 8, shape: tuple[int, ...] = (2,), dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


def packed(table: dict, size: int = 8) -> bytes:
    return pack_header(table) + bytes(size)


def raw(header: bytes, size: int = 8, length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + bytes(size)


GOOD = packed({"a": tensor()})
ENTRY = json.dumps(tensor())

HOSTILE = {
    "1 empty": (b"", "truncated"),
    "2 seven bytes": (bytes(7), "truncated"),
    "3 header 2^63": (raw(b"{}", length=1 << 63), "unsafe"),
    "4 header 200 MB": (raw(b"{}" + b" " * 100, length=200 << 20), "unsafe"),
    "5 not JSON": (raw(b"{not json}      "), "not-safetensors"),
    "6 JSON array": (raw(b"[1, 2, 3]       "), "not-safetensors"),
    "7 BOM": (raw(b"\xef\xbb\xbf" + ENTRY.encode()), "not-safetensors"),
    "8 spaces only": (raw(b" " * 64), "not-safetensors"),
    "9 deep nesting": (raw(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), "not-safetensors"),
    "10 duplicate keys": (raw(f'{{"a":{ENTRY},"a":{ENTRY}}}'.encode()), "not-safetensors"),
    "11 overlap": (packed({"a": tensor(0, 8), "b": tensor(4, 12)}, 12), "broken-model"),
    "12 hole": (packed({"a": tensor(0, 8), "b": tensor(16, 24)}, 24), "broken-model"),
    "13 truncated": (GOOD[:-1], "truncated"),
    "13 truncated in the header": (GOOD[:20], "truncated"),
    "14 trailing": (GOOD + b"\x00", "broken-model"),
    "15 negative offset": (packed({"a": tensor(-8, 0)}), "broken-model"),
    "16 shape overflow": (packed({"a": tensor(0, 8, (1 << 40, 1 << 40))}), "unsafe"),
    "17 unknown dtype": (packed({"a": tensor(dtype="PICKLE")}), "broken-model"),
    "18 metadata not string": (packed({"__metadata__": {"a": 1}, "a": tensor()}), "not-safetensors"),
    "19 metadata 50 MB": (packed({"__metadata__": {"a": "x" * (50 << 20)}, "a": tensor()}), "unsafe"),
    "20 100k tensors": (packed({f"t{n}": tensor(0, 0, (0,)) for n in range(100_000)}, 0), "unsafe"),
    "21 name ../": (packed({"../../x": tensor()}), "unsafe"),
    "22 name NUL": (packed({"a\x00b": tensor()}), "unsafe"),
    "25 HTML page": (b"<!DOCTYPE html><html><body>Not found</body></html>", "html"),
    "26 LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 5\n", "lfs-pointer"),
    "27 pickle renamed": (b"\x80\x02c" + b"posix\nsystem\n" + bytes(100), "pickle"),
    "27 zip of torch": (b"PK\x03\x04" + bytes(200), "pickle"),
    "36 7z-wrapped": (b"7z\xbc\xaf\x27\x1c" + bytes(200), "pickle"),
    "gguf": (b"GGUF\x03\x00\x00\x00" + bytes(100), "gguf"),
    "no tensors": (packed({}, 0), "broken-model"),
    "only metadata": (packed({"__metadata__": {}}, 0), "broken-model"),
    "bool as a length": (packed({"a": tensor() | {"shape": [True, 2]}}), "broken-model"),
    "float as a length": (packed({"a": tensor() | {"shape": [2.0]}}), "broken-model"),
    "offsets the wrong way": (packed({"a": tensor(8, 0)}), "broken-model"),
    "three offsets": (packed({"a": tensor() | {"data_offsets": [0, 4, 8]}}), "broken-model"),
    "an extra key": (packed({"a": tensor() | {"code": "x"}}), "broken-model"),
    "a missing key": (packed({"a": {"dtype": "F32", "shape": [2]}}), "broken-model"),
    "a description that is a text": (packed({"a": "F32"}), "broken-model"),
    "a dtype that is a list": (packed({"a": tensor() | {"dtype": ["F32"]}}), "broken-model"),
    "not a number": (raw(b'{"a": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 8]}}'), "not-safetensors"),
    "a number of 5,000 digits": (raw(b'{"a": ' + b"9" * 5000 + b"}"), "not-safetensors"),
    "not UTF-8": (raw(b'{"\xff": 1}       '), "not-safetensors"),
    "65 dimensions": (packed({"a": tensor(0, 4, (1,) * 65)}, 4), "broken-model"),
    "size and shape differ": (packed({"a": tensor(0, 8, (3,))}), "broken-model"),
    "an absolute name": (packed({"/etc/passwd": tensor()}), "unsafe"),
    "an empty name": (packed({"": tensor()}), "unsafe"),
    "a long name": (packed({"x" * 600: tensor()}), "unsafe"),
    "random bytes": (bytes(range(256)) * 4, "not-safetensors"),
    "text": (b"hello, this is a text and no model at all, sorry for that", "not-safetensors"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused_and_named(tmp_path, case):
    content, code = HOSTILE[case]
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(StudioError) as caught:
        read_header(path)
    assert caught.value.code == code, caught.value.detail
    assert caught.value.detail and caught.value.hint and len(str(caught.value)) < 1000
    assert "model.safetensors" in str(caught.value)
    assert lone_file(path, "x").problem == caught.value.to_dict()


def test_23_numbers_that_are_none_are_for_the_one_who_loads(tmp_path):
    """NaN weights are legal bytes: listed and loadable. The backend says what it finds."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(pack_header({"a": tensor()}) + struct.pack("<2f", float("nan"), float("inf")))
    assert read_header(path).parameters == 2


def test_24_a_flipped_bit_is_seen_by_the_hash(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(GOOD)
    before = weights_hash(tmp_path, HashCache())
    path.write_bytes(GOOD[:-1] + b"\x01")
    assert read_header(path).size == len(GOOD)
    assert weights_hash(tmp_path, HashCache()) != before


def test_28_the_case_of_a_suffix_chooses_no_other_reader(tmp_path):
    good, bad = tmp_path / "a.SafeTensors", tmp_path / "b.SAFETENSORS"
    good.write_bytes(GOOD)
    bad.write_bytes(HOSTILE["27 pickle renamed"][0])
    assert lone_file(good, "a").problem is None
    assert lone_file(bad, "b").problem["code"] == "pickle"


@pytest.mark.parametrize("kind", ["29 directory", "pipe", "nothing", "NUL"])
def test_29_what_is_no_file(tmp_path, kind):
    path = tmp_path / ("a\x00b" if kind == "NUL" else "model.safetensors")
    if kind == "29 directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(StudioError) as caught:
        read_header(path)
    assert caught.value.code in ("not-a-file", "unreadable")


def test_30_a_link_out_of_the_folder(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(GOOD)
    (folder / "model.safetensors").symlink_to(tmp_path / "secret")
    assert lone_file(folder / "model.safetensors", "x").problem["code"] == "link-outside"
    (folder / "b.safetensors").symlink_to("/etc/passwd")
    assert lone_file(folder / "b.safetensors", "x").problem["code"] == "link-outside"
    (folder / "real").write_bytes(GOOD)
    (folder / "c.safetensors").symlink_to("real")
    assert lone_file(folder / "c.safetensors", "x").problem is None


def test_a_good_header_is_summed_up(tmp_path):
    path = tmp_path / "a.safetensors"
    table = {
        "__metadata__": {"format": "pt"},
        "model.embed": tensor(0, 24, (3, 4), "BF16"),
        "scalar": tensor(24, 28, ()),
        "none": tensor(28, 28, (0, 5)),
        "half bytes": tensor(28, 30, (3,), "F4"),
    }
    path.write_bytes(packed(table, 30))
    header = read_header(path)
    assert (header.parameters, header.dtype, header.size) == (12 + 1 + 0 + 3, "bfloat16", path.stat().st_size)
    assert header.metadata == {"format": "pt"} and header.dtypes == {"BF16": 24, "F32": 4, "F4": 2}


def test_what_the_real_library_writes_is_read(tmp_path):
    numpy = pytest.importorskip("numpy")
    from safetensors.numpy import save_file

    arrays = {
        f"layer.{n}": numpy.ones((n, 7), dtype) for n, dtype in enumerate(("float32", "float16", "int64", "bool"))
    }
    save_file(arrays, tmp_path / "a.safetensors", metadata={"by": "test"})
    header = read_header(tmp_path / "a.safetensors")
    assert header.parameters == sum(array.size for array in arrays.values())
    assert set(header.names) == set(arrays) and header.metadata == {"by": "test"}


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60), st.integers(0, len(GOOD)), st.booleans())
def test_no_bytes_do_more_than_be_refused(tmp_path_factory, noise, at, replace):
    path = tmp_path_factory.mktemp("noise") / "a.safetensors"
    path.write_bytes(GOOD[:at] + noise + GOOD[at + (len(noise) if replace else 0) :])
    try:
        header = read_header(path)
    except StudioError as error:
        assert error.detail
    else:
        assert header.size == path.stat().st_size


def shards(folder: Path, index: object, **files: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}.safetensors").write_bytes(content)
    path = folder / "model.safetensors.index.json"
    path.write_bytes(index if isinstance(index, bytes) else json.dumps(index).encode())
    return path


def test_shards_are_checked_one_by_one(tmp_path):
    index = shards(
        tmp_path,
        {"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}},
        one=GOOD,
        two=packed({"b": tensor()}),
    )
    assert [(path.name, header.parameters) for path, header in read_shards(index)] == [
        ("one.safetensors", 2),
        ("two.safetensors", 2),
    ]
    (tmp_path / "two.safetensors").write_bytes(GOOD[:-2])
    with pytest.raises(StudioError) as caught:
        read_shards(index)
    assert caught.value.code == "truncated" and "two.safetensors" in str(caught.value)
    (tmp_path / "two.safetensors").unlink()
    with pytest.raises(StudioError) as caught:
        read_shards(index)
    assert caught.value.code == "missing-weights" and "two.safetensors" in caught.value.detail


@pytest.mark.parametrize(
    ("index", "code"),
    [
        *(({"weight_map": {"a": name}}, "unsafe") for name in
          ("../outside.safetensors", "/etc/passwd", "a/b.safetensors",
           "..", ".", "", "a\x00", "C:\\x", "..\\x", 5, None, [])),
        ({"weight_map": {}}, "bad-index"),
        ({"weight_map": []}, "bad-index"),
        ({}, "bad-index"),
        ([], "bad-json"),
        (b"{", "bad-json"),
        (b"\xff\xfe{\x00}\x00", "bad-json"),
        (b"[" * 100_000, "bad-json"),
        (b"version https://git-lfs.github.com/spec/v1\n", "lfs-pointer"),
        ({"weight_map": {"zzz": "one.safetensors"}}, "bad-index"),
        ({"weight_map": {f"t{n}": f"f{n}.safetensors" for n in range(2000)}}, "unsafe"),
    ],
    ids=str,
)  # fmt: skip
def test_40_an_index_leads_nowhere_else(tmp_path, index, code):
    (tmp_path / "outside.safetensors").write_bytes(GOOD)
    with pytest.raises(StudioError) as caught:
        read_shards(shards(tmp_path / "m", index, one=GOOD))
    assert caught.value.code == code, caught.value.detail


def test_hashes_are_remembered_while_a_file_is_the_same(tmp_path, monkeypatch):
    path, memory = tmp_path / "m" / "model.safetensors", tmp_path / "data" / "hashes.json"
    path.parent.mkdir()
    path.write_bytes(GOOD)
    cache = HashCache(memory)
    digest = sha256_of(path, cache)
    assert digest == weights_hash(path.parent, cache) == weights_hash(path, cache)
    monkeypatch.setattr("studio.hub.hashes._digest", lambda path: pytest.fail("read again"))
    assert sha256_of(path, HashCache(memory)) == digest
    monkeypatch.undo()
    os.utime(path, ns=(1, 1))
    path.write_bytes(GOOD[:-1] + b"\x01")
    assert sha256_of(path, HashCache(memory)) != digest
    for damage in (b"", b"[1]", b'{"a": 1}', b'{"a": [1, 2]}', b"\xff"):
        memory.write_bytes(damage)
        assert len(sha256_of(path, HashCache(memory))) == 64


def test_several_files_have_one_hash_that_names_and_order_decide(tmp_path):
    import hashlib

    for name in ("b", "a"):
        (tmp_path / f"model-{name}.safetensors").write_bytes(GOOD + name.encode())
    lines = "".join(
        sorted(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in tmp_path.iterdir())
    )
    assert weights_hash(tmp_path) == hashlib.sha256(lines.encode()).hexdigest()
    assert weights_hash(tmp_path / "nowhere.d") == "" if (tmp_path / "nowhere.d").mkdir() is None else False
    with pytest.raises(StudioError):
        weights_hash(tmp_path / "away")


def test_the_limits_are_those_that_were_written_down():
    assert (formats.HEADER_LIMIT, formats.TENSOR_LIMIT) == (16 << 20, 20_000)
