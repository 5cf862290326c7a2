"""Lets the form follow the model: what its family cannot use is greyed with the reason, sizes become buttons."""

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QMenu, QWidget

from studio.errors import StudioError
from studio.kit.form import ParamsForm
from studio.kit.surface import label, tool_button
from studio.kit.theme import Theme

from . import families
from .sampler_names import A1111_SAMPLERS, A1111_SCHEDULES
from .ui_modes import Mode

WEIGHTS = {"none": "as stored", "int4": "int4 (NF4)"}


def family_of(entry: dict[str, Any] | None) -> families.Family | None:
    """The family of a catalogue entry; None where there is none or nothing is known of it."""
    if not entry or entry.get("problem"):
        return None
    try:
        return families.of_model(entry)
    except StudioError:
        return None


def reasons(mode: Mode, family: families.Family | None) -> dict[str, str]:
    """What cannot be used in this mode, field -> why; "model" where the mode itself cannot."""
    return families.capability(family, mode.operation) if family is not None else {}


def follow(form: ParamsForm, mode: Mode, family: families.Family | None) -> None:
    """Shows in the form what this family can do. Values stay; nothing is greyed while the family is not known."""
    why = reasons(mode, family)
    call_choices(form)
    for name in form.rows:
        form.set_available(name, name not in why, why.get(name, ""))
    for name in ("sampler", "schedule", "quantised"):
        if name in form.rows:
            sampler = str(form.value().get("sampler", "auto"))
            offered = families.choices(family, name, sampler) if family is not None else None
            form.limit(name, offered, _why_not(name, family) if family is not None else "")


def _why_not(name: str, family: families.Family) -> str:
    """Why a choice that is not offered is none here."""
    if name == "quantised":
        return family.fixed or "bitsandbytes makes it, which is not installed."
    return f"{family.title} does not go with it."


def call_choices(form: ParamsForm) -> None:
    """By the names that other programs made known."""
    for name, words in (("sampler", A1111_SAMPLERS), ("schedule", A1111_SCHEDULES), ("quantised", WEIGHTS)):
        if name in form.rows:
            form.set_words(name, words)


class SizeBar(QWidget):
    """Square, portrait, landscape, swapped, or one of the family's sizes. chosen(width, height)."""

    chosen = Signal(int, int)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self._sizes: tuple[tuple[int, int], ...] = ()
        self._native = 0
        self._now = (0, 0)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(4)
        line.addWidget(label("Shape", muted=True))
        line.addStretch(1)
        self.buttons = {}
        for name, icon, help in (
            ("Square", "crop-square", "As wide as high"),
            ("Portrait", "crop-portrait", "Higher than wide"),
            ("Landscape", "crop-landscape", "Wider than high"),
            ("Swap", "swap-horizontal", "Width and height change places"),
        ):
            button = tool_button(name, icon=theme.icon(f"mdi6.{icon}"), help=f"{name}: {help}")
            button.clicked.connect(lambda _on=False, name=name: self.press(name))
            line.addWidget(button)
            self.buttons[name] = button
        self.more = tool_button("Sizes", icon=theme.icon("mdi6.chevron-down"), help="Sizes that suit the model")
        self.more.setPopupMode(self.more.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self.more)
        self.menu.aboutToShow.connect(self._fill)
        self.more.setMenu(self.menu)
        line.addWidget(self.more)

    def show_family(self, family: families.Family | None) -> None:
        self._sizes = tuple(family.sizes) if family is not None else ()
        self._native = family.native if family is not None else 0
        self.more.setEnabled(bool(self._sizes))
        for name in ("Square", "Portrait", "Landscape"):
            self.buttons[name].setEnabled(self._of(name) is not None)

    def show_size(self, width: int, height: int) -> None:
        """What is set now; 0 is the model's own."""
        self._now = (width, height)
        w, h = width or self.own()[0], height or self.own()[1]
        self.buttons["Swap"].setEnabled(bool(w and h and w != h))
        for name, on in (("Square", w == h), ("Portrait", w < h), ("Landscape", w > h)):
            self.buttons[name].setCheckable(True)
            self.buttons[name].setChecked(on and bool(w and h))

    def press(self, name: str) -> None:
        if name == "Swap":
            w, h = self._now[0] or self.own()[0], self._now[1] or self.own()[1]
            self.chosen.emit(h, w)
            return
        size = self._of(name)
        if size is not None:
            self.chosen.emit(*size)
        self.show_size(*(size or self._now))

    def own(self) -> tuple[int, int]:
        """The size that the model was made for."""
        return self._sizes[0] if self._sizes else (self._native, self._native)

    def _of(self, name: str) -> tuple[int, int] | None:
        fits = {"Square": lambda w, h: w == h, "Portrait": lambda w, h: w < h, "Landscape": lambda w, h: w > h}[name]
        return next((size for size in self._sizes if fits(*size)), None)

    def _fill(self) -> None:
        self.menu.clear()
        for width, height in self._sizes:
            action = self.menu.addAction(f"{width} × {height}")
            action.triggered.connect(lambda _on=False, size=(width, height): self.chosen.emit(*size))
