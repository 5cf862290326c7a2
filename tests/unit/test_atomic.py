"""Files are whole or absent: errors of the disk, names, leftovers. Killing is tested in tests/worker."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.library import atomic
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.unit


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("size", [0, 1, 3_000_001])
def test_write_file_writes_and_replaces(tmp_path, size):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    atomic.write_file(path, b"x" * size)
    assert path.read_bytes() == b"x" * size
    assert names(tmp_path) == ["a.bin"]


def test_files_get_the_permissions_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        atomic.write_file(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("there", ["file", "folder", "link to nothing"])
def test_write_once_changes_nothing_that_is_there(tmp_path, there):
    path = tmp_path / "a"
    if there == "file":
        path.write_bytes(b"old")
    elif there == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        atomic.write_once(path, b"new")
    with pytest.raises(FileExistsError):
        atomic.create_via(path, lambda partial: partial.write_bytes(b"new") and None)
    assert names(tmp_path) == ["a"]
    assert there != "file" or path.read_bytes() == b"old"


@pytest.mark.parametrize("refusal", [errno.EPERM, errno.EOPNOTSUPP])
def test_write_once_without_hard_links(tmp_path, monkeypatch, refusal):
    def no_links(*args, **kwargs):
        raise OSError(refusal, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    atomic.write_once(tmp_path / "a", b"new")
    with pytest.raises(FileExistsError):
        atomic.write_once(tmp_path / "a", b"newer")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert names(tmp_path) == ["a"]


def test_a_writer_gets_a_name_with_the_suffix_it_will_have(tmp_path):
    seen = []

    def write(partial: Path) -> None:
        seen.append(partial)
        partial.write_bytes(b"new")

    atomic.replace_via(tmp_path / "a.png", write)
    assert seen[0].suffix == ".png" and seen[0].parent == tmp_path
    assert names(tmp_path) == ["a.png"]


class Stop(BaseException):
    pass


@pytest.mark.parametrize("error", [RuntimeError("codec"), Stop(), OSError(errno.ENOENT, "another file")])
@pytest.mark.parametrize("function", [atomic.replace_via, atomic.create_via])
def test_what_a_writer_raises_passes_and_leaves_nothing(tmp_path, error, function):
    def write(partial: Path) -> None:
        partial.write_bytes(b"half")
        raise error

    with pytest.raises(type(error)) as caught:
        function(tmp_path / "a.png", write)
    assert caught.value is error
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "word"),
    [(errno.ENOSPC, "disk-full"), (errno.EDQUOT, "disk-full"), (errno.EROFS, "read-only"), (errno.EACCES, "read-only")],
)
@pytest.mark.parametrize("call", ["write", "fsync", "open", "link", "replace"])
def test_a_refusing_disk_is_named_with_path_and_bytes(tmp_path, monkeypatch, code, word, call):
    path = tmp_path / "a.md"
    path.write_bytes(b"old")

    def refuse(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    if call == "replace":
        monkeypatch.setattr(Path, "replace", refuse)
    elif call == "link":
        monkeypatch.setattr(os, "link", refuse)
        path = tmp_path / "b.md"
    else:
        monkeypatch.setattr(os, call, refuse)
    with pytest.raises(StudioError) as caught:
        (atomic.write_once if call == "link" else atomic.write_file)(path, b"x" * 12345)
    monkeypatch.undo()
    assert caught.value.code == word
    assert str(path) in caught.value.detail and "12,345" in caught.value.detail
    assert (tmp_path / "a.md").read_bytes() == b"old"
    assert names(tmp_path) == ["a.md"]


@pytest.mark.parametrize("function", [atomic.write_file, atomic.write_once, atomic.create_small])
def test_a_short_write_is_carried_on(tmp_path, monkeypatch, function):
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, bytes(data[:7])))
    function(tmp_path / "a", bytes(range(100)))
    assert (tmp_path / "a").read_bytes() == bytes(range(100))


def test_a_file_larger_than_the_limit_of_the_system(tmp_path):
    """A real refusal by the kernel in a child of its own, since a limit cannot be raised again."""
    code = """if True:
        import resource, sys
        from pathlib import Path
        from studio.errors import StudioError
        from studio.library import atomic
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        for function in (atomic.write_file, atomic.write_once):
            try:
                function(Path(sys.argv[1]) / "a", b"x" * 200_000)
            except StudioError as error:
                print(error.code)
    """
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert run.stdout.split() == ["disk-full", "disk-full"], run.stderr
    assert names(tmp_path) == []


def test_a_folder_that_is_away(tmp_path):
    with pytest.raises(StudioError) as caught:
        atomic.write_file(tmp_path / "away" / "a", b"x")
    assert caught.value.code == "no-folder"
    with pytest.raises(StudioError) as caught:
        atomic.make_folder(tmp_path / "away" / "deeper")
    assert caught.value.code == "no-folder"


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "a" * 200 + ".md", ".hidden", "b." + "c" * 250, "new\nline"])
def test_any_legal_name_can_be_written(tmp_path, name):
    atomic.write_once(tmp_path / name, b"1")
    atomic.write_file(tmp_path / name, b"2")
    assert names(tmp_path) == [name]


def test_sweep_removes_partial_files_only(tmp_path):
    inner = tmp_path / "2026-11"
    inner.mkdir()
    keep = ["a.md", ".a.md", "a.partial-note.md", ".a.partial-xyz", "x.partial-0123456789abcdef"]
    for folder in (tmp_path, inner):
        for name in keep:
            (folder / name).write_bytes(b"")
        (folder / ".a.md.partial-0123456789abcdef.md").write_bytes(b"")
        (folder / ".b\nc.partial-0123456789abcdef").write_bytes(b"")
    outside = tmp_path.parent / "outside"
    outside.mkdir()
    (outside / ".a.partial-0123456789abcdef").write_bytes(b"")
    (tmp_path / "link").symlink_to(outside)
    assert len(atomic.sweep(tmp_path)) == 4
    assert names(inner) == sorted(keep)
    assert names(outside) == [".a.partial-0123456789abcdef"]
    assert atomic.sweep(tmp_path / "nowhere") == []


def test_what_is_left_by_a_kill_is_swept(tmp_path, monkeypatch):
    """The name that atomic gives to temporary files is the one that sweep looks for."""
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
        patch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(Stop()))
        for name in ("a.md", "b", ".c", "d." + "e" * 30):
            with pytest.raises(Stop):
                atomic.write_file(tmp_path / name, b"x")
    assert len(names(tmp_path)) == 4
    assert len(atomic.sweep(tmp_path)) == 4
    assert names(tmp_path) == []


def test_move_once(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    with pytest.raises(FileExistsError):
        atomic.move_once(tmp_path / "a", tmp_path / "b")
    atomic.move_once(tmp_path / "a", tmp_path / "c")
    assert names(tmp_path) == ["b", "c"]
    assert (tmp_path / "b").read_bytes() == b"2"
