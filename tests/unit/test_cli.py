"""The command line without an engine: commands, messages, exit codes, progress, displays, libraries, the doctor."""

import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from studio.cli import display, doctor, libraries, main, recipes, show
from studio.cli.follow import Follower, Outcome
from studio.errors import StudioError
from studio.library.recipe import embed_text
from studio.sdk.artifact import ModelUse, Recipe
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.unit
ROOT = Path(__file__).resolve().parents[2]
PROBE = ROOT / "tests" / "probe_plugin"


@pytest.fixture(autouse=True)
def probe(monkeypatch):
    monkeypatch.setenv("ATELIER_PLUGINS", str(PROBE))
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)


def studio(*arguments, window=lambda argv: 0) -> int:
    return main.main(list(arguments), window)


def test_without_a_display_the_window_is_refused_with_the_reason(monkeypatch, capsys):
    monkeypatch.delenv("QT_QPA_PLATFORM")
    assert studio(window=pytest.fail) == 1
    assert "DISPLAY" in capsys.readouterr().err


def test_without_a_command_the_window_opens(tmp_path, capsys):
    asked = []
    assert studio("--data", str(tmp_path), window=lambda argv: asked.append(argv) or 5) == 5
    file = tmp_path / "a.md"
    file.write_text("x")
    assert studio("--data", str(tmp_path), str(file), window=lambda argv: asked.append(argv) or 0) == 0
    assert asked == [["--data", str(tmp_path)], ["--data", str(tmp_path), str(file)]]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "No such command"),
        (["run", "probe.nonsense"], "There is no operation probe.nonsense"),
        (["run", "broken.thing"], "There is no operation broken.thing"),
        (["run", "probe.steps", "--step", "1"], "Did you mean --steps?"),
        (["run", "probe.steps", "--steps", "-1"], "--steps: Input should be greater than or equal to 0"),
        (["run", "probe.echo", "--chunks", "0", "--delay-ms", "x"], "--delay-ms: "),
        (["recipe", "absent.md"], "The file is not there"),
        (["again", str(ROOT / "LICENSE")], "no recipe"),
        (["jobs", "--limit", "0"], "'--limit'"),
        (["jobs", "--state", "lost"], "queued"),
        (["library", "list", "--kind", "smell"], "audio"),
    ],
)
def test_wrong_input_is_named_and_leaves_with_2(arguments, says, capsys):
    assert studio(*arguments) == 2
    told = capsys.readouterr()
    assert says in told.err
    assert told.out == ""


def test_operations_and_schemas_are_listed(capsys):
    assert studio("ops") == 0
    assert "probe.echo" in capsys.readouterr().out
    assert studio("ops", "--json") == 0
    assert "probe.echo" in [operation["id"] for operation in json.loads(capsys.readouterr().out)]
    assert studio("schema", "probe.echo") == 0
    assert json.loads(capsys.readouterr().out)["properties"]["chunks"]["maximum"] == 100_000
    assert studio("run", "probe.echo", "--help") == 0
    assert "--chunks N" in capsys.readouterr().out


def test_the_help_comes_without_qt_torch_or_pydantic():
    code = (
        "import sys; from studio.__main__ import main; sys.argv = ['studio', '--help']; main(); "
        "print(set(sys.modules) & {'torch', 'PySide6', 'pydantic', 'numpy', 'PIL'}, file=sys.stderr)"
    )
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "recipe" in child.stdout
    assert child.stderr.strip() == "set()"


