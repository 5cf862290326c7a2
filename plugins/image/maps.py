"""Maps for ControlNets, made of a picture: edges, rough lines, depth and poses.

Owns `make` and the arithmetic of edges. Depth and poses are seen by models (maps_seen.py). Pictures are RGB uint8
(H, W, 3); maps are RGB pictures of the same size, as ControlNets were trained on: light lines on black, near is light.
"""

from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from studio.sdk.operation import JobContext

KINDS = ("canny", "depth", "pose", "scribble")
BLUR = 1.0
"""Standard deviation, in pixels, of the blur before edges are looked for."""


def make(
    kind: str, picture: Image.Image, ctx: JobContext, *, reader: str = "", low: int = 100, high: int = 200
) -> Image.Image:
    """The map of `kind`. reader: the model that sees depth or poses. Raises StudioError where there is none."""
    pixels = np.asarray(picture.convert("RGB"))
    if kind == "canny":
        return _drawn(canny(pixels, low, high))
    if kind == "scribble":
        return _drawn(scribble(pixels))
    from . import maps_seen

    return maps_seen.depth(picture, ctx, reader) if kind == "depth" else maps_seen.pose(picture, ctx, reader)


def canny(pixels: np.ndarray[Any, Any], low: float, high: float, blur: float = BLUR) -> np.ndarray[Any, Any]:
    """Edges by J. Canny, "A Computational Approach to Edge Detection", PAMI 8(6), 1986. bool (H, W).

    low, high: thresholds on the gradient's length by Sobel's operator, on brightness from 0 to 255, as OpenCV
    counts them: a step from black to white has 4 * 255 before it is blurred.
    """
    low, high = min(low, high), max(low, high)
    grey = ndimage.gaussian_filter(brightness(pixels), blur, mode="nearest")
    down, right = ndimage.sobel(grey, 0, mode="nearest"), ndimage.sobel(grey, 1, mode="nearest")
    length = np.hypot(down, right)
    thin = length * _is_crest(length, down, right)
    weak = thin > low
    labelled: Any = ndimage.label(weak, structure=np.ones((3, 3)))
    groups, count = labelled
    strong = np.zeros(count + 1, dtype=bool)
    strong[np.unique(groups[thin > high])] = True
    strong[0] = False
    return strong[groups]


def _is_crest(length: np.ndarray[Any, Any], down: Any, right: Any) -> np.ndarray[Any, Any]:
    """Where the gradient is the longest of three pixels along its own direction, to the nearest 45 degrees.

    Of two equal neighbours one is kept: the first.
    """
    sector = np.round(np.arctan2(down, right) / (np.pi / 4)).astype(int) % 4
    edge = np.pad(length, 1)
    high, wide = length.shape
    crest = np.zeros(length.shape, dtype=bool)
    for number, (y, x) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        after = edge[1 + y : 1 + y + high, 1 + x : 1 + x + wide]
        before = edge[1 - y : 1 - y + high, 1 - x : 1 - x + wide]
        crest |= (sector == number) & (length >= after) & (length > before)
    return crest


def scribble(pixels: np.ndarray[Any, Any], *, fine: float = 1.0, wider: float = 4.0) -> np.ndarray[Any, Any]:
    """Thick rough lines, as drawn with a felt pen: a difference of Gaussians, thresholded and thickened. bool (H, W).

    D = G(fine) - tau G(fine * wider), lines where D < epsilon: H. Winnemöller et al., "XDoG: An eXtended
    difference-of-Gaussians compendium", Computers & Graphics 36(6), 2012, equations 3 and 5 with a hard edge.
    fine is given for a picture of 512 pixels and grows with it.
    """
    tau, epsilon = 0.98, -0.5 / 255
    grey = brightness(pixels) / 255
    sigma = fine * max(1.0, min(grey.shape) / 512)
    response = ndimage.gaussian_filter(grey, sigma, mode="nearest") - tau * ndimage.gaussian_filter(
        grey, sigma * wider, mode="nearest"
    )
    lines = ndimage.binary_opening(response < epsilon - 0.01, structure=np.ones((2, 2)))
    return ndimage.binary_dilation(lines, iterations=max(1, round(sigma)))


def brightness(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """ITU-R BT.601 luma, float (H, W) from 0 to 255."""
    return pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)


def _drawn(lines: np.ndarray[Any, Any]) -> Image.Image:
    return Image.fromarray(np.where(lines, 255, 0).astype(np.uint8)).convert("RGB")
