"""Entry of every process: the window and the command line, and `--engine` and `--worker` when frozen."""

import sys


def main() -> int:
    import multiprocessing

    multiprocessing.freeze_support()
    if sys.argv[1:2] == ["--worker"]:
        from importlib import import_module

        return import_module("studio.worker.__main__").main(sys.argv[2:])
    if sys.argv[1:2] == ["--engine"]:
        from studio.engine.__main__ import main as engine

        return engine(sys.argv[2:])
    from studio.cli.main import main as cli

    return cli(sys.argv[1:], _open_window)


def _open_window(argv: list[str]) -> int:
    from studio.ui.app import main as window

    return window(argv)


if __name__ == "__main__":
    sys.exit(main())
