"""The wheel: everything below `studio`, nothing of ours called `plugins` or `assets`, and it works where it lands."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from studio.host.discover import discover

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built as `pip wheel` would, without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_puts_one_package_into_site_packages(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"studio"}
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)


def test_the_wheel_holds_the_plugins_and_assets(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        f"studio/_bundled/plugins/{path.parent.name}/plugin.toml" for path in ROOT.glob("plugins/*/plugin.toml")
    } <= names
    assert {"studio/_bundled/assets/themes/light.toml", "studio/_bundled/assets/themes/dark.toml"} <= names
    tracked = subprocess.run(["git", "ls-files", "assets"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert {f"studio/_bundled/{name}" for name in tracked.stdout.split()} <= names


def test_an_installed_wheel_lists_its_operations(wheel, tmp_path):
    target = tmp_path / "site"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(wheel),
    ]
    installed = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr
    assert {path.name for path in target.iterdir()} - {"bin"} == {"studio", f"{wheel.name.split('-py3')[0]}.dist-info"}
    code = f"import sys; sys.path.insert(0, {str(target)!r}); import studio; print(studio.__file__, file=sys.stderr); "
    code += "from studio.cli.main import main; sys.exit(main(['ops'], lambda argv: 0))"
    ops = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ops.returncode == 0, ops.stderr
    assert str(target) in ops.stderr
    bundled = discover([ROOT / "plugins"], installed=False).operations()
    assert bundled
    assert {line.split()[0] for line in ops.stdout.splitlines()[1:]} == set(bundled)
