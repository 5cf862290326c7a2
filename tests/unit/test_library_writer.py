"""Publishing: names, numbers, recipes, refusing disks."""

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import StudioError
from studio.library.names import LIMIT, slug
from studio.library.recipe import read_recipe, text_of
from studio.library.writer import leftovers, publish_file, publish_text, read_receipt, write_receipt
from studio.sdk.artifact import Kind, Recipe
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.unit
RECIPE = Recipe(operation="text.generate", params={"prompt": "A fox"}, job="j1", created=1_790_000_000.0)

HOSTILE = [
    "", " ", ".", "..", "...", "/", "../../etc/passwd", "a/b\\c", "CON", "con.txt", "NUL", "aux ", "COM1", "lpt9.md",
    "com¹", "a\x00b", "\x00", "\u202egnp.exe", "a\u200bb", "\ufeff", "é" * 300, "x" * 300, "😀" * 100, "👩‍👩‍👧",
    "日本語" * 50, "name.", "name ", "-rf", "--help", "~", "$(rm -rf /)", "a:b|c?d*e<f>g\"h", "\n\r\t", "\ud800",
    "ﬁ／ﬂ", "İ" * 60, "a\u0301" * 80, "CONIN$", "  .  ", "\x7f", "%00", "\U000e0041", "Ａ．．／Ｂ",
]  # fmt: skip


def is_safe(name: str) -> bool:
    reserved = {"con", "prn", "aux", "nul", *(f"{p}{n}" for p in ("com", "lpt") for n in range(10))}
    return (
        0 < len(name.encode()) <= LIMIT + 1
        and name.split(".")[0].lower() not in reserved
        and not name.startswith(("-", ".", " "))
        and not name.endswith((".", " "))
        and not any(c in '/\\:*?"<>|.' or not c.isprintable() for c in name)
    )


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_names_become_safe_ones(tmp_path, text):
    assert is_safe(slug(text))
    artifact = publish_text(tmp_path / "library", RECIPE, "words", stem=text)
    path = Path(artifact.path)
    assert path.parent == tmp_path / "library" / "2026-09"
    assert path.name.endswith("-j1-1.md") and len(path.name.encode()) < 200
    assert text_of(path) == "words"


@given(st.text(max_size=400))
def test_any_text_makes_a_safe_name(text):
    assert is_safe(slug(text))
    assert slug(text) == slug(slug(text)) or slug(text).endswith("-")


def test_names_say_what_was_asked():
    assert slug("A Fox, at the river!") == "a-fox-at-the-river"
    assert slug("Der Fuchs' Höhle") == "der-fuchs-höhle"
    assert slug("日本語の物語") == "日本語の物語"


