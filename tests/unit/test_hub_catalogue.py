"""The catalogue: where it looks, what it remembers, what is found."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.hub import inspect
from studio.hub.catalogue import Catalogue
from tests.patience import PATIENCE_S
from tests.unit.catalogue_rig import CARD, LLAMA, catalogue_of, model, models_folder, problem, weights

pytestmark = pytest.mark.unit
root = pytest.fixture(models_folder)
catalogue = pytest.fixture(catalogue_of)


def test_the_layout_of_the_hubs_cache(root, catalogue):
    repository = root / "models--org--tales"
    old, new = repository / "snapshots" / ("0" * 40), repository / "snapshots" / ("1" * 40)
    blobs = repository / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "w").write_bytes(weights())
    for snapshot in (old, new):
        model(snapshot, model__safetensors=None)
        (snapshot / "model.safetensors").symlink_to("../../blobs/w")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    (repository / "snapshots" / "not-a-model").mkdir()
    entries = {entry.id: entry for entry in catalogue.scan()}
    assert set(entries) == {"org/tales", "org/tales@11111111"}
    assert entries["org/tales"].path == str(old) and entries["org/tales"].problem is None
    (old / "model.safetensors").unlink()
    (old / "model.safetensors").symlink_to("../../../secret")
    assert {e.id: e for e in catalogue.scan()}["org/tales"].problem["code"] == "link-outside"
    (old / "model.safetensors").unlink()
    (old / "model.safetensors").symlink_to("../../blobs/gone")
    assert {e.id: e for e in catalogue.scan()}["org/tales"].problem["code"] == "missing-weights"


def test_lone_files_and_adapters(root, catalogue):
    (root / "style.safetensors").write_bytes(weights("unet.lora_A.weight"))
    (root / "sd15.safetensors").write_bytes(weights("model.diffusion_model.x"))
    (root / "old.ckpt").write_bytes(b"\x80\x02")
    (root / "data.bin").write_bytes(b"anything")
    adapter = root / "peft"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "x"}')
    (adapter / "adapter_model.safetensors").write_bytes(weights("base.lora_A.weight"))
    entries = {entry.id: entry for entry in catalogue.scan()}
    assert {(e.id, e.capability, (e.problem or {}).get("code")) for e in entries.values()} == {
        ("style.safetensors", "adapter", None),
        ("sd15.safetensors", "unknown", None),
        ("old.ckpt", "unknown", "pickle"),
        ("peft", "adapter", None),
    }
    assert entries["peft"].family == "lora" and entries["style.safetensors"].layout == "file"


def test_what_is_no_model_is_not_listed(root, catalogue):
    (root / "app").mkdir()
    (root / "app" / "config.json").write_text('{"theme": "dark"}')
    (root / ".git").mkdir()
    model(root / ".hidden")
    (root / "notes.txt").write_text("x")
    assert catalogue.scan() == []


def test_models_inside_models_are_only_checkpoints(root, catalogue):
    model(root / "run")
    model(root / "run" / "checkpoint-500")
    model(root / "run" / "onnx")
    assert {entry.id for entry in catalogue.scan()} == {"run", "run/checkpoint-500"}


def test_depth_and_loops_are_bounded(root, catalogue):
    deep = root
    for _ in range(9):
        deep = deep / "d"
    model(deep / "too-deep")
    model(root / "d" / "m")
    (root / "loop").symlink_to(root)
    (root / "d" / "up").symlink_to("..")
    elsewhere = root.parent / "elsewhere"
    model(elsewhere / "linked")
    (elsewhere / "again").symlink_to(elsewhere)
    (root / "disk").symlink_to(elsewhere)
    assert {entry.id for entry in catalogue.scan()} == {"d/m", "disk/linked"}


def test_folders_that_are_away_or_closed(tmp_path, root):
    other = tmp_path / "other"
    model(other / "m")
    model(root / "n")
    catalogue = Catalogue([root, tmp_path / "nowhere", other, other], tmp_path / "c.json", tmp_path / "shipped")
    assert [entry.id for entry in catalogue.scan()] == ["m", "n"]
    assert [(Path(f.path).name, f.models, f.problem is None) for f in catalogue.folders] == [
        ("shipped", 0, True),
        ("models", 1, True),
        ("nowhere", 0, False),
        ("other", 1, True),
    ]
    other.rename(tmp_path / "gone")
    assert [entry.id for entry in catalogue.scan()] == ["n"]
    (tmp_path / "gone").rename(other)
    assert [entry.id for entry in catalogue.scan()] == ["m", "n"]


def test_a_folder_inside_that_cannot_be_listed(root, catalogue, monkeypatch):
    model(root / "m")
    (root / "closed").mkdir()
    real = os.scandir

    def scandir(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert [entry.id for entry in catalogue.scan()] == ["m"]


def test_a_model_whose_files_cannot_be_read(root, catalogue, monkeypatch):
    model(root / "m")
    real = Path.open

    def refuse(self, *args, **kwargs):
        if self.name == "model.safetensors":
            raise PermissionError(13, "Permission denied")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refuse)
    assert problem(catalogue) == "unreadable"


def test_unchanged_folders_are_not_read_again(tmp_path, root, monkeypatch):
    for number in range(3):
        model(root / f"m{number}")
    memory = tmp_path / "c.json"
    first = Catalogue([root], memory, tmp_path / "shipped").scan()
    looked: list[str] = []
    real = inspect.huggingface
    monkeypatch.setattr(inspect, "huggingface", lambda path, *rest: looked.append(path.name) or real(path, *rest))
    later = Catalogue([root], memory, tmp_path / "shipped")
    assert later.scan() == first and looked == []
    written = memory.stat().st_mtime_ns
    assert later.scan() == first and memory.stat().st_mtime_ns == written
    (root / "m1" / "model.safetensors").write_bytes(weights("a", "b"))
    assert {entry.parameters for entry in later.scan()} == {2, 4} and looked == ["m1"]
    (root / "m2" / "tokenizer.json").unlink()
    assert later.find("m2").problem is None
    later.scan()
    assert looked == ["m1", "m2"] and later.find("m2").problem["code"] == "missing-tokenizer"
    shutil.rmtree(root / "m0")
    assert [entry.id for entry in later.scan()] == ["m1", "m2"]


@pytest.mark.parametrize(
    "damage", [b"", b"[]", b"{}", b'{"rules": 1, "places": []}', b'{"rules": 1, "places": {"a": [1, [2]]}}']
)
def test_a_damaged_memory_costs_only_time(tmp_path, root, damage):
    model(root / "m")
    memory = tmp_path / "c.json"
    memory.write_bytes(damage)
    assert [entry.id for entry in Catalogue([root], memory, tmp_path / "shipped").scan()] == ["m"]
    memory.unlink()
    memory.mkdir()
    assert [entry.id for entry in Catalogue([root], memory, tmp_path / "shipped").scan()] == ["m"]


def test_finding_by_id_path_and_nothing(tmp_path, root):
    model(root / "org" / "b", README__md=CARD)
    model(root / "a", model__safetensors=None)
    starter = model(tmp_path / "shipped" / "tales")
    catalogue = Catalogue([root], None, tmp_path / "shipped")
    assert catalogue.find("org/b").id == catalogue.find(str(root / "org" / "b")).id == catalogue.find("b").id == "org/b"
    assert catalogue.find("", "text-generation").path == str(starter) and catalogue.find("").starter
    assert catalogue.find("a").problem is not None
    assert [entry.id for entry in catalogue.models("text-generation")] == ["tales", "a", "org/b"]
    for ref, capability in (
        ("nothing", ""),
        ("", "text-to-image"),
        (str(tmp_path / "x"), ""),
        ("\x00", ""),
        ("~x", ""),
    ):
        with pytest.raises(StudioError) as caught:
            catalogue.find(ref, capability)
        assert caught.value.code == "unknown-model"
    with pytest.raises(StudioError) as caught:
        catalogue.find("nothing")
    assert "tales, org/b" in caught.value.detail


def test_a_model_of_code_is_the_default_for_code_and_not_for_prose(tmp_path, root):
    of_code = CARD.replace("- tales\n", "- llama\n- code\n")
    model(tmp_path / "shipped" / "python", README__md=of_code)
    model(tmp_path / "shipped" / "tales", README__md=CARD)
    model(root / "chat", README__md=CARD)
    model(root / "broken", model__safetensors=None, README__md=of_code)
    catalogue = Catalogue([root], tmp_path / "c.json", tmp_path / "shipped")
    for _ in range(2):
        assert [entry.id for entry in catalogue.models("text-generation")] == ["tales", "chat", "python", "broken"]
        assert [entry.id for entry in catalogue.models("code-generation")] == ["python", "broken", "tales", "chat"]
        assert catalogue.find("", "text-generation").id == "tales"
        assert catalogue.find("", "code-generation").id == "python"
        catalogue = Catalogue([root], tmp_path / "c.json", tmp_path / "shipped")  # by what it remembers


def test_a_path_outside_the_folders(tmp_path, catalogue):
    outside = model(tmp_path / "outside")
    entry = catalogue.find(str(outside))
    assert (entry.id, entry.title, entry.problem) == (str(outside), "outside", None)
    (outside / "model.safetensors").write_bytes(b"")
    assert catalogue.find(str(outside)).problem["code"] == "truncated"
    assert catalogue.find(str(outside / "model.safetensors")).layout == "file"


def test_two_models_of_one_name(tmp_path, root):
    model(root / "m")
    model(tmp_path / "second" / "m", LLAMA | {"hidden_size": 2})
    catalogue = Catalogue([root, tmp_path / "second"], None, tmp_path / "shipped")
    first, second = catalogue.scan()
    assert first.id == "m" and second.id.startswith("m@") and catalogue.find(second.id).config["hidden_size"] == 2
    assert [entry.id for entry in catalogue.scan()] == [first.id, second.id]


def test_a_folder_that_is_a_model_itself(tmp_path):
    catalogue = Catalogue([model(tmp_path / "tales")], None, tmp_path / "shipped")
    assert [entry.id for entry in catalogue.scan()] == ["tales"]


def test_the_models_shipped_with_the_application_are_usable():
    catalogue = Catalogue([], None)
    entries = {entry.id: entry for entry in catalogue.scan() if entry.starter}
    assert all(entry.problem is None for entry in entries.values())
    assert {"emoji-64", "tales-5m", "python-5m"} <= entries.keys()
    assert catalogue.find("", "text-generation").id == "tales-5m"
    code = catalogue.find("", "code-generation")
    assert (code.id, code.capability, code.licence) == ("python-5m", "text-generation", "PSF-2.0")


def test_a_read_only_disk(tmp_path):
    """A real read-only file system; skipped where nothing may be mounted."""
    mount = tmp_path / "mount"
    mount.mkdir()
    script = """if True:
        import sys
        from pathlib import Path
        from studio.hub.catalogue import Catalogue
        from studio.hub.hashes import HashCache, weights_hash
        root = Path(sys.argv[1])
        catalogue = Catalogue([root], root / "cache.json", root / "shipped")
        print([entry.id for entry in catalogue.scan()], [entry.id for entry in catalogue.scan()])
        print(len(weights_hash(root / "m", HashCache(root / "hashes.json"))))
    """
    model(tmp_path / "m")
    shell = 'mount -t tmpfs none "$1" && cp -r "$2" "$1/m" && mount -o remount,ro "$1" && exec "$3" -c "$4" "$1"'
    probe = subprocess.run(
        ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$1"', "sh", str(mount)], capture_output=True
    )
    if probe.returncode:
        pytest.skip("this system lets us mount nothing")
    command = ["unshare", "-m", "sh", "-c", shell, "sh", str(mount), str(tmp_path / "m"), sys.executable, script]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert run.stdout.splitlines() == ["['m'] ['m']", "64"], run.stderr
