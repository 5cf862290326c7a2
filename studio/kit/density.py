"""The switch between few and all controls."""

from PySide6.QtWidgets import QWidget

from studio.kit.segments import Segments
from studio.sdk.params import Density

WORDS = {Density.SIMPLE: ("Simple", "The few controls that matter most"), Density.EXPERT: ("Expert", "All controls")}


class DensitySwitch(Segments):
    """Simple or Expert, side by side. changed(density): the person chose the other."""

    def __init__(self, parent: QWidget | None = None):
        choices = [(density.value, title, help) for density, (title, help) in WORDS.items()]
        super().__init__("How many controls are shown", choices, parent)

    def set_value(self, value: str) -> None:
        super().set_value(Density(value).value)
