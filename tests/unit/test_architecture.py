"""The rules that the tree itself must keep: layers, who may import what, docstrings, sizes, no machine paths."""

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.host.discover import discover
from studio.host.loader import load_params
from studio.sdk.manifest import read_manifest

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*ROOT.glob("studio/**/*.py"), *ROOT.glob("plugins/**/*.py")])
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/plugin.toml"))
HEAVY = {"torch", "transformers", "diffusers", "numpy", "peft", "accelerate", "safetensors"}
PANELS = {"pygments"}
"""Libraries that a panel may use besides Qt: small, and no part of a model."""
QT = {"PySide6", "shiboken6", "superqt", "qtawesome", "pyqtgraph", "qasync", "qtpy"}
LIMIT = 400


@functools.cache
def imports(path: Path, *, at_import: bool = False) -> tuple[str, ...]:
    """Absolute names of what a module imports; relative ones begin with a dot. `at_import`: not inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[str] = []
    for node in _eager(tree) if at_import else ast.walk(tree):
        if isinstance(node, ast.Import):
            found += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            found += (f"{base}.{alias.name}" if base.strip(".") else base + alias.name for alias in node.names)
    return tuple(found)


def _eager(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run when the module is imported: no function bodies, no `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _eager(child)


def top(name: str) -> str:
    return name.partition(".")[0]


def under(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def panel_files(plugin: Path) -> list[Path]:
    return [path for path in sorted(plugin.glob("*.py")) if path.stem.startswith(("panel", "ui_"))]


def broken_rules(plugin: Path) -> list[str]:
    """Imports of a plugin folder that its files may not have."""
    found = []
    panels = panel_files(plugin)
    for path in sorted(plugin.rglob("*.py")):
        for name in imports(path):
            if path.stem == "params" or path.stem.startswith("params_"):
                allowed = top(name) in sys.stdlib_module_names | {"pydantic", "annotated_types"}
                allowed = allowed or under(name, "studio.sdk", "studio.errors") or name.startswith(".")
            elif path in panels:
                mine = under(name, "studio.sdk", "studio.kit", "studio.wire", "studio.errors") or name.startswith(".")
                allowed = mine or top(name) in sys.stdlib_module_names | QT | PANELS
            else:
                window = top(name) in QT or under(name, "studio.kit", "studio.ui", "studio.engine", "studio.cli")
                allowed = not window
            if not allowed:
                found.append(f"{path.name} imports {name}")
    return found


def test_the_layers_hold():
    lint = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert lint.returncode == 0, lint.stdout + lint.stderr


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import studio.ui.app", HEAVY | {"diffusers", "pyqtgraph"}),
        ("import studio.cli.main", HEAVY | QT | {"rich", "pydantic", "PIL"}),
        ("import studio.engine.__main__", HEAVY | QT),
        ("import studio.worker.main", QT | {"torch", "transformers", "diffusers"}),
    ],
)
def test_a_process_loads_only_what_it_needs(statement, absent):
    code = f"{statement}; import sys; print(*sorted(set(sys.modules) & {absent!r}))"
    child = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    assert child.stdout.split() == []


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_the_files_of_a_plugin_import_what_their_process_has(plugin):
    assert broken_rules(plugin) == []


def test_the_rules_of_plugins_find_what_breaks_them(tmp_path):
    (tmp_path / "params.py").write_text("import random\nimport torch\nfrom studio.sdk.params import Params\n")
    (tmp_path / "panel.py").write_text(
        "from PySide6.QtWidgets import QWidget\nfrom .params import A\ndef f():\n    from studio.ui import app\n"
    )
    (tmp_path / "ui_chip.py").write_text("import numpy\n")
    (tmp_path / "backend.py").write_text("import torch\nfrom studio.kit.panel import Panel\n")
    assert broken_rules(tmp_path) == [
        "backend.py imports studio.kit.panel.Panel",
        "panel.py imports studio.ui.app",
        "params.py imports torch",
        "ui_chip.py imports numpy",
    ]


def light_closure(plugin: Path, module: str) -> set[Path]:
    """The module and those of its own and of neighbouring plugins that it imports, directly or not, at any time."""
    seen: set[Path] = set()
    todo = [plugin / f"{module}.py"]
    while todo:
        path = todo.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        todo += [relative(path, name) for name in imports(path) if name[0] == "."]
    return seen


def relative(path: Path, name: str) -> Path:
    """The file that `.module.Name`, or `..plugin.module.Name`, stands for in `path`."""
    words = name.lstrip(".").split(".")
    if name.startswith(".."):
        return path.parent.parent / words[0] / f"{words[1] if len(words) > 1 else ''}.py"
    return path.parent / f"{words[0]}.py"


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_params_and_estimates_load_without_torch(plugin):
    """The engine and the window import them."""
    for entry in read_manifest(plugin / "plugin.toml").operation:
        for target in filter(None, (entry.params, entry.estimate)):
            for path in light_closure(plugin, target.partition(":")[0]):
                assert not {top(name) for name in imports(path)} & HEAVY, path


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_panels_reach_nothing_heavy_in_their_plugin(plugin):
    """Not even inside functions: a window that imports torch stands still for seconds."""
    for panel in panel_files(plugin):
        for path in light_closure(plugin, panel.stem):
            assert not {top(name) for name in imports(path)} & HEAVY, f"{panel.name} reaches {path.name}"


def test_the_manifests_of_the_bundled_plugins_are_valid_and_agree_with_their_params():
    found = discover([ROOT / "plugins"], installed=False)
    assert [(plugin.id, str(plugin.problem)) for plugin in found.all if plugin.problem] == []
    assert len(found.all) == len(PLUGINS) > 0
    for operation in found.operations().values():
        assert load_params(operation).version == operation.entry.version, operation.id
        for target in filter(None, (operation.entry.backend, operation.entry.estimate)):
            assert (operation.plugin.folder / f"{target.partition(':')[0]}.py").is_file(), target
    for plugin, panel in found.panels():
        if panel.panel is None:
            assert panel.operations
            continue
        assert (plugin.folder / f"{panel.panel.partition(':')[0]}.py").is_file(), panel.panel


def test_every_module_says_what_it_is():
    silent = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if (tree := ast.parse(path.read_text(encoding="utf-8"))).body and not ast.get_docstring(tree)
    ]
    assert silent == []


def test_no_file_grows_past_its_seam():
    long = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {name: count for name, count in long.items() if count > LIMIT} == {}


def test_nothing_in_the_tree_names_a_machine():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    places = re.compile(r"/(work|root|home|Users)/[a-z]|pypi\.org|pythonhosted|deb\.debian|download\.pytorch")
    found = []
    for name in listed.stdout.split("\0"):
        path = ROOT / name
        if not name or name.startswith("tests/") or path.suffix in (".safetensors", ".png", ".svg", ".json", ".ttf"):
            continue
        if path.is_file():
            lines = enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
            found += [f"{name}:{number}: {line.strip()[:100]}" for number, line in lines if places.search(line)]
    assert found == []
