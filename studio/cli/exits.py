"""Exit codes of the command line, and which errors are the caller's own. Standard library only."""

DONE, FAILED, WRONG_INPUT, INTERRUPTED, PIPE_CLOSED = 0, 1, 2, 130, 141
BAD_INPUT = frozenset(
    {
        "bad-request", "empty", "invalid", "newer", "no-recipe", "not-found", "not-text", "state", "too-large",
        "too-long", "unknown-item", "unknown-job", "unknown-model", "unknown-operation", "usage",
    }
)  # fmt: skip


def of_error(code: str) -> int:
    """The exit code for a StudioError's code, whether a request or a job was refused with it."""
    return WRONG_INPUT if code in BAD_INPUT else FAILED