def test_a_text_is_published_with_its_recipe(tmp_path):
    artifact = publish_text(tmp_path / "library", RECIPE, "Words\r\n", stem="A fox")
    data = Path(artifact.path).read_bytes()
    recipe = read_recipe(artifact.path)
    assert (artifact.id, artifact.job, artifact.kind, artifact.media) == ("j1-1", "j1", Kind.TEXT, "text/markdown")
    assert (artifact.size, artifact.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert (recipe.artifact, recipe.job, recipe.params) == ("j1-1", "j1", {"prompt": "A fox"})
    assert text_of(artifact.path) == "Words\r\n"


def test_numbers_are_never_given_twice(tmp_path):
    library = tmp_path / "library"
    ids = [publish_text(library, RECIPE, str(n), stem=stem).id for n, stem in enumerate("aaba")]
    ids.append(publish_file(library, RECIPE, ".csv", Kind.DATA, "text/csv", lambda p: _fill(p, b"1"), stem="a").id)
    given_twice = RECIPE.model_copy(update={"artifact": "j1-2"})
    ids.append(publish_text(library, given_twice, "x", stem="a").id)
    assert ids == [f"j1-{n}" for n in range(1, 7)]
    assert [text_of(path) for path in sorted(library.glob("*/a-*.md"))] == ["0", "1", "3", "x"]


def test_a_taken_name_is_not_overwritten(tmp_path, monkeypatch):
    """Somebody else's file that appears between the look and the link."""
    library, real = tmp_path / "library", os.link

    def link(source, target, **kwargs):
        if str(target).endswith("-j1-1.md"):
            Path(target).write_bytes(b"theirs")
        real(source, target, **kwargs)

    monkeypatch.setattr(os, "link", link)
    artifact = publish_text(library, RECIPE, "mine", stem="a")
    assert artifact.id == "j1-2" and text_of(artifact.path) == "mine"
    assert (library / "2026-09" / "a-j1-1.md").read_bytes() == b"theirs"


def _fill(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@pytest.mark.parametrize("suffix", [".bin", ".wav", ".safetensors"])
def test_a_file_of_any_format_has_a_recipe(tmp_path, suffix):
    artifact = publish_file(tmp_path / "l", RECIPE, suffix, Kind.DATA, "x/y", lambda p: _fill(p, b"abc"), stem="a")
    assert Path(artifact.path).read_bytes() == b"abc"
    assert artifact.sha256 == hashlib.sha256(b"abc").hexdigest()
    assert read_recipe(artifact.path).artifact == artifact.id


def test_a_picture_has_it_inside(tmp_path):
    image = pytest.importorskip("PIL.Image")
    artifact = publish_file(
        tmp_path / "l", RECIPE, ".png", Kind.IMAGE, "image/png", lambda p: image.new("RGB", (8, 8)).save(p), stem="a"
    )
    assert read_recipe(artifact.path).artifact == artifact.id
    assert [path.name for path in (tmp_path / "l" / "2026-09").iterdir()] == ["a-j1-1.png"]


@pytest.mark.parametrize("data", [None, b"\x89PNG\r\n\x1a\ncut"])
def test_a_writer_that_fails_leaves_nothing(tmp_path, data):
    def write(path: Path) -> None:
        if data is None:
            path.write_bytes(b"half")
            raise RuntimeError("codec")
        path.write_bytes(data)

    with pytest.raises((RuntimeError, StudioError)):
        publish_file(tmp_path / "l", RECIPE, ".png", Kind.IMAGE, "image/png", write, stem="a")
    assert [path for path in (tmp_path / "l").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("call", ["open", "write", "fsync", "link"])
@pytest.mark.parametrize(("code", "word"), [(errno.ENOSPC, "disk-full"), (errno.EROFS, "read-only")])
@pytest.mark.parametrize("kind", ["text", "file"])
def test_a_disk_that_refuses_at_any_point_leaves_nothing(tmp_path, monkeypatch, call, code, word, kind):
    """The disk refuses from the n-th call on, for every n until the saving succeeds."""
    original = getattr(os, call)
    for allowed in range(50):
        library = tmp_path / f"{allowed}"
        (library / "2026-09").mkdir(parents=True)
        calls = iter(range(allowed))

        def refuse(*args, calls=calls, **kwargs):
            if next(calls, None) is not None:
                return original(*args, **kwargs)
            raise OSError(code, os.strerror(code))

        with monkeypatch.context() as patch:
            patch.setattr(os, call, refuse)
            try:
                if kind == "text":
                    publish_text(library, RECIPE, "words", stem="a")
                else:
                    publish_file(library, RECIPE, ".bin", Kind.DATA, "x/y", lambda p: _fill(p, b"abc"), stem="a")
            except StudioError as error:
                assert error.code == word and str(library) in error.detail and error.hint
            else:
                assert allowed >= 1 + (kind == "file" and call != "write")
                return
        assert [path for path in library.rglob("*") if path.is_file()] == []
    pytest.fail("saving never succeeded")


def _mounted(tmp_path: Path, script: str, *options: str) -> str:
    """Runs `script` on a small file system of its own; skips where that is not allowed."""
    mount = tmp_path / "mount"
    mount.mkdir()
    commands = ('mount -t tmpfs -o size=256k none "$1"', *options, 'shift && exec "$@"')
    shell = " && ".join(commands)
    probe = ["unshare", "-m", "sh", "-c", shell, "sh", str(mount)]
    if os.name == "nt" or subprocess.run([*probe, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets us mount nothing")
    run = subprocess.run(
        [*probe, sys.executable, "-c", script, str(mount)],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


SAVE = """if True:
    import sys
    from pathlib import Path
    from studio.errors import StudioError
    from studio.library.writer import publish_file, publish_text
    from studio.sdk.artifact import Kind, Recipe
    library = Path(sys.argv[1]) / "library"
    recipe = Recipe(operation="a.b", params={}, job="j1")
    def attempt(make):
        try:
            print(make().id)
        except StudioError as error:
            print(error.code)
        except OSError as error:
            print("OSError", error)
    attempt(lambda: publish_text(library, recipe, "small", stem="a"))
    attempt(lambda: publish_text(library, recipe, "x" * 400_000, stem="a"))
    fill = lambda path: path.write_bytes(b"x" * 400_000)
    attempt(lambda: publish_file(library, recipe, ".bin", Kind.DATA, "x/y", fill, stem="a"))
    attempt(lambda: publish_text(library, recipe, "small again", stem="a"))
    print(*sorted(path.name for path in library.rglob("*") if path.is_file()))
"""


def test_a_really_full_disk(tmp_path):
    assert _mounted(tmp_path, SAVE).split() == ["j1-1", "disk-full", "disk-full", "j1-2", "a-j1-1.md", "a-j1-2.md"]


def test_a_really_read_only_disk(tmp_path):
    said = _mounted(tmp_path, SAVE, 'mkdir "$1/library"', 'mount -o remount,ro "$1"')
    assert said.split() == ["read-only"] * 4


def test_half_characters_are_refused_in_words(tmp_path):
    with pytest.raises(StudioError) as caught:
        publish_text(tmp_path / "l", RECIPE, "a\ud800", stem="a")
    assert caught.value.code == "not-text"


def test_a_library_on_a_drive_that_is_away(tmp_path):
    with pytest.raises(StudioError) as caught:
        publish_text(tmp_path / "drive" / "library", RECIPE, "a", stem="a")
    assert caught.value.code == "no-folder"


def test_receipts_are_written_once(tmp_path):
    path = tmp_path / "j1.json"
    assert read_receipt(path) is None
    write_receipt(path, {"job": "j1", "at": 1.5, "prompt": "é"})
    with pytest.raises(FileExistsError):
        write_receipt(path, {"job": "j1"})
    assert read_receipt(path) == {"job": "j1", "at": 1.5, "prompt": "é"}
    for torn in (b"", b"{", b'{"job": "j1"}'):
        path.write_bytes(torn)
        assert read_receipt(path) is None
        write_receipt(path, {"job": "j2"})
        assert read_receipt(path) == {"job": "j2"}
    for damage in (b"{\n", b"[1]\n", b"\xff\n"):
        path.write_bytes(damage)
        with pytest.raises(StudioError) as caught:
            read_receipt(path)
        assert caught.value.code == "receipt"


def test_what_a_dead_attempt_left_is_found(tmp_path):
    library = tmp_path / "l"
    made = [publish_text(library, RECIPE, "a", stem="a"), publish_text(library, RECIPE, "b", stem="b")]
    other = RECIPE.model_copy(update={"job": "j11"})
    publish_text(library, other, "c", stem="c")
    assert [str(path) for path in leftovers(library, "j1")] == sorted(artifact.path for artifact in made)
    assert [str(path) for path in leftovers(library, "j1", keep=("j1-1",))] == [made[1].path]
