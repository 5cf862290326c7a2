"""Settings of the chain to begin with, by name. Imports no torch."""

from typing import Any

from .stages import TRANSFORMERS_ORDER

STORIES: dict[str, Any] = {"temperature": 1.0, "top_k": 0, "min_p": 0.05, "dry_multiplier": 0.8}

PRESETS: dict[str, dict[str, Any]] = {
    "Facts, code": {"temperature": 0.2, "top_p": 0.9},
    "Stories": STORIES,
    "Surprises": {**STORIES, "xtc_probability": 0.5},
    "As llama.cpp comes": {"temperature": 0.8, "top_k": 40, "top_p": 0.95, "min_p": 0.05},
    "As transformers comes": {"temperature": 1.0, "top_k": 50, "order": list(TRANSFORMERS_ORDER)},
}
"""What differs from the defaults; all other sampling fields are at theirs."""
