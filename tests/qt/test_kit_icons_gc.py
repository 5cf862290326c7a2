"""Icons and the garbage collector: PySide may free an icon's engine twice, which ends the process."""

import gc

import pytest

from studio.kit.icons import _Engine
from studio.kit.theme import Theme

pytestmark = pytest.mark.qt


def engines() -> list[_Engine]:
    return [found for found in gc.get_objects() if type(found) is _Engine]


def test_an_icon_outlives_the_theme_it_came_from(qapp):
    theme = Theme("light")
    theme.icon("mdi6.close")
    theme.icon("mdi6.refresh").pixmap(16, 16)
    known = len(engines())
    del theme
    gc.collect()
    left = engines()
    assert len(left) == known
    assert all(hasattr(engine, "_token") for engine in left), "the collector has begun to take an engine apart"
