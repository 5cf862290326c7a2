"""The line on top of a panel: its title on the leading side, switches and the model on the other."""

from collections.abc import Sequence

from PySide6.QtWidgets import QHBoxLayout, QWidget

from studio.kit.surface import label
from studio.kit.theme import Theme

MODEL = 248


def panel_head(theme: Theme, title: str, parts: Sequence[QWidget], model: QWidget) -> QHBoxLayout:
    """The model's picker is as wide in every panel."""
    one, two, three = (theme.shape("space", name) for name in ("one", "two", "three"))
    head = QHBoxLayout()
    head.setContentsMargins(three, two, three, one)
    head.setSpacing(two)
    head.addWidget(label(title, title=True))
    head.addStretch(1)
    model.setFixedWidth(MODEL)
    for part in (*parts, model):
        head.addWidget(part)
    return head
