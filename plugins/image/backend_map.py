"""image.map: makes a map for a ControlNet of a picture and saves it as PNG."""

from studio.sdk.artifact import Kind
from studio.sdk.operation import JobContext

from . import maps
from .params_more import Map as Params
from .pictures import read_picture


class Map:
    """The backend of image.map."""

    def run(self, params: Params, ctx: JobContext) -> None:
        ctx.stage(f"Making the {params.map} map")
        picture = read_picture(ctx.input(params.picture))
        made = maps.make(params.map, picture, ctx, reader=params.model, low=params.low, high=params.high)
        ctx.note(width=made.width, height=made.height)
        ctx.step(1, 1)
        ctx.save_file(".png", Kind.IMAGE, lambda path: made.save(path, "PNG"), media="image/png")
