"""The library's right side: the whole text of one thing, and the facts of its recipe."""

import datetime
from collections.abc import Callable
from html import escape
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QFormLayout,
    QFrame,
    QLabel,
    QPlainTextEdit,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from studio.kit.player import Player
from studio.kit.theme import Theme

from .ui_picture import PictureView

SHOWN = 400_000
PROMPT = 2000


TitleOf = Callable[[str, str], str]
Ordinary = Callable[[str, str, Any], bool]


def facts(
    item: dict[str, Any], recipe: dict[str, Any] | None, title_of: TitleOf, ordinary: Ordinary
) -> list[tuple[str, str]]:
    """What is worth knowing about a thing and how it was made, as (name, words).

    ordinary: (operation, param, value) -> whether nobody needs to be told.

    title_of: (operation, name of a param) -> what it is called on screen, or nothing; without a param, the
    operation itself.
    """
    recipe = recipe or {}
    params, noted = dict(recipe.get("params") or {}), dict(recipe.get("facts") or {})
    models = [m for m in recipe.get("models") or () if isinstance(m, dict)]
    made = float(recipe.get("created") or item.get("created") or 0)
    operation = str(recipe.get("operation") or item.get("operation") or "")
    told = "" if item.get("kind") == "text" else str(params.get("prompt") or noted.get("prompt") or "")[:PROMPT]
    rows = [
        ("Prompt", told),
        ("Made", datetime.datetime.fromtimestamp(made).strftime("%Y-%m-%d %H:%M") if made > 0 else ""),
        ("By", title_of(operation, "") or operation),
        ("Model", ", ".join(str(m.get("ref", "")) for m in models) or str(item.get("model") or "")),
        ("Weights", ", ".join(str(m["sha256"])[:16] + "…" for m in models if m.get("sha256"))),
    ]
    skipped = {"prompt", "model"}
    rows += [
        (title_of(operation, key) or name_of(key), words(value))
        for key, value in params.items()
        if key not in skipped and not ordinary(operation, key, value)
    ]
    rows += [
        (name_of(key), words(value)) for key, value in noted.items() if key not in ("prompt", "prompt_chars", "seed")
    ]
    versions = recipe.get("versions") or {}
    rows += [
        ("Device", " · ".join(filter(None, (str(recipe.get("device") or ""), str(recipe.get("dtype") or ""))))),
        ("Versions", ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))),
        ("File", str(item.get("path") or "")),
    ]
    return [(name, value) for name, value in rows if value]


def name_of(key: str) -> str:
    return key.replace("_", " ").capitalize()


def words(value: Any) -> str:
    """A value as it reads on screen; empty for one that was not set."""
    if value is None or value == [] or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(repr(v) if isinstance(v, str) else words(v) for v in value)
    if isinstance(value, dict):
        return " ".join(words(inner) if name == "model" else f"{name_of(name).lower()} {words(inner)}"
                        for name, inner in value.items() if words(inner))  # fmt: skip
    return str(value)


class Preview(QWidget):
    """Shows one item; empty until told to."""

    def __init__(self, theme: Theme, title_of: TitleOf, ordinary: Ordinary, parent: QWidget | None = None):
        super().__init__(parent)
        self._theme, self._title_of, self._ordinary = theme, title_of, ordinary
        self.player: Player | None = None
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
        self.text.setAccessibleName("Text of the selected result")
        self.text.setTabChangesFocus(True)
        self._facts = QWidget()
        self._form = QFormLayout(self._facts)
        self._form.setContentsMargins(0, 0, 8, 0)
        self._form.setHorizontalSpacing(16)
        self._form.setVerticalSpacing(4)
        self._form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._facts)
        scroll.setAccessibleName("How it was made")
        layout = self._column = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self.picture = PictureView()
        self.picture.hide()
        layout.addWidget(self.picture, 3)
        layout.addWidget(self.text, 3)
        layout.addWidget(scroll, 2)

    def show_picture(self, image: QImage | None, words: str = "") -> None:
        """The image in the text's place, `words` when there is none of it yet; None for things that have text."""
        self.picture.setVisible(image is not None and not self.playing)
        self.text.setVisible(image is None)
        self.picture.show_image(image if image is not None else QImage(), words)

    @property
    def playing(self) -> bool:
        """Whether a clip that can be played is in the picture's place."""
        return self.player is not None and not self.player.isHidden()

    def show_clip(self, path: str) -> None:
        """A clip in the picture's place, at rest; "" for things that are none. What cannot be played is a picture."""
        if path and self.player is None:
            self.player = Player(self._theme)
            self.player.playback.failed.connect(self._on_failed)
            self._column.insertWidget(0, self.player, 3)
        if self.player is not None:
            self.player.setVisible(bool(path))
            if path:
                self.player.open(path, play=False)
            else:
                self.player.close_clip()

    def _on_failed(self) -> None:
        self.show_clip("")
        self.picture.show()

    def show_item(self, item: dict[str, Any], *, note: str = "") -> None:
        """Shows text and facts; `note` stands in for a text that cannot be shown."""
        text = item.get("text")
        whole = text if isinstance(text, str) else note or str(item.get("excerpt") or "")
        if len(whole) > SHOWN:
            whole = whole[:SHOWN] + f"\n\n… {len(whole) - SHOWN:,} more characters; open the file to see them."
        if self.text.toPlainText() != whole:
            self.text.setPlainText(whole)
        self._show_facts(facts(item, item.get("recipe"), self._title_of, self._ordinary))

    def clear(self) -> None:
        self.show_clip("")
        self.show_picture(None)
        self.text.clear()
        self._show_facts([])

    def _show_facts(self, rows: list[tuple[str, str]]) -> None:
        while self._form.rowCount():
            self._form.removeRow(0)
        for name, value in rows:
            shown = QLabel(value)
            shown.setTextFormat(Qt.TextFormat.PlainText)
            shown.setWordWrap(True)
            shown.setToolTip(f"<qt>{escape(value)}</qt>")
            policy = shown.sizePolicy()  # a word that is wider than the room does not push the others out of sight
            policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
            shown.setSizePolicy(policy)
            shown.setTextInteractionFlags(
                Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
            )
            shown.setAccessibleName(name)
            label = QLabel(name)
            label.setProperty("muted", True)
            self._form.addRow(label, shown)
