r"""Text with its invisible characters made visible, such as a line break as \n. No Qt."""

SHOWN = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\0"}


def visible(text: str) -> str:
    """`text` so that a person can see all of it; spaces at its ends too."""
    found = "".join(SHOWN.get(mark) or (mark if mark.isprintable() else _code(mark)) for mark in text)
    inner = found.strip(" ")
    if inner == found:
        return found
    before = len(found) - len(found.lstrip(" "))
    after = len(found) - before - len(inner)
    return "␣" * before + inner + "␣" * after


def typeable(text: str) -> str:
    """`text` in one line for editing: what a line cannot hold, as an escape."""
    return "".join(SHOWN.get(mark, mark) for mark in text)


def _code(mark: str) -> str:
    code = ord(mark)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
