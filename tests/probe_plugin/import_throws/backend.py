"""Throws while it is imported."""

raise RuntimeError("the backend cannot be imported")
