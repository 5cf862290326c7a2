"""What short_memory.limit is told."""

from studio.sdk.params import Params


class Limit(Params):
    """Cells are those of a latent picture, times the pictures that are computed together; 0: no limit."""

    denoise_cells: int = 0
    decode_cells: int = 0
    seconds_a_step: float = 0.0
