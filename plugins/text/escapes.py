"""How line breaks and the like are written in one-line fields. Imports nothing of the application."""

ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def unescape(text: str) -> str:
    r"""\n, \t, \r and \\ as what they stand for; any other backslash stays."""
    found, at = [], 0
    while at < len(text):
        follower = text[at + 1 : at + 2]
        if text[at] == "\\" and follower in ESCAPES and follower:
            found.append(ESCAPES[follower])
            at += 2
        else:
            found.append(text[at])
            at += 1
    return "".join(found)