@pytest.mark.parametrize("folder", ["/proc/atelier", __file__])
def test_a_data_folder_that_cannot_be_is_named(folder, capsys):
    assert studio("--data", folder, "jobs") == 1
    said = capsys.readouterr().err
    assert "The data folder cannot be used" in said and folder in said and "--data" in said


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_streams_are_no_reason_to_fail(closed):
    child = subprocess.run(["sh", "-c", f'exec "$0" -m studio ops {closed}', sys.executable], capture_output=True)
    assert (child.returncode, child.stderr) == (0, b"")
    assert (b"probe.echo" in child.stdout) == (not closed.startswith(">"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_onto_a_full_disk_is_said():
    command = ["sh", "-c", 'exec "$0" -m studio ops >/dev/full', sys.executable]
    child = subprocess.run(command, capture_output=True, text=True, check=False)
    assert child.returncode == 1
    assert "No space left" in child.stderr and "Traceback" not in child.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_is_quiet(unbuffered):
    listing = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; sys.stdin.read(); from studio.__main__ import main; sys.exit(main())",
            "ops",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    assert listing.stdin and listing.stdout and listing.stderr
    listing.stdout.close()
    listing.stdin.close()
    said = listing.stderr.read()
    listing.stderr.close()
    assert (listing.wait(PATIENCE_S), said) == (141, b"")


@pytest.mark.expects_log
def test_an_unexpected_error_is_told_as_a_bug(monkeypatch, capsys, caplog):
    def broken(*_):
        raise ZeroDivisionError("by design")

    assert studio(window=broken) == 1
    assert "ZeroDivisionError: by design" in capsys.readouterr().err
    assert "by design" in caplog.text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_text_is_written_once_and_in_order_whatever_is_repeated():
    out, status = io.StringIO(), show.StatusLine(io.StringIO())
    follower = Follower(status, out)
    follower.take("job", {"state": "running", "live": {"stream": "Once ", "progress": {"done": 1, "total": 3}}})
    follower.take("stream", {"at": 3, "text": "e upon"})
    follower.take("stream", {"at": 0, "text": "Once upon a"})  # a second attempt begins again
    follower.take("stream", {"at": 50, "text": "lost"})  # a gap: the file will tell
    follower.take("job", {"state": "finished", "artifacts": []})
    follower.complete("Once upon a time")
    assert out.getvalue() == follower.outcome.text == "Once upon a time"
    assert follower.outcome.exit_code == 0


def test_of_several_texts_the_first_is_followed_and_the_others_come_behind_it():
    out = io.StringIO()
    follower = Follower(show.StatusLine(io.StringIO()), out)
    follower.take("stream", {"at": 0, "text": "One"})
    follower.take("stream", {"at": 0, "text": "Two", "item": 1})
    follower.complete("One fox", "Two bears", "Three")
    assert out.getvalue() == "One fox\n\n--- 2 of 3 ---\n\nTwo bears\n\n--- 3 of 3 ---\n\nThree"


def test_progress_is_a_line_on_a_terminal_and_nothing_in_a_log():
    for stream, expected in ((Terminal(), "14/80 · 41.2 tok/s · 0:02 left"), (io.StringIO(), "")):
        follower = Follower(show.StatusLine(stream), io.StringIO())
        follower.take("progress", {"done": 14, "total": 80, "rate": 41.2, "unit": "tok"})
        assert stream.getvalue().removeprefix("\r\033[K") == expected


def test_progress_does_not_write_into_text_on_the_same_screen():
    screen = Terminal()
    follower = Follower(show.StatusLine(screen), screen)
    follower.take("progress", {"stage": "Reading the prompt"})
    follower.take("stream", {"at": 0, "text": "Once"})
    follower.take("progress", {"done": 1, "total": 2})
    follower.take("stream", {"at": 4, "text": " upon"})
    assert screen.getvalue() == "\r\033[KReading the prompt\r\033[KOnce upon"


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome({"state": "finished"}), 0),
        (Outcome({"state": "failed"}), 1),
        (Outcome({"state": "cancelled"}), 1),
        (Outcome({"state": "cancelled"}, interrupted=True), 130),
        (Outcome({"state": "finished"}, interrupted=True), 0),
        (Outcome({"state": "cancelled"}, pipe_closed=True), 141),
    ],
)
def test_exit_codes_tell_how_it_ended(outcome, code):
    assert outcome.exit_code == code


def test_what_comes_from_elsewhere_cannot_steer_the_terminal():
    error = StudioError("Bad \x1b[2Jfile", log="line\x07\nnext")
    assert "\x1b" not in show.error_text(error) and "\x07" not in show.error_text(error)
    assert "next" in show.error_text(error)


def test_a_display_is_believed_when_it_answers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a Unix socket's path must be short
    assert "neither" in display.display_problem({}, "linux")
    assert display.display_problem({}, "darwin") == ""
    assert display.display_problem({"QT_QPA_PLATFORM": "offscreen"}, "linux") == ""
    assert ":987 does not answer" in display.display_problem({"DISPLAY": ":987"}, "linux")
    assert "does not answer" in display.display_problem({"DISPLAY": "garbage"}, "linux")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("wayland-0")
        server.listen()
        environment = {"WAYLAND_DISPLAY": "wayland-0", "XDG_RUNTIME_DIR": "."}
        assert display.display_problem(environment, "linux") == ""
        assert "does not answer" in display.display_problem({**environment, "WAYLAND_DISPLAY": "wayland-1"}, "linux")


