"""How the window's own parts look: a piece of stylesheet over the kit's, and colours for what paints itself."""

from PySide6.QtGui import QColor

from studio.kit.theme import Theme

QSS = """
#window { background: @window; }
#rail { background: @rail; border: none; border-right: 1px solid @line; }
#railArea, #railInner { background: transparent; border: none; }
#rail QToolButton { font-size: @type_small; padding: 4px 2px; border-radius: @radius_medium; }
#rail QToolButton:checked { background: @accent_soft; color: @accent_text; }
#strip { background: @rail; border-top: 1px solid @line; }
#strip QToolButton { padding: 2px 8px; }
#stripTitle { color: @text; }
#stripCounts, #stripMuted { color: @muted; }
#engineDot { color: @faint; font-size: @type_small; }
#engineDot[state="busy"] { color: @focus; }
#engineDot[state="connected"] { color: @success; }
#engineDot[state="lost"] { color: @danger; }
#engineDot[state="starting"] { color: @warning; }
#drawer { background: @surface; border-top: 1px solid @line; }
#drawer QListView { background: @window; border: 1px solid @line; border-radius: @radius_medium; }
#drawer QListView:focus { border-color: @focus; }
#drawer QSplitter::handle:horizontal { background: transparent; width: 12px; }
#drawerHeading { color: @muted; font-weight: 600; }
#drawerTitle { font-size: @type_heading; font-weight: 600; }
#drawerEmpty, #paletteEmpty { color: @muted; padding: 8px; }
#palette { background: @popup; border: 1px solid @outline; border-radius: @radius_large; }
#palette QListView { background: transparent; border: none; }
#noticeList { background: transparent; }
#noticeTitle { font-weight: 600; }
#formProblem { color: @danger; }
#pageTitle { font-size: @type_display; font-weight: 600; }
#pageHeading { font-size: @type_heading; font-weight: 600; }
#pageStrong { font-weight: 600; }
#pageMuted { color: @muted; }
#pageKey { color: @accent_text; font-weight: 600; }
#dropHint { background: @accent_soft; color: @accent_text; border: 2px dashed @focus; border-radius: @radius_large;
  font-size: @type_heading; font-weight: 600; }
"""

TONES = {
    "accent": "focus",
    "muted": "muted",
    "track": "pressed",
    "success": "success",
    "warning": "warning",
    "danger": "danger",
}


def dress(theme: Theme) -> None:
    """Adds the window's stylesheet to the theme."""
    theme.extend("window", QSS)


def tones(theme: Theme) -> dict[str, QColor]:
    """Colours by what they say, for delegates."""
    return {tone: theme.colour(token) for tone, token in TONES.items()}
