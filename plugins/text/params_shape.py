"""Settings of the stages that look at the present scores alone: temperature, cuts, XTC, mirostat. Imports no torch.

Owns ShapeParams, and the hints that every sampling field is shown by. Each field says at which value it does nothing.
"""

from typing import Annotated, Any

from pydantic import Field

from studio.sdk.params import Density, Params, Ui


def slider(group: str, low: float, high: float, step: float = 0.01, density: Density = Density.EXPERT) -> Ui:
    """A slider; low and high are the range that the handle covers."""
    return Ui(group=group, density=density, widget="slider", step=step, soft_min=low, soft_max=high)


def expert(group: str, **rest: Any) -> Ui:
    return Ui(group=group, density=Density.EXPERT, **rest)


class ShapeParams(Params):
    """How the scores of one moment become chances."""

    temperature: Annotated[float, slider("Sampling", 0, 2, 0.05, Density.SIMPLE)] = Field(
        default=0.8, ge=0, le=5, description="Low is predictable, high surprises; 0 always takes the likeliest token."
    )
    top_p: Annotated[float, slider("Sampling", 0, 1, 0.01, Density.SIMPLE)] = Field(
        default=1.0,
        gt=0,
        le=1,
        title="Top-p",
        description="Choose among the likeliest tokens that together have this probability; 1 is off.",
    )
    top_k: Annotated[int, expert("Sampling", soft_min=0, soft_max=200)] = Field(
        default=40, ge=0, le=1000, title="Top-k", description="Choose among this many likeliest tokens; 0 is off."
    )
    min_p: Annotated[float, slider("Sampling", 0, 1)] = Field(
        default=0.0,
        ge=0,
        le=1,
        title="Min-p",
        description="Leave out tokens less likely than this share of the likeliest one; 0 is off.",
    )
    typical_p: Annotated[float, slider("Sampling", 0, 1)] = Field(
        default=1.0,
        gt=0,
        le=1,
        title="Typical-p",
        description="Prefer tokens about as surprising as the model expects on average; 1 is off.",
    )
    top_n_sigma: Annotated[float, slider("Sampling", 0, 5, 0.1)] = Field(
        default=0.0,
        ge=0,
        le=20,
        title="Top-n-sigma",
        description="Leave out tokens whose score is more than this many standard deviations below the best; 0 is off.",
    )
    dynamic_range: Annotated[float, slider("Dynamic temperature", 0, 2, 0.05)] = Field(
        default=0.0,
        ge=0,
        le=5,
        title="Range",
        description="The temperature is lower by this where the model is sure and higher by it where it is not; "
        "0 is off.",
    )
    dynamic_exponent: Annotated[float, slider("Dynamic temperature", 0.1, 3, 0.1)] = Field(
        default=1.0,
        ge=0.01,
        le=10,
        title="Exponent",
        description="Above 1 the temperature rises late, only where the model is very unsure.",
    )
    xtc_probability: Annotated[float, slider("Exclude top choices", 0, 1, 0.05)] = Field(
        default=0.0,
        ge=0,
        le=1,
        title="XTC chance",
        description="How often the likeliest tokens are left out, so that an unusual one is taken; 0 is off.",
    )
    xtc_threshold: Annotated[float, slider("Exclude top choices", 0, 0.5)] = Field(
        default=0.1,
        ge=0,
        le=1,
        title="XTC threshold",
        description="Of the tokens at least this likely only the least likely one stays; above 0.5 there are no two.",
    )
    mirostat_tau: Annotated[float, slider("Mirostat 2", 0, 10, 0.1)] = Field(
        default=0.0,
        ge=0,
        le=20,
        title="Mirostat surprise",
        description="Cuts unlikely tokens so that the text surprises by this many bits a token on average; 0 is off.",
    )
    mirostat_eta: Annotated[float, slider("Mirostat 2", 0, 1)] = Field(
        default=0.1, gt=0, le=1, title="Mirostat rate", description="How fast it learns from what was chosen."
    )
