"""Plugin discovery and loading: nothing imported before use, broken ones listed with the reason."""

import json
import sys
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.host.discover import discover
from studio.host.loader import load_from, load_params, load_place

pytestmark = pytest.mark.unit

MANIFEST = """
id = "{id}"
name = "Sample"
[[operation]]
id = "{id}.make"
title = "Make"
params = "params:Make"
backend = "backend:Make"
"""
PARAMS = "from studio.sdk.params import Params\nclass Make(Params):\n    colour: str = '{colour}'\n"


def plugin(base: Path, id: str, manifest: str = MANIFEST, colour: str = "red") -> Path:
    folder = base / id
    folder.mkdir(parents=True)
    (folder / "plugin.toml").write_text(manifest.format(id=id))
    (folder / "params.py").write_text(PARAMS.format(colour=colour))
    (folder / "backend.py").write_text("from .params import Make as Params\nclass Make:\n    params = Params\n")
    return folder


def test_two_plugins_may_both_have_a_params_module(tmp_path):
    plugin(tmp_path, "one", colour="red")
    plugin(tmp_path, "two", colour="blue")
    found = discover([tmp_path], installed=False)
    first, second = (load_params(found.operation(f"{id}.make")) for id in ("one", "two"))
    assert (first().colour, second().colour) == ("red", "blue")
    backend = load_from(found.usable[0], "backend:Make")
    assert backend.params is first
    assert str(tmp_path) not in " ".join(sys.path)


def test_discovery_imports_nothing(tmp_path):
    folder = plugin(tmp_path, "loud")
    (folder / "params.py").write_text("raise SystemError('imported')")
    found = discover([tmp_path], installed=False)
    assert list(found.operations()) == ["loud.make"]
    with pytest.raises(StudioError) as caught:
        load_params(found.operation("loud.make"))
    assert "imported" in caught.value.detail and "SystemError" in caught.value.log


@pytest.mark.parametrize(
    ("manifest", "word"),
    [
        ("id = ", "TOML"),
        ('id = "bad"\n', "name"),
        ('id = "bad"\nname = "x"\napi = ["9"]', "contract"),
        ('id = "bad"\nname = "x"\ncolour = 1', "colour"),
        (MANIFEST.replace("{id}.make", "other.make"), "must begin"),
        (MANIFEST.replace("params:Make", "params.Make"), "params"),
    ],
)
def test_a_broken_manifest_is_listed_with_its_reason(tmp_path, manifest, word):
    plugin(tmp_path, "bad", manifest=manifest.replace("{id}", "{{id}}") if "{id}" not in manifest else manifest)
    plugin(tmp_path, "good")
    found = discover([tmp_path], installed=False)
    problem = next(p.problem for p in found.all if p.id == "bad")
    assert problem is not None and word in str(problem)
    assert [p.id for p in found.usable] == ["good"]
    with pytest.raises(StudioError, match="not available"):
        found.operation("bad.make")


def test_disabled_and_doubled_plugins_say_so(tmp_path):
    plugin(tmp_path / "a", "same", colour="red")
    plugin(tmp_path / "b", "same", colour="blue")
    plugin(tmp_path / "b", "off")
    found = discover([tmp_path / "a", tmp_path / "b", tmp_path / "absent"], disabled=["off"], installed=False)
    assert [(p.id, p.problem.code if p.problem else "") for p in found.all] == [
        ("same", ""),
        ("off", "disabled"),
        ("same", "double"),
    ]
    assert load_params(found.operation("same.make"))().colour == "red"


def test_a_params_target_that_is_no_params_class_is_refused(tmp_path):
    folder = plugin(tmp_path, "odd")
    (folder / "params.py").write_text("class Make: pass")
    with pytest.raises(StudioError, match="not a Params class"):
        load_params(discover([tmp_path], installed=False).operation("odd.make"))


def test_a_plugin_may_build_on_another_in_any_process(tmp_path):
    plugin(tmp_path, "base", colour="green")
    above = plugin(tmp_path, "above", manifest='requires = ["base"]\n' + MANIFEST)
    (above / "backend.py").write_text("from ..base.params import Make as Base\nclass Make:\n    params = Base\n")
    found = discover([tmp_path], installed=False).operation("above.make").plugin
    place = json.loads(json.dumps(found.place("backend:Make")))
    for name in [name for name in sys.modules if name.startswith("studio_plugins")]:
        del sys.modules[name]
    assert load_place(place).params().colour == "green"


@pytest.mark.parametrize("off", [["base"], ["middle"], []])
def test_a_plugin_is_not_usable_without_what_it_builds_on(tmp_path, off):
    for id, below in (("top", "middle"), ("middle", "base"), ("base", "")):
        plugin(tmp_path, id, manifest=(f'requires = ["{below}"]\n' if below else "") + MANIFEST)
    found = {p.id: p for p in discover([tmp_path], off, installed=False).all}
    assert found["top"].usable == (not off)
    if off:
        assert f"plugin {off[0]}, which is not usable" in str(found["top"].problem)
    else:
        assert [package for package, _ in found["top"].needs] == ["studio_plugins.middle", "studio_plugins.base"]
