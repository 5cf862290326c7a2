"""Code that nobody has read, run by real processes: what it may not do it cannot do, and what it says is heard."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from plugins.code import sandbox
from plugins.code.sandbox import Isolation, Limits, Outcome, interpreter, isolation, run
from studio.errors import StudioError

pytestmark = pytest.mark.worker
WALLS = (Isolation.NAMESPACES, Isolation.BUBBLEWRAP)
QUICK = Limits(wall_s=20, cpu_s=2, memory=512 << 20, file=1 << 20, room=4 << 20, output=1 << 16, processes=24)


@pytest.fixture(scope="module", params=WALLS)
def walls(request) -> Isolation:
    """Each kind of walls that this machine can build."""
    wanted = request.param
    argv = sandbox._argv([interpreter(), "-I", "-S", "-c", ""], Path(__file__).parent, QUICK, wanted)
    try:
        tried = subprocess.run(argv, capture_output=True, check=False, env=sandbox._environment(), timeout=60)
    except FileNotFoundError:
        pytest.skip(f"{wanted} is not installed")
    if tried.returncode:
        pytest.skip(f"this system gives no {wanted}: {tried.stdout!r} {tried.stderr!r}")
    return wanted


def python(code: str, folder: Path, walls: Isolation, limits: Limits = QUICK, **more) -> Outcome:
    folder.chmod(0o755)
    (folder / "main.py").write_text(code)
    return run([interpreter(), "-I", "main.py"], folder, limits, walls, **more)


def test_it_says_what_it_says_and_how_it_ended(walls, tmp_path):
    heard: list[str] = []
    code = "import sys, os\nprint('grüße 😀', flush=True)\nprint('bad', file=sys.stderr)\nsys.exit(3)"
    outcome = python(code, tmp_path, walls, tell=heard.append)
    assert (outcome.code, outcome.reason) == (3, "") and not outcome.ok
    assert outcome.output == "grüße 😀\nbad\n" == "".join(heard)
    assert python("print(open('main.py').read())", tmp_path, walls).ok


HOME = """
import os, pathlib
for place in [{home!r}, {secret!r}, '/etc/passwd', '/root', '/home']:
    try:
        print(place, os.listdir(place) if os.path.isdir(place) else open(place).read())
    except OSError as error:
        print('no', type(error).__name__)
print(sorted(name for name in os.environ if name not in {allowed!r}), os.getuid() != 0, len(os.listdir('/proc')) < 60)
"""


def test_it_sees_nothing_of_the_person(walls, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    secret = tmp_path / "secret.txt"
    secret.write_text("do not read")
    work = tmp_path / "work"
    work.mkdir()
    allowed = ["PATH", "LANG", "PYTHONDONTWRITEBYTECODE", "TMPDIR", "HOME", "LC_CTYPE", "PWD"]
    code = HOME.format(home=str(Path.home()), secret=str(secret), allowed=allowed)
    outcome = python(code, work, walls)
    assert "do not read" not in outcome.output and "secret" not in outcome.output
    assert outcome.output.splitlines()[-1].startswith("[] "), outcome.output
    assert "passwd" not in outcome.output.replace("/etc/passwd", "")


NETWORK = """
import socket
for where in (("127.0.0.1", {port}), ("192.0.2.1", 80)):
    try:
        socket.create_connection(where, 2)
        print("connected")
    except OSError as error:
        print("no")
"""


def test_it_reaches_no_network_not_even_this_machine(walls, tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        outcome = python(NETWORK.format(port=server.getsockname()[1]), tmp_path, walls)
    assert outcome.output == "no\nno\n"


FILL = """
import os
def fill(name):
    with open(name, "wb") as file:
        while True:
            file.write(b"x" * 65536)
for number in range(40):
    try:
        fill(f"big{number}")
    except OSError as error:
        print(error.strerror)
try:
    open("/usr/bin/evil", "w")
except OSError as error:
    print(error.strerror)
