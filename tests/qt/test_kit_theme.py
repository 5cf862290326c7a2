"""The theme: every text can be read, both themes say the same names, icons follow, nothing heavy is imported."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QPushButton

from studio.kit.icons import outline
from studio.kit.theme import Theme, load_tokens, stylesheet
from studio.paths import bundled

pytestmark = pytest.mark.qt
THEMES = ("light", "dark")
SURFACES = ("window", "rail", "surface", "raised", "input", "popup", "hover")
WORDS = ("text", "muted", "faint", "accent_text", "success", "warning", "danger", "info")
PAIRS = [(word, place) for word in WORDS for place in SURFACES] + [
    ("text", "pressed"), ("muted", "pressed"), ("on_accent", "accent"), ("on_accent", "accent_hover"),
    ("on_accent", "accent_pressed"), ("on_selection", "selection"), ("accent_text", "accent_soft"),
    ("text", "accent_soft"), ("muted", "accent_soft"), ("text", "segment_on"), ("muted", "segment"),
    *((word, f"{level}_soft") for level in WORDS[4:] for word in ("text", "muted", level)),
]  # fmt: skip
PAIRS += [
    (f"syntax_{kind}", place)
    for kind in ("comment", "string", "number", "keyword", "function", "type")
    for place in ("input", "raised", "line_now", "added", "removed")
] + [("text", place) for place in ("line_now", "added", "removed")]
SIGNS = [("focus", place) for place in SURFACES[:6]] + [("outline_hover", "input"), ("handle_line", "surface")]


@pytest.fixture
def theme(qapp):
    found = Theme("light")
    yield found
    found.set_choice("system")
    qapp.setStyleSheet("")


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = QColor(colour).getRgbF()[:3]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_counted_as_the_standard_does():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize(("word", "place"), PAIRS)
def test_words_can_be_read(name, word, place):
    colours = load_tokens(name).colours
    assert contrast(colours[word], colours[place]) >= 4.5


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize(("sign", "place"), SIGNS)
def test_rings_and_outlines_can_be_seen(name, sign, place):
    colours = load_tokens(name).colours
    assert contrast(colours[sign], colours[place]) >= 3.0


def test_both_themes_have_the_same_tokens():
    light, dark = (load_tokens(name) for name in THEMES)
    assert light.colours.keys() == dark.colours.keys()
    assert all(QColor(value).isValid() for value in (*light.colours.values(), *dark.colours.values()))


def test_spaces_lie_on_the_grid():
    space = load_tokens("light").shapes["space"]
    assert all(value % 4 == 0 for value in space.values())


@pytest.mark.parametrize("name", THEMES)
def test_drawings_of_the_stylesheet_use_the_themes_colours(name):
    colours = {value.lower() for value in load_tokens(name).colours.values()}
    drawings = sorted((bundled("assets") / "themes" / name).glob("*.svg"))
    assert drawings
    for drawing in drawings:
        used = set(re.findall(r"#[0-9a-f]{6}", drawing.read_text(encoding="utf-8").lower()))
        assert used and used <= colours, drawing.name


@pytest.mark.parametrize("name", THEMES)
def test_every_token_of_the_stylesheet_is_filled_in(name):
    sheet = stylesheet(load_tokens(name))
    assert "@" not in sheet
    files = re.findall(r'url\("([^"]+)"\)', sheet)
    assert files and all(Path(file).is_file() for file in files)


def test_an_unknown_token_is_refused():
    with pytest.raises(KeyError, match="no_such_thing"):
        stylesheet(load_tokens("light"), "QLabel { color: @no_such_thing; }")


def test_the_stylesheet_reaches_widgets_and_follows_the_choice(theme, qapp, qtbot):
    theme.apply()
    button = QPushButton("Go")
    qtbot.addWidget(button)
    button.setProperty("primary", True)
    button.show()
    for name in THEMES:
        theme.set_choice(name)
        shot = button.grab().toImage()
        assert shot.pixelColor(6, button.height() // 2) == QColor(load_tokens(name).colours["accent"])
        assert qapp.palette().color(QPalette.ColorRole.Text) == QColor(load_tokens(name).colours["text"])


def test_a_fragment_is_filled_in_and_stays(theme, qapp):
    theme.apply()
    theme.extend("mine", "#mine { color: @danger; }")
    assert f"#mine {{ color: {load_tokens('light').colours['danger']}; }}" in qapp.styleSheet()
    theme.set_choice("dark")
    assert f"#mine {{ color: {load_tokens('dark').colours['danger']}; }}" in qapp.styleSheet()


def test_system_follows_the_desktop(theme, qtbot, qapp):
    hints = QGuiApplication.styleHints()
    theme.set_choice("system")
    for scheme, name in ((Qt.ColorScheme.Dark, "dark"), (Qt.ColorScheme.Light, "light")):
        hints.setColorScheme(scheme)
        chosen = name if hints.colorScheme() == scheme else "dark"  # Offscreen there is no desktop to follow.
        qtbot.waitUntil(lambda chosen=chosen: theme.name == chosen)
        assert qapp.palette().color(QPalette.ColorRole.Text) == QColor(load_tokens(chosen).colours["text"])


def test_an_unknown_choice_is_refused(theme):
    with pytest.raises(ValueError, match="pink"):
        theme.set_choice("pink")


def test_an_icon_takes_the_colour_of_the_theme_in_force(theme):
    icon = theme.icon("mdi6.square", "danger")
    for name in THEMES:
        theme.set_choice(name)
        middle = icon.pixmap(16, 16).toImage().pixelColor(8, 8)
        assert middle == QColor(load_tokens(name).colours["danger"])


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_icons_are_sharp_at_every_scale(theme, scale):
    found = theme.icon("mdi6.square").pixmap(QSize(16, 16), scale)
    assert found.width() == round(16 * scale) and found.devicePixelRatio() == scale


def test_icons_are_kept_and_the_prefix_may_be_left_out(theme):
    assert theme.icon("mdi6.cog") is theme.icon("cog")


def test_an_unknown_icon_is_drawn_as_a_question(theme):
    assert outline("no-such-icon-anywhere") == outline("help-circle-outline")
    assert not theme.icon("mdi6.no-such-icon-anywhere").pixmap(16, 16).isNull()


def test_the_kit_imports_nothing_heavy():
    code = (
        "import sys, pkgutil, importlib, studio.kit\n"
        "for found in pkgutil.walk_packages(studio.kit.__path__, 'studio.kit.'): importlib.import_module(found.name)\n"
        "heavy = {'numpy', 'torch', 'transformers', 'qtawesome', 'superqt', 'pyqtgraph', 'PIL'} & set(sys.modules)\n"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
