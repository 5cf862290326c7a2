"""Publishing killed with SIGKILL: at every system call in turn, and at random moments. Nothing is half-written."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.library import folder as disk
from studio.library.index import Index
from studio.library.recipe import BESIDE, read_recipe, text_of
from studio.library.writer import publish_file, publish_text, read_receipt, write_receipt
from studio.sdk.artifact import Kind, Recipe

pytestmark = pytest.mark.worker
CALLS = ("open", "write", "fsync", "link", "unlink", "mkdir", "rename", "replace")
TEXT = "word " * 1000


def recipe(job: str) -> Recipe:
    return Recipe(operation="text.generate", params={"prompt": "A fox"}, job=job, created=1_790_000_000.0)


def save_text(base: Path) -> None:
    publish_text(base / "library", recipe("j1"), TEXT, stem="a fox")


def save_file(base: Path) -> None:
    publish_file(
        base / "library",
        recipe("j1"),
        ".bin",
        Kind.DATA,
        "x/y",
        lambda p: p.write_bytes(b"x" * 100_000) and None,
        stem="a",
    )


def save_picture(base: Path) -> None:
    from PIL import Image

    publish_file(
        base / "library",
        recipe("j1"),
        ".png",
        Kind.IMAGE,
        "image/png",
        lambda p: Image.new("L", (9, 9)).save(p),
        stem="a",
    )


def save_receipt(base: Path) -> None:
    write_receipt(base / "j1.json", {"job": "j1", "artifacts": []})


def move_to_trash(base: Path) -> None:
    if not (base / "library").exists():
        return
    for path in list(disk.listing(base / "library").stamps):
        disk.move_to_trash(base / "library", path)


def killed_at(number: int, before: bool, action, base: Path) -> bool:
    """Runs `action` in a forked child that kills itself around its n-th call to the system; False when it ended."""
    child = os.fork()
    if child == 0:
        count = 0

        def armed(original):
            def call(*args, **kwargs):
                nonlocal count
                count += 1
                if before and count == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                result = original(*args, **kwargs)
                if not before and count == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                return result

            return call

        for name in CALLS:
            setattr(os, name, armed(getattr(os, name)))
        try:
            action(base)
        except BaseException:  # noqa: BLE001
            os._exit(99)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the action failed by itself"
    return os.WIFSIGNALED(status)


def check(base: Path) -> list[Path]:
    """Sweeps as the next start does; then every file is whole and has its recipe."""
    library = base / "library"
    if not library.exists():
        return []
    disk.sweep(library)
    files = [path for path in library.rglob("*") if path.is_file()]
    assert [path for path in files if "partial" in path.name] == []
    for path in files:
        if path.name.endswith(BESIDE):
            assert path.with_name(path.name.removesuffix(BESIDE)).is_file(), f"a recipe of nothing: {path}"
            continue
        assert read_recipe(path).job
        if path.suffix == ".md":
            assert text_of(path) == TEXT
        elif path.suffix == ".bin":
            assert path.stat().st_size == 100_000
        else:
            assert path.read_bytes().endswith(b"IEND\xaeB`\x82")
    return files


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("action", [save_text, save_file, save_picture])
def test_killed_at_every_call_while_saving(tmp_path, action, before):
    action(tmp_path / "warm") if (tmp_path / "warm").mkdir() is None else None
    points = 0
    for number in range(1, 200):
        base = tmp_path / str(number)
        base.mkdir()
        if not killed_at(number, before, action, base):
            break
        points += 1
        check(base)
        action(base)  # the job runs again: it must be able to save
        again = [path for path in check(base) if not path.name.endswith(BESIDE)]
        assert 1 <= len(again) <= 2
    assert points >= 8


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_killed_at_every_call_of_a_receipt(tmp_path, before):
    for number in range(1, 100):
        base = tmp_path / str(number)
        base.mkdir()
        alive = not killed_at(number, before, save_receipt, base)
        assert read_receipt(base / "j1.json") in (None, {"job": "j1", "artifacts": []})
        if alive:
            assert number > 4
            return
    pytest.fail("the receipt was never written")


@pytest.mark.parametrize("action", [save_text, save_file])
def test_killed_at_every_call_on_the_way_to_the_trash(tmp_path, action):
    for number in range(1, 100):
        base = tmp_path / str(number)
        base.mkdir()
        action(base)
        alive = not killed_at(number, True, move_to_trash, base)
        results = [path for path in check(base) if not path.name.endswith(BESIDE)]
        assert len(results) == 1, "neither lost nor there twice"
        assert read_recipe(results[0]).job == "j1"
        if alive:
            assert ".trash" in results[0].parts
            return
    pytest.fail("never moved")


LOOP = """if True:
    import sys
    from pathlib import Path
    from studio.library.writer import publish_file, publish_text, write_receipt
    from studio.sdk.artifact import Kind, Recipe
    base = Path(sys.argv[1])
    print("ready", flush=True)
    for number in range(10_000):
        recipe = Recipe(operation="text.generate", params={}, job=f"j{number}", created=1_790_000_000.0)
        if number % 3:
            made = publish_text(base / "library", recipe, "word " * 1000, stem="a fox")
        else:
            fill = lambda path: path.write_bytes(b"x" * 100_000) and None
            made = publish_file(base / "library", recipe, ".bin", Kind.DATA, "x/y", fill, stem="a")
        write_receipt(base / f"j{number}.json", {"job": recipe.job, "artifacts": [made.model_dump(mode="json")]})
        print(number, flush=True)
