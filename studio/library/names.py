"""File names made from what people type. Safe on every system, whatever was typed. Imports nothing of ours."""

import re
import unicodedata

LIMIT = 60
_RESERVED = re.compile(r"^(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])$", re.IGNORECASE)


def slug(text: str, fallback: str = "untitled", limit: int = LIMIT) -> str:
    """A short lower-case name of letters, digits and hyphens, at most `limit` bytes in UTF-8.

    Letters of every script stay; controls, direction marks, separators, emoji and dots do not.
    """
    # Compatibility forms first: a full-width slash would otherwise turn into a real one later.
    shown = unicodedata.normalize("NFKC", text[:2000]).lower()
    kept = [_kept(character) for character in shown]
    # Composed once more: lower() may have taken characters apart, and file systems compare them differently.
    name = unicodedata.normalize("NFC", re.sub(r"-+", "-", "".join(kept))).strip("-")
    name = name.encode("utf-8", "ignore")[:limit].decode("utf-8", "ignore").strip("-")
    if not name:
        return fallback
    return f"{name}-" if _RESERVED.match(name) else name


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "L" or category == "Nd" or category in ("Mn", "Mc"):
        return character
    return "" if category in ("Cf", "Cs", "Cn", "Co") or character in "'’" else "-"
