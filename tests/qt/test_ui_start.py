"""The application as it starts: what the window's process loads, how much memory, and a second start."""

import os
import subprocess
import sys
import textwrap

import pytest

from studio.paths import Paths
from studio.ui.app import main
from studio.ui.instance import Instance
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.qt

HEAVY = "torch transformers diffusers numpy pyqtgraph safetensors PIL qtawesome superqt"

CHILD = """
import asyncio, pathlib, sys
from studio.errors import StudioError
from studio.ui import app

async def nobody():
    raise StudioError("no engine in this test", code="engine-lost")

async def main():
    window = app.compose(pathlib_paths, nobody)
    window.show()
    for panel in ([place.id for place in window.host.places()] if "all" in sys.argv else []):
        window.open_panel(panel)
        assert window.host.page(panel).panel is not None, panel
    for _ in range(10):
        await asyncio.sleep(0.02)
    assert window.isVisible()
    status = pathlib.Path("/proc/self/status")
    rss = next((line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmRSS")), 0)
    print(int(rss) // 1024, *sorted(set(sys.modules) & set(HEAVY.split())))
    await app.shut(window)

import qasync
from PySide6.QtWidgets import QApplication
from studio.paths import Paths
HEAVY = sys.argv[1]
pathlib_paths = Paths(pathlib.Path(sys.argv[2])).prepare()
with qasync.QEventLoop(QApplication([])) as loop:
    asyncio.set_event_loop(loop)
    loop.run_until_complete(main())
"""


@pytest.mark.parametrize("panels", ["first", "all"])
def test_the_window_loads_no_heavy_library_and_stays_small(tmp_path, panels):
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), HEAVY, str(tmp_path / "data"), panels],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    megabytes, *loaded = child.stdout.split()
    assert loaded == []
    assert int(megabytes) < 200


def test_without_a_display_it_says_so_and_leaves(monkeypatch, capsys, tmp_path):
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert main(["--data", str(tmp_path / "data")]) == 1
    assert "no display" in capsys.readouterr().err


def test_a_data_folder_that_cannot_be_used_is_named(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert main(["--data", str(tmp_path / "file" / "data")]) == 1
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_a_second_start_leaves_with_0_after_the_window_has_its_files(tmp_path):
    paths = Paths(tmp_path / "data").prepare()
    first = Instance(paths.runtime)
    assert first.acquire()
    code = "import sys; from studio.ui.app import main; sys.exit(main(sys.argv[1:]))"
    second = subprocess.Popen(
        [sys.executable, "-c", code, "--data", str(paths.data), "tale.md"],
        cwd=tmp_path,
        env=os.environ,
        stderr=subprocess.PIPE,
    )
    import asyncio

    async def window() -> list[str]:
        taken: list[str] = []
        await first.listen(taken.extend)
        while second.poll() is None:
            await asyncio.sleep(0.02)
        return taken

    taken = asyncio.run(window())
    first.release()
    assert second.stderr is not None
    with second.stderr:
        assert second.returncode == 0, second.stderr.read()
    assert taken == [str(tmp_path / "tale.md")]