"""


def test_killed_at_random_moments(tmp_path):
    """What was acknowledged is there; whatever is there is whole; the index is what the files say."""
    moments = random.Random(11)
    for turn in range(20):
        base = tmp_path / str(turn)
        base.mkdir()
        with subprocess.Popen([sys.executable, "-c", LOOP, str(base)], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None and child.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0, 0.15))
            child.kill()
            acknowledged = [int(line) for line in child.stdout.read().splitlines() if line]
        check(base)
        for number in acknowledged:
            receipt = read_receipt(base / f"j{number}.json")
            assert receipt is not None and all(Path(item["path"]).is_file() for item in receipt["artifacts"])
        for path in base.glob("*.json"):
            receipt = read_receipt(path)
            if receipt is None:  # begun and never acknowledged: no receipt
                assert int(path.stem[1:]) not in acknowledged
                continue
            assert all(read_recipe(item["path"]).job == receipt["job"] for item in receipt["artifacts"])
        if (base / "library").exists():
            index = Index(None, base / "library")
            listed = index.list(limit=1000)["total"]
            index.close()
            assert listed == len(list((base / "library").glob("*/*.md"))) + len(
                list((base / "library").glob("*/*.bin"))
            )


def test_an_index_killed_at_random_moments_is_what_the_files_say(tmp_path):
    code = """if True:
        import sys
        from pathlib import Path
        from studio.library.index import Index
        base = Path(sys.argv[1])
        index = Index(base / "index.sqlite", base / "library")
        ids = [item["id"] for item in index.list(limit=1000)["items"]]
        print("ready", flush=True)
        while True:
            for item in ids:
                index.trash([item])
                index.restore([item])
    """
    for number in range(8):
        publish_text(tmp_path / "library", recipe(f"j{number}"), TEXT, stem=f"tale {number}")
    moments = random.Random(5)
    for _ in range(8):
        with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None and child.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0, 0.1))
            child.kill()
        disk.sweep(tmp_path / "library")
        index, fresh = Index(tmp_path / "index.sqlite", tmp_path / "library"), Index(None, tmp_path / "library")
        index.reconcile()
        for trashed in (False, True):
            assert index.list(trashed=trashed) == fresh.list(trashed=trashed)
        assert fresh.list()["total"] + fresh.list(trashed=True)["total"] == 8
        index.close()
        fresh.close()


def test_the_checks_notice_half_a_file(tmp_path):
    """The checks above can fail."""
    save_text(tmp_path)
    path = next((tmp_path / "library").rglob("*.md"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises((StudioError, AssertionError)):
        check(tmp_path)
