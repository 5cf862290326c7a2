"""What a model is asked for each deed: as a conversation where it was taught one, as code that goes on where not.

Owns `messages` and `opening`. The instructions are the same for every model; what changes least stands first, so that
a second question about the same file reads little anew. Pure.
"""

from pathlib import PurePosixPath

from studio.errors import StudioError

from .params import Deed, Source, Work

LANGUAGES = {
    ".py": "python", ".js": "javascript", ".ts": "typescript", ".tsx": "tsx", ".jsx": "jsx", ".rs": "rust", ".go": "go",
    ".java": "java", ".c": "c", ".h": "c", ".cc": "cpp", ".cpp": "cpp", ".hpp": "cpp", ".cs": "csharp", ".rb": "ruby",
    ".sh": "bash", ".sql": "sql", ".html": "html", ".css": "css", ".json": "json", ".toml": "toml", ".yaml": "yaml",
    ".yml": "yaml", ".md": "markdown", ".kt": "kotlin", ".swift": "swift", ".php": "php", ".lua": "lua", ".r": "r",
}  # fmt: skip
COMMENTS = {"python": "#", "bash": "#", "ruby": "#", "toml": "#", "yaml": "#", "r": "#", "sql": "--", "lua": "--"}

SYSTEM = (
    "You are a careful programmer. You answer briefly. Code stands in one fenced block, complete, without line "
    "numbers and without parts left out. You keep names, style and indentation of the code that is there, and change "
    "nothing that you were not asked to change."
)
ASKED = {
    Deed.WRITE: "Write this: {instruction}\nAnswer with the code alone, in one fenced block.",
    Deed.EXPLAIN: "Explain {what}: what it does, how, and what to mind when using or changing it. {instruction}",
    Deed.FIX: "Find the mistakes in {what} and mend them. {instruction}\nSay in one or two sentences what was wrong. "
    "Then give {whole}, mended, in one fenced block.",
    Deed.TESTS: "Write tests for {what}, with unittest: usual cases, borders, wrong input. {instruction}\nThe code is "
    "imported from the module `{module}`. Answer with the whole test file in one fenced block.",
    Deed.REFACTOR: "Make {what} simpler and clearer without changing what it does. {instruction}\nGive {whole} in one "
    "fenced block.",
    Deed.CHANGE: "Change {what} like this: {instruction}\nGive {whole}, changed, in one fenced block.",
}
EDITS = (Deed.FIX, Deed.REFACTOR, Deed.CHANGE)
"""Deeds whose answer replaces the selected part."""


def language_of(path: str) -> str:
    """The name of a file's language as fences name it; Python where the ending tells nothing."""
    return LANGUAGES.get(PurePosixPath(path).suffix.lower(), "python" if not PurePosixPath(path).suffix else "")


def messages(params: Work) -> list[dict[str, str]]:
    """The conversation that asks for the deed."""
    start, end = params.span()
    part = params.text[start:end]
    selected = (start, end) != (0, len(params.text))
    language = language_of(params.path)
    pieces = [_file(source, language_of(source.path)) for source in params.files]
    if params.text.strip():
        name = params.path or "the file"
        pieces.append(f"{name}:\n{fenced(params.text, language)}")
    if selected and params.deed is not Deed.WRITE:
        pieces.append(f"The selected part of it:\n{fenced(part, language)}")
    if params.failure.strip():
        pieces.append(f"A run of it said:\n{fenced(params.failure, '')}")
    words = ASKED[params.deed].format(
        instruction=params.instruction.strip(),
        what="the selected part" if selected else "this code",
        whole="the selected part, whole" if selected else "the file, whole",
        module=PurePosixPath(params.path or "main.py").stem,
    )
    pieces.append("\n".join(line.rstrip() for line in words.splitlines()))
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "\n\n".join(pieces)}]


def opening(params: Work) -> tuple[str, str]:
    """What stands before and behind the answer of a model that only goes on with code.

    Raises StudioError for deeds that such a model was never taught.
    """
    language = language_of(params.path)
    mark = COMMENTS.get(language, "//")
    if params.deed is Deed.WRITE:
        at = params.start if params.end else len(params.text)
        behind = params.end or len(params.text)
        before = params.text[:at]
        line = before.rpartition("\n")[2]
        indent = line if not line.strip() else ""
        lead = before if before.endswith("\n") or not before or indent else before + "\n"
        comment = f"\n{indent}".join(f"{mark} {row}" for row in _rows(params.instruction))
        return f"{lead}{comment}\n{indent}", params.text[behind:]
    if params.deed is Deed.TESTS and language == "python":
        module = PurePosixPath(params.path or "main.py").stem
        names = f"import unittest\n\nfrom {module} import *\n\n\nclass Tests(unittest.TestCase):\n    def test_"
        return f"{params.text.rstrip()}\n\n\n# Tests of {module}\n{names}", ""
    raise StudioError(
        "This model only goes on with code",
        f"It was not taught to follow instructions, so it cannot {params.deed} code.",
        "Choose a chat model; this one fills holes and writes from a description.",
        code="base-model",
    )


def fenced(text: str, language: str) -> str:
    """The text in a fence longer than any in it."""
    longest = max((len(run) for run in _runs(text)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}{language}\n{text}{'' if text.endswith(chr(10)) else chr(10)}{mark}"


def _file(source: Source, language: str) -> str:
    return f"{source.path}:\n{fenced(source.text, language)}"


def _rows(text: str) -> list[str]:
    return [row.strip() for row in text.strip().splitlines() if row.strip()]


def _runs(text: str) -> list[str]:
    """Runs of backticks in the text."""
    found, run = [], 0
    for mark in text + " ":
        if mark == "`":
            run += 1
        elif run:
            found.append("`" * run)
            run = 0
    return found
