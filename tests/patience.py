"""How long tests wait for what must come. A busy machine, or a first import from a cold disk, is no failure."""

PATIENCE_S = 240.0
