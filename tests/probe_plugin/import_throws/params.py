"""Throws while it is imported."""

raise RuntimeError("the params cannot be imported")
