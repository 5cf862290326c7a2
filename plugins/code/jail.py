"""The last step before foreign code runs: shuts this process into namespaces of its own, limits it, becomes the code.

Run as a script by `sandbox` with a plan as JSON in its first argument; imports the standard library alone and nothing
of the project, for it runs in a bare interpreter. What it sets up on Linux (namespaces(7), pivot_root(2)): a user
without rights outside, a network without interfaces, a tree of processes that ends with its first one, and a file
system in memory that shows the system's programs read-only and nothing else of the disk.
"""

import ctypes
import json
import os
import resource
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

NEW_NS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = 1 << 17, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30
RDONLY, NOSUID, NODEV, REMOUNT, BIND, REC, PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
# What a mount may have that a new view of it must keep: statvfs's number and mount's.
KEPT = ((2, 2), (4, 4), (8, 8), (1024, 1024), (2048, 2048), (4096, 1 << 21))
DETACH = 2
PDEATHSIG, NO_NEW_PRIVS = 1, 38
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
INSIDE = 1000
"""The user inside: not 0, so that becoming the code gives up every right over the namespaces."""
NOBODY = 65534
HERE = "/sandbox"
FAILED = 97
"""Exit code of a jail that could not be built; the code was not run then."""

libc = ctypes.CDLL(None, use_errno=True)


def main(plan: dict[str, Any]) -> NoReturn:
    """plan: command, environment, folder (where the code runs, or a copy of it), limits (name of a resource: most),
    isolate; with it: system (paths shown read-only), room (bytes that may be written in all). copy: where the folder
    is copied to, when something else isolates."""
    try:
        if plan["isolate"]:
            unshare()
            held = Held(Path(plan["folder"]), [Path(name) for name in plan["system"]])
            os.setresgid(INSIDE, INSIDE, INSIDE)
            os.setresuid(INSIDE, INSIDE, INSIDE)
            enter(held, int(plan["room"]))
        elif plan.get("copy"):
            shutil.copytree(plan["folder"], plan["copy"], symlinks=True, dirs_exist_ok=True)
            os.chdir(plan["copy"])
        else:
            os.chdir(plan["folder"])
        for name, most in plan["limits"].items():
            limit(getattr(resource, f"RLIMIT_{name}"), most)
        libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    except OSError as error:
        print(f"The sandbox could not be built: {error}", file=sys.stderr, flush=True)
        os._exit(FAILED)
    try:
        os.execvpe(plan["command"][0], plan["command"], plan["environment"])
    except OSError as error:
        print(f"{plan['command'][0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)


def limit(which: int, most: int) -> None:
    """Sets a limit that cannot be raised again, or leaves a lower one."""
    hard = resource.getrlimit(which)[1]
    room = most + 1 if hard == resource.RLIM_INFINITY else hard
    # The soft limit of seconds sends a signal that tells why; it has to come before the hard one's.
    highest = min(most + (which == resource.RLIMIT_CPU), room)
    resource.setrlimit(which, (min(most, highest), highest))


def unshare() -> None:
    """Namespaces of its own; in them the user may become INSIDE, who outside is this user or, for root, nobody."""
    root = os.getuid() == 0
    user, group = (NOBODY, NOBODY) if root else (os.getuid(), os.getgid())
    if root:
        os.setgroups([])
    (wait, go), (hear, tell) = os.pipe(), os.pipe()
    helper = os.fork()
    if helper == 0:  # the maps of a namespace are written from outside of it
        os.read(wait, 1)
        try:
            of_parent = Path(f"/proc/{os.getppid()}")
            of_parent.joinpath("setgroups").write_text("deny")
            of_parent.joinpath("uid_map").write_text(f"{INSIDE} {user} 1")
            of_parent.joinpath("gid_map").write_text(f"{INSIDE} {group} 1")
            os.write(tell, b"1")
        finally:
            os._exit(0)
    os.close(tell)
    try:
        call("unshare", NEW_USER | NEW_NS | NEW_UTS | NEW_IPC | NEW_PID | NEW_NET)
    finally:
        os.write(go, b"1")
        mapped = os.read(hear, 1)
        os.waitpid(helper, 0)
        for end in (wait, go, hear):
            os.close(end)
    if not mapped:
        raise PermissionError("this system gives no user namespaces")


class Held:
    """What the new root will show, taken hold of while its folders can be entered and are not yet covered."""

    def __init__(self, folder: Path, system: list[Path]):
        self.given = os.open(folder, os.O_PATH)
        self.links = [(path, path.readlink()) for path in system if path.is_symlink()]
        self.shown = [(path, os.open(path, os.O_PATH)) for path in system if path.exists() and not path.is_symlink()]
        self.devices = [
            (Path("/dev", name), os.open(f"/dev/{name}", os.O_PATH)) for name in ("null", "zero", "urandom", "full")
        ]


def enter(held: Held, room: int) -> None:
    """Returns in the process that becomes the code; the ones above it pass its end on."""
    libc.prctl(PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    first = os.fork()
    if first:
        leave_as(os.waitpid(first, 0)[1])
    libc.prctl(PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    build_root(held, room)
    code = os.fork()  # the first process of a tree hears only the signals it waits for, so the code is the second
    if code == 0:
        return
    while True:
        pid, status = os.wait()
        if pid == code:
            leave_as(status)


def leave_as(status: int) -> NoReturn:
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def build_root(held: Held, room: int) -> None:
    """Makes a root in memory the root of everything, and goes to HERE, a copy of the folder."""
    mount("none", "/", "", REC | PRIVATE)
    root = Path("/tmp")  # any folder that is there: the new root covers it in this namespace alone
    mount("tmpfs", str(root), "tmpfs", NOSUID | NODEV, f"size={room},mode=755,nr_inodes=20000")
    shutil.copytree(f"/proc/self/fd/{held.given}", root / HERE[1:], symlinks=True)
    os.close(held.given)
    for path, target in held.links:
        place = root / path.relative_to("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)
    for path, handle in held.shown:
        bind(handle, root / path.relative_to("/"), read_only=True)
    for path, handle in held.devices:
        bind(handle, root / path.relative_to("/"), read_only=False)
    for name in ("tmp", "proc", "dev/shm"):
        (root / name).mkdir(parents=True, exist_ok=True)
    mount("proc", str(root / "proc"), "proc", NOSUID | NODEV)
    os.chdir(root)
    here = b"."
    call("syscall", ctypes.c_long(PIVOT_ROOT[os.uname().machine]), here, here)
    call("umount2", here, DETACH)
    os.chdir(HERE)


def bind(handle: int, place: Path, *, read_only: bool) -> None:
    """Shows at `place` what the handle stands for."""
    source = Path(f"/proc/self/fd/{handle}")
    if source.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    mount(str(source), str(place), "", BIND | REC)
    if read_only:
        has = os.statvfs(place).f_flag
        kept = sum(number for seen, number in KEPT if has & seen)
        mount("none", str(place), "", BIND | REMOUNT | RDONLY | kept)
    os.close(handle)


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    call("mount", source.encode(), target.encode(), kind.encode() or None, ctypes.c_ulong(flags), data.encode() or None)


def call(name: str, *args: Any) -> None:
    """A function of the C library. Raises OSError with its name."""
    if getattr(libc, name)(*args) == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
