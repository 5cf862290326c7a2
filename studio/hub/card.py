"""Model cards: what their YAML front matter says, and the first words of their text.

A reader of the small part of YAML that cards use: top-level keys with a text, a list, or something to skip.
Imports nothing of the application.
"""

import re
from dataclasses import dataclass
from pathlib import Path

LIMIT = 256 * 1024
_KEY = re.compile(r"^([A-Za-z_][\w\-]*):(?:[ \t]+(.*))?$")
_FRONT = re.compile(r"\A(?:\ufeff)?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Card:
    licence: str = ""
    tag: str = ""
    tags: tuple[str, ...] = ()
    base: str = ""
    title: str = ""
    excerpt: str = ""


def read_card(folder: Path) -> Card:
    """The card of a model folder; an empty one when there is none or it cannot be read."""
    for name in ("README.md", "readme.md", "MODEL_CARD.md", "model_card.md"):
        try:
            path = folder / name
            if path.is_file():
                with path.open("rb") as file:
                    return parse(file.read(LIMIT).decode("utf-8", "replace"))
        except OSError:
            continue
    return Card()


def parse(text: str) -> Card:
    """The card in `text`. Never raises: a card is advice."""
    found = _FRONT.match(text)
    front = front_matter(found[1]) if found else {}
    body = text[found.end() :] if found else text
    licence = _one(front, "license")
    if licence in ("other", ""):
        licence = _one(front, "license_name") or licence
    return Card(
        licence=licence[:100],
        tag=_one(front, "pipeline_tag")[:60],
        tags=tuple(value[:60] for value in front.get("tags", [])[:50]),
        base=_one(front, "base_model")[:200],
        title=_heading(body),
        excerpt=_excerpt(body),
    )


def front_matter(text: str) -> dict[str, list[str]]:
    """Top-level keys with their values as lists of texts; nested tables are passed over."""
    found: dict[str, list[str]] = {}
    key = ""
    for line in text.splitlines():
        item = re.match(r"^\s*-[ \t]+(.*)$", line)
        if (match := _KEY.match(line)) is not None:
            key = match[1].lower()
            found[key] = _values(match[2] or "")
        elif item and key and (line[0] == "-" or re.match(r"^ {1,4}-", line)) and not re.match(r"^[\w\-]+:\s", item[1]):
            found[key].append(_scalar(item[1]))
    return found


def _values(text: str) -> list[str]:
    text = _without_comment(text)
    if text.startswith("[") and text.endswith("]"):
        return [_scalar(part) for part in text[1:-1].split(",") if part.strip()]
    return [_scalar(text)] if text and text[0] not in "|>{&*!" else []


def _scalar(text: str) -> str:
    text = _without_comment(text)
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1]
    return text


def _without_comment(text: str) -> str:
    text = text.strip()
    return text if text[:1] in "'\"" else re.split(r"\s#", text, maxsplit=1)[0].strip()


def _one(front: dict[str, list[str]], key: str) -> str:
    return next((value for value in front.get(key, []) if value not in ("null", "~")), "")


def _heading(body: str) -> str:
    match = re.search(r"^#[ \t]+(.+)$", body[:4000], re.MULTILINE)
    return re.sub(r"[*_`\[\]]", "", match[1]).strip()[:100] if match else ""


def _excerpt(body: str) -> str:
    """The first paragraph of prose, as plain text."""
    body = re.sub(r"<!--.*?-->", "", body[:20_000], flags=re.DOTALL)
    for paragraph in re.split(r"\r?\n\s*\r?\n", body):
        lines = [line.strip() for line in paragraph.strip().splitlines()]
        lines = [
            line
            for line in lines
            if line and not line.startswith(("#", "|", "```", "<", "![", "[!", "---", "- ", "* "))
        ]
        text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(lines))
        text = re.sub(r"<[^>]{0,200}>|[*`]|(?<!\w)_|_(?!\w)", "", text).strip()
        if len(text) >= 20:
            return text if len(text) <= 400 else text[:399].rsplit(" ", 1)[0] + "…"
    return ""
