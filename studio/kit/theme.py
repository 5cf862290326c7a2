"""Light and dark from token files: colours, shapes, the stylesheet and the palette. Follows the system.

Tokens live in assets/themes: `light.toml`, `dark.toml` (colours), `shapes.toml` (space, radii, type),
`studio.qss` (the stylesheet, in which @name is a token).
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QIcon, QPalette
from PySide6.QtWidgets import QApplication

from studio.kit.icons import Icons
from studio.paths import bundled

CHOICES = ("system", "light", "dark")
Role = QPalette.ColorRole
Group = QPalette.ColorGroup

PALETTE = {
    Role.Window: "surface",
    Role.WindowText: "text",
    Role.Base: "input",
    Role.AlternateBase: "raised",
    Role.Text: "text",
    Role.Button: "raised",
    Role.ButtonText: "text",
    Role.BrightText: "danger",
    Role.ToolTipBase: "popup",
    Role.ToolTipText: "text",
    Role.PlaceholderText: "faint",
    Role.Highlight: "selection",
    Role.HighlightedText: "on_selection",
    Role.Accent: "accent",
    Role.Link: "accent_text",
    Role.LinkVisited: "accent_text",
    Role.Light: "hover",
    Role.Midlight: "hover",
    Role.Mid: "outline",
    Role.Dark: "line",
    Role.Shadow: "shadow",
}


@dataclass(frozen=True)
class Tokens:
    """The values of one theme. `colours` by name; `shapes` by section and name."""

    name: str
    colours: dict[str, str]
    shapes: dict[str, dict[str, Any]]
    folder: Path

    def flat(self) -> dict[str, str]:
        """Every token by the name it has in a stylesheet: colours as they are, shapes as section_name."""
        found = dict(self.colours)
        for section, values in self.shapes.items():
            for name, value in values.items():
                words = ", ".join(f'"{face}"' for face in value) if isinstance(value, list) else f"{value}px"
                found[f"{section}_{name}"] = words
        return found | {"icons": (self.folder / self.name).as_posix()}


@cache
def load_tokens(name: str, folder: Path | None = None) -> Tokens:
    """The tokens of the theme `name` ("light" or "dark")."""
    folder = folder or bundled("assets") / "themes"
    colours = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))["colour"]
    shapes = tomllib.loads((folder / "shapes.toml").read_text(encoding="utf-8"))
    return Tokens(name, colours, shapes, folder)


def stylesheet(tokens: Tokens, *more: str) -> str:
    """The stylesheet of studio.qss and of `more`, with the tokens filled in. KeyError names an unknown token."""
    template = (tokens.folder / "studio.qss").read_text(encoding="utf-8")
    values = tokens.flat()
    source = re.sub(r"/\*.*?\*/", "", "\n".join((template, *more)), flags=re.DOTALL)
    return re.sub(r"@([a-z_]+)", lambda found: values[found[1]], source)


class Theme(QObject):
    """The theme in force. `changed`: colours are others now; widgets that paint themselves repaint."""

    changed = Signal()

    def __init__(self, choice: str = "system", parent: QObject | None = None):
        super().__init__(parent)
        self._choice = "system"
        self._fragments: dict[str, str] = {}
        self._applied = False
        self._icons = Icons(self.colour)
        self.tokens = load_tokens(self._wanted())
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._follow)
        if choice != "system":
            self.set_choice(choice)

    @property
    def choice(self) -> str:
        return self._choice

    @property
    def name(self) -> str:
        """ "light" or "dark"."""
        return self.tokens.name

    @property
    def is_dark(self) -> bool:
        return self.tokens.name == "dark"

    def set_choice(self, choice: str) -> None:
        """ "light", "dark", or "system" to follow the desktop. Window frames follow where the system can."""
        if choice not in CHOICES:
            raise ValueError(f"a theme is one of {', '.join(CHOICES)}, not {choice!r}")
        self._choice = choice
        hints = QGuiApplication.styleHints()
        if choice == "system":
            hints.unsetColorScheme()
        else:
            hints.setColorScheme(Qt.ColorScheme.Dark if choice == "dark" else Qt.ColorScheme.Light)
        self._follow()

    def extend(self, name: str, qss: str) -> None:
        """Adds a piece of stylesheet, with @tokens, to that of the application. Replaces one of the same name."""
        if self._fragments.get(name) != qss:
            self._fragments[name] = qss
            if self._applied:
                self.apply()

    def apply(self) -> None:
        """Dresses the application: style, palette, fonts, stylesheet. Called once by the window's start."""
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        if not self._applied:
            app.setStyle("Fusion")
            app.setFont(text_font(self.tokens))
            self._applied = True
        app.setPalette(palette(self.tokens))
        app.setStyleSheet(stylesheet(self.tokens, *self._fragments.values()))

    def colour(self, name: str) -> QColor:
        """A colour token. KeyError when there is none of that name."""
        return QColor(self.tokens.colours[name])

    def shape(self, section: str, name: str) -> Any:
        """A token of shapes.toml, e.g. shape("space", "one") is 8."""
        return self.tokens.shapes[section][name]

    def icon(self, name: str, colour: str = "muted") -> QIcon:
        """The icon of that name ("mdi6.text-box-outline"), drawn in the colour token, whatever the theme is then."""
        return self._icons.get(name, colour)

    def _wanted(self) -> str:
        if self._choice != "system":
            return self._choice
        scheme = QGuiApplication.styleHints().colorScheme()
        return "light" if scheme == Qt.ColorScheme.Light else "dark"

    def _follow(self, _scheme: Any = None) -> None:
        wanted = self._wanted()
        if wanted == self.tokens.name:
            return
        self.tokens = load_tokens(wanted)
        if self._applied:
            self.apply()
        self.changed.emit()


def palette(tokens: Tokens) -> QPalette:
    """The palette for what the stylesheet does not reach, and for widgets that paint themselves."""
    found = QPalette()
    for role, name in PALETTE.items():
        found.setColor(role, QColor(tokens.colours[name]))
    for role in (Role.WindowText, Role.Text, Role.ButtonText, Role.HighlightedText):
        found.setColor(Group.Disabled, role, QColor(tokens.colours["disabled"]))
    found.setColor(Group.Disabled, Role.Highlight, QColor(tokens.colours["hover"]))
    return found


def text_font(tokens: Tokens) -> QFont:
    """The face and size of ordinary words: the system's own, or on Linux the first good one installed."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    if QGuiApplication.platformName() not in ("windows", "cocoa"):
        font.setFamilies([*tokens.shapes["family"]["text"], font.family()])
    font.setPixelSize(tokens.shapes["type"]["body"])
    return font


def mono_font(tokens: Tokens) -> QFont:
    """A face in which all characters are equally wide."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setFamilies([*tokens.shapes["family"]["mono"], font.family()])
    font.setPixelSize(tokens.shapes["type"]["body"])
    return font
