"""`studio`: the command line. Composition root of its process; loads what a command needs when it runs.

Exit codes: 0 done, 1 the job or the request failed, 2 the input was wrong, 130 stopped by Ctrl+C,
141 nobody read the output any more.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from studio import __version__
from studio.cli import exits, show
from studio.cli.catalogue import ops, plugins, schema
from studio.cli.doctor import doctor
from studio.cli.engine import app as engine
from studio.cli.follow import swallow_output
from studio.cli.library import app as library
from studio.cli.models import app as models
from studio.cli.queue import cancel, jobs, pause, resume, retry
from studio.cli.recipes import again, recipe
from studio.cli.session import OpenWindow, Studio
from studio.errors import StudioError
from studio.paths import user_paths

log = logging.getLogger(__name__)
app = typer.Typer(
    name="studio",
    help="Atelier: makes text, pictures and sound on your own machine. Without a command it opens the window.",
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def window(
    context: typer.Context,
    data: Annotated[str, typer.Option(help="Data folder to use instead of your own.", metavar="FOLDER")] = "",
    version: Annotated[bool, typer.Option("--version", help="Show the version.", metavar="")] = False,
) -> int:
    """Opens the window when no command follows."""
    if version:
        print(__version__)
        raise typer.Exit()
    studio = Studio(user_paths(data or None), context.obj)
    context.obj = studio
    if context.invoked_subcommand is None:
        from studio.cli.window import open_window

        raise typer.Exit(open_window(studio, []))
    return 0


@app.command("open")
def open_files(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Results to restore. The word `open` may be left out.")],
) -> int:
    """Open the window with these files in it."""
    from studio.cli.window import open_window

    return open_window(context.obj, [str(file.absolute()) for file in files])


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False, "help_option_names": []},
)
def run(
    context: typer.Context,
    operation: Annotated[str, typer.Argument(help="For example text.generate; `studio ops` lists them.")],
    flags: Annotated[list[str] | None, typer.Argument(help="Its flags; `studio run OPERATION --help`.")] = None,
) -> int:
    """Run an operation: the result on standard output, progress on standard error."""
    if operation in ("-h", "--help"):
        print("Usage: studio run OPERATION [FLAGS]\n\n`studio ops` lists the operations;")
        print("`studio run OPERATION --help` shows the flags of one.")
        return 0
    from studio.cli.run import run as run_operation

    return run_operation(context.obj, operation, flags or [])


for command in (ops, schema, jobs, cancel, pause, resume, retry, recipe, again, plugins, doctor):
    app.command()(command)
app.add_typer(library, name="library")
app.add_typer(models, name="models")
app.add_typer(engine, name="engine")


def with_open(argv: list[str]) -> list[str]:
    """`studio FILE` means `studio open FILE`: desktops start programs so."""
    at = 0
    while at < len(argv) and argv[at].startswith("-"):
        at += 2 if argv[at] == "--data" else 1
    known = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    known |= {group.name for group in app.registered_groups}
    if at < len(argv) and argv[at] not in known and Path(argv[at]).exists():
        return [*argv[:at], "open", *argv[at:]]
    return argv


def main(argv: list[str], open_window: OpenWindow) -> int:
    """Runs one command line and returns its exit code. One of the four doors."""
    _open_streams()
    try:
        code = app(args=with_open(argv), prog_name="studio", standalone_mode=False, obj=open_window) or 0
        sys.stdout.flush()  # a closed pipe shows itself here, not at the interpreter's end
        return code
    except typer.Abort:
        return exits.INTERRUPTED
    except typer.TyperException as error:
        explained = error.format_message() if isinstance(error, typer.BadParameter) else str(error)
        print(f"{explained}\n`studio --help` lists the commands.", file=sys.stderr)
        return exits.WRONG_INPUT
    except (BrokenPipeError, SystemExit):  # typer's own answer to a closed pipe is to leave
        swallow_output()
        return exits.PIPE_CLOSED
    except StudioError as error:
        show.complain(error)
        return exits.of_error(error.code)
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except OSError as error:  # a full disk under standard output, a folder that may not be entered
        log.debug("refused", exc_info=True)
        swallow_output()
        where = f"{error.filename}: " if error.filename else ""
        show.complain(StudioError("The system refused", f"{where}{error.strerror or error}"))
        return exits.FAILED
    except Exception as error:
        log.exception("unexpected")
        show.complain(StudioError("Something went wrong that should not", f"{type(error).__name__}: {error}"))
        print("This is a bug; the lines above say where.", file=sys.stderr)
        return exits.FAILED


def _open_streams() -> None:
    """A caller may have closed standard streams (`>&-`); Python has None in their place then."""
    nothing = Path(os.devnull)
    sys.stdin = sys.stdin or nothing.open()
    sys.stdout = sys.stdout or nothing.open("w")
    sys.stderr = sys.stderr or nothing.open("w")
