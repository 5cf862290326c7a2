"""Opens the window, or says why it cannot be opened here."""

from studio.cli.display import display_problem
from studio.cli.session import Studio
from studio.errors import StudioError


def open_window(studio: Studio, files: list[str]) -> int:
    """Runs the window until it is closed, with `files` restored in it.

    Raises StudioError when there is no display or a system library is missing.
    """
    if reason := display_problem():
        raise StudioError(
            "The window cannot be opened",
            reason,
            'Everything works without it: studio run text.generate --prompt "Once upon a time"',
            code="no-display",
        )
    try:
        return studio.open_window(["--data", str(studio.paths.data), *files])
    except ImportError as error:
        from studio.cli.libraries import advice, missing_libraries

        if missing := missing_libraries():
            raise StudioError("The window cannot be opened", advice(missing), code="libraries") from error
        raise
