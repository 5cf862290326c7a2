"""The painting surface: a picture, a mask over it, a frame around it, regions in it. Loaded when first asked for."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from studio.kit.canvas.bar import CanvasTools
    from studio.kit.canvas.canvas import Canvas

__all__ = ["Canvas", "CanvasTools"]


def __getattr__(name: str) -> Any:
    if name == "Canvas":
        from studio.kit.canvas.canvas import Canvas

        return Canvas
    if name == "CanvasTools":
        from studio.kit.canvas.bar import CanvasTools

        return CanvasTools
    raise AttributeError(name)
