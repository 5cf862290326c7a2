"""What panels may read of dropped files. Read in the window: they lie on its machine, which may not be the engine's."""

from studio.library.recipe import read_recipe, text_of

__all__ = ["read_recipe", "text_of"]
