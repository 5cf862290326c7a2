"""Which control shows which field."""

from studio.kit.controls.base import Control
from studio.kit.controls.choice import ChoiceControl, SwitchControl
from studio.kit.controls.items import ItemsControl
from studio.kit.controls.lines import LinesControl
from studio.kit.controls.model import ModelControl
from studio.kit.controls.number import NumberControl
from studio.kit.controls.picture import PictureControl
from studio.kit.controls.seed import SeedControl
from studio.kit.controls.text import FileControl, LineControl, TextControl
from studio.kit.session import Session
from studio.sdk.fields import FieldSpec

BY_WIDGET = {
    "prompt": TextControl,
    "text": TextControl,
    "seed": SeedControl,
    "lines": LinesControl,
    "file": FileControl,
    "picture": PictureControl,
    "mask": PictureControl,
    "slider": NumberControl,
}
BY_KIND = {
    "int": NumberControl,
    "float": NumberControl,
    "bool": SwitchControl,
    "choice": ChoiceControl,
    "strings": LinesControl,
    "str": LineControl,
}


def control_for(spec: FieldSpec, session: Session, operation: str = "") -> Control:
    """The control of a field: by its widget hint, else by its type."""
    if spec.kind == "items":
        return ItemsControl(spec, session, _inside)
    if spec.ui.widget == "model" or spec.ui.choices_from.startswith("hub:"):
        return ModelControl(spec, session, operation if spec.name == "model" else "", needed=spec.name == "model")
    kind = BY_WIDGET.get(spec.ui.widget) or BY_KIND[spec.kind]
    return kind(spec, session)


def _inside(spec: FieldSpec, session: Session) -> Control:
    """The control of an item's field: a model that is not named there is none, not the default one."""
    if spec.ui.widget == "model" or spec.ui.choices_from.startswith("hub:"):
        return ModelControl(spec, session, needed=False)
    return control_for(spec, session)