"""


def test_it_fills_no_disk_and_changes_no_file_outside(walls, tmp_path):
    outcome = python(FILL, tmp_path, walls)
    assert "File too large" in outcome.output and "No space left on device" in outcome.output
    assert "Read-only file system" in outcome.output
    assert [path.name for path in tmp_path.iterdir()] == ["main.py"]


FORK = """
import os, sys
made = 0
try:
    while made < 400:
        if os.fork() == 0:
            import time
            time.sleep(600)
        made += 1
except OSError:
    print("stopped", made < 100)
"""


def left(mark: str) -> list[str]:
    """Processes whose command line holds the mark."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                line = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if mark in line and int(entry.name) != os.getpid():
                found.append(line)
    return found


def test_a_fork_bomb_is_bounded_and_nothing_of_it_is_left(walls, tmp_path):
    if walls == Isolation.BUBBLEWRAP and os.getuid() == 0:
        pytest.skip("bubblewrap keeps root's own id, to which the system sets no limit of processes")
    marked = tmp_path / "bomb-only-here.py"
    tmp_path.chmod(0o755)
    marked.write_text(FORK)
    outcome = run([interpreter(), "-I", marked.name], tmp_path, QUICK, walls)
    assert outcome.output == "stopped True\n"
    deadline = time.monotonic() + 60
    while left(marked.name) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not left(marked.name)


@pytest.mark.parametrize(
    ("code", "limits", "word"),
    [
        ("while True: pass", QUICK, "processor"),
        ("import time\ntime.sleep(600)", Limits(wall_s=0.5, cpu_s=2), "longer"),
        ("while True: print('x' * 1000)", QUICK, "wrote more"),
    ],
    ids=["spins", "sleeps", "floods"],
)
def test_what_never_ends_is_ended_with_the_reason(walls, tmp_path, code, limits, word):
    outcome = python(code, tmp_path, walls, limits)
    assert word in outcome.reason and outcome.code and len(outcome.output) <= limits.output


def test_too_much_memory_is_an_error_of_the_code(walls, tmp_path):
    outcome = python("x = bytearray(900 << 20)", tmp_path, walls)
    assert outcome.code == 1 and "MemoryError" in outcome.output


def test_whoever_waits_can_stop_it(walls, tmp_path):
    class Stop(BaseException):
        pass

    heard: list[str] = []

    def check() -> None:
        if heard:
            raise Stop

    with pytest.raises(Stop):
        python("print(1, flush=True)\nimport time\ntime.sleep(600)", tmp_path, walls, tell=heard.append, check=check)
    assert not left("time.sleep(600)")


def test_without_walls_it_still_has_limits_and_a_clean_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "secret")
    outcome = python("import os\nprint(os.environ.get('HF_TOKEN'), os.getcwd())", tmp_path, Isolation.NONE)
    assert outcome.output == f"None {tmp_path}\n" and outcome.isolation == Isolation.NONE
    assert "processor" in python("while True: pass", tmp_path, Isolation.NONE).reason


def test_a_program_that_is_not_there_and_walls_that_do_not_stand_are_said(walls, tmp_path):
    tmp_path.chmod(0o755)
    outcome = run(["no-such-program"], tmp_path, QUICK, walls)
    assert outcome.code == 127 and "no-such-program" in outcome.output
    with pytest.raises(StudioError, match="not run"):
        run([interpreter(), "-c", ""], tmp_path / "absent", QUICK, Isolation.NONE)


def test_the_best_walls_are_found_by_building_them():
    assert isolation() in Isolation


def test_a_scratch_folder_holds_what_is_given_and_nothing_leads_out_of_it(walls):
    with sandbox.scratch({"pack/a.py": "x = 'ä'\n", "main.py": "from pack.a import x\nprint(x)\n"}) as folder:
        assert run([interpreter(), "main.py"], folder, QUICK, walls).output == "ä\n"
    assert not folder.exists()
    for path in ("../out.py", "/etc/out", ".", "a/../../b"):
        with pytest.raises(StudioError, match="leads out"), sandbox.scratch({path: ""}):
            pass
