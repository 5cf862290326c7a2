"""`python -m studio.engine --data FOLDER`: one engine process, from taking the lock to leaving in order."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

from studio import logs
from studio.engine import lock
from studio.engine.client import socket_path
from studio.engine.core import Engine
from studio.engine.server import Server
from studio.errors import StudioError
from studio.paths import Paths, user_paths

log = logging.getLogger(__name__)
IDLE_S = 60.0


def main(argv: list[str]) -> int:
    """Serves until idle or told to leave. Leaves at once, with 0, when another engine serves this folder."""
    parser = argparse.ArgumentParser(prog="studio.engine")
    parser.add_argument("--data")
    parser.add_argument("--plugins", action="append", default=[])
    parser.add_argument("--idle", type=float, default=float(os.environ.get("ATELIER_IDLE", IDLE_S)))
    options = parser.parse_args(argv)
    if options.plugins:
        known = [folder for folder in os.environ.get("ATELIER_PLUGINS", "").split(os.pathsep) if folder]
        named = [str(Path(folder).absolute()) for folder in options.plugins]
        os.environ["ATELIER_PLUGINS"] = os.pathsep.join([*known, *named])
    paths = user_paths(options.data)
    try:
        paths.prepare()
    except OSError as error:
        print(f"The data folder cannot be used: {error}", file=sys.stderr)
        return 1
    logs.set_up(paths.logs, "engine", to_stderr=True)
    only = lock.EngineLock(paths)
    if not only.acquire():
        print(f"An engine serves this folder already: process {only.holder()}.", file=sys.stderr)
        return 0
    try:
        lock.end_orphans(paths.runtime)
        asyncio.run(_serve(paths, options.idle))
    except StudioError as error:
        log.error("%s", error)
        return 1
    finally:
        only.release()
    return 0


async def _serve(paths: Paths, idle_s: float) -> None:
    engine = Engine(paths)
    await engine.start()
    server = Server(engine, Path(socket_path(paths)), idle_s)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.leaving.set)
    await server.start()
    log.info("serving %s", paths.data)
    try:
        await server.serve()
    finally:
        await server.stop()
        await engine.stop()
        log.info("leaving")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