def test_a_missing_library_is_named_with_the_line_that_installs_it():
    messages = ["libEGL.so.1: cannot open shared object file: No such file or directory"] * 2 + ["", "odd failure"]
    assert libraries.names_in(messages) == ["libEGL.so.1", "odd failure"]
    every = ["libEGL.so.1", "libGL.so.1", "libxkbcommon.so.0", "libdbus-1.so.3", "libfontconfig.so.1"]
    told = libraries.advice(every, dnf=False)
    assert "apt-get install libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 fontconfig" in told
    assert "dnf install mesa-libEGL mesa-libGL libxkbcommon dbus-libs fontconfig" in libraries.advice(every, dnf=True)
    assert "No package is known here for: libodd.so" in libraries.advice(["libodd.so"], dnf=False)


def test_qt_loads_here():
    assert libraries.missing_libraries() == []


def test_the_doctor_knows_bad_company():
    def levels(**installed: str) -> list[tuple[str, str]]:
        return [(f.level, f.topic) for f in doctor.conflicts(lambda name: installed.get(name.replace("-", "_")))]

    assert levels(torch="2.13.0+cpu", PySide6_Essentials="6.11.3") == []
    assert levels(torch="2.13.0+cpu", torchaudio="2.13.0") == []
    assert levels(torch="2.13.0", torchaudio="2.9.1") == [("problem", "torchaudio")]
    assert levels(torch="2.13.0", kernels="0.9") == [("problem", "kernels")]
    assert levels(PySide6_Essentials="6.12.0") == [("problem", "PySide6")]
    assert levels(PyQt6="6.9") == [("note", "PyQt6")]


def test_the_doctor_sees_a_folder_that_cannot_be_written(tmp_path):
    (found,) = doctor.storage(tmp_path / "new", "library")
    assert found.level in ("ok", "problem") and "free" in found.detail
    (tmp_path / "file").write_text("")
    (found,) = doctor.storage(tmp_path / "file" / "below", "library")
    assert (found.level, "cannot be written" in found.detail) == ("problem", True)


def test_the_doctor_is_content_with_what_is_installed():
    assert [f.detail for f in doctor.requirements() if f.level == "problem"] == []


def recipe(**changes) -> Recipe:
    made: dict = {"operation": "probe.echo", "params": {"text": "x"}, "device": "cpu", "versions": {"torch": "2.13.0"}}
    return Recipe(**(made | {"models": (ModelUse(ref="m", sha256="a" * 64),)} | changes))


def test_a_recipe_is_shown(tmp_path, capsys):
    file = tmp_path / "a.md"
    file.write_text(embed_text("a text", recipe()), newline="")
    assert studio("recipe", str(file)) == 0
    told = capsys.readouterr().out
    assert "probe.echo (version 1)" in told and "torch 2.13.0" in told
    assert studio("recipe", str(file), "--json") == 0
    assert json.loads(capsys.readouterr().out)["params"] == {"text": "x"}


def test_a_picture_of_another_program_says_how_it_was_made(tmp_path, capsys):
    from PIL import Image, PngImagePlugin

    said = PngImagePlugin.PngInfo()
    said.add_text("parameters", "a fox\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 3, Size: 64x64, Tiling: True")
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=said)
    assert studio("recipe", str(tmp_path / "a.png")) == 0
    told = capsys.readouterr().out
    assert "A1111" in told and "image.generate" in told and "euler-a" in told and "Tiling" in told
    assert studio("recipe", str(tmp_path / "a.png"), "--json") == 0
    assert json.loads(capsys.readouterr().out)["params"]["seed"] == 3
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    assert studio("recipe", str(tmp_path / "b.png")) == 2
    assert "no recipe" in capsys.readouterr().err


def test_two_results_are_compared_without_their_recipes(tmp_path):
    for name, text, made in (("a", "same", recipe()), ("b", "same", recipe(device="cuda")), ("c", "sane", recipe())):
        (tmp_path / f"{name}.md").write_bytes(embed_text(text, made).encode())
    assert recipes.compare(tmp_path / "a.md", tmp_path / "b.md") == ""
    assert recipes.compare(tmp_path / "a.md", tmp_path / "c.md") == "4 and 4 bytes, the same up to byte 2."


def test_what_changed_between_two_recipes_is_named():
    assert recipes.changed(recipe(), recipe()) == []
    other = recipe(
        device="cuda", versions={"torch": "2.14.0", "cuda": "13"}, params={"text": "y"}, models=(ModelUse(ref="m"),)
    )
    told = "; ".join(recipes.changed(recipe(), other))
    for piece in ("device cpu → cuda", "torch 2.13.0 → 2.14.0", "cuda absent → 13", "weights of m", "setting text"):
        assert piece in told
