"""Settings of the stages that look back at what was written: penalties, DRY, no-repeat. Imports no torch."""

from typing import Annotated

from pydantic import Field, field_validator

from studio.sdk.params import Params

from .escapes import unescape
from .params_shape import expert, slider

BREAKERS = [r"\n", ":", '"', "*"]


class RepetitionParams(Params):
    """What is held against a token that occurred before."""

    repetition_penalty: Annotated[float, slider("Penalties", 1, 1.5)] = Field(
        default=1.0,
        ge=0.5,
        le=3,
        description="Above 1, tokens that occurred become less likely, however often they did; 1 is off.",
    )
    presence_penalty: Annotated[float, slider("Penalties", -2, 2, 0.05)] = Field(
        default=0.0, ge=-5, le=5, description="Taken off the score of every token that occurred; 0 is off."
    )
    frequency_penalty: Annotated[float, slider("Penalties", -2, 2, 0.05)] = Field(
        default=0.0, ge=-5, le=5, description="Taken off a token's score as often as it occurred; 0 is off."
    )
    penalty_window: Annotated[int, expert("Penalties", unit="tokens", soft_max=2048, zero="all")] = Field(
        default=0, ge=0, le=1_000_000, description="These three penalties count only this many last tokens; 0 is all."
    )
    penalise_prompt: Annotated[bool, expert("Penalties")] = Field(
        default=True,
        description="They count the prompt's tokens as well, as llama.cpp does; off, only what was written, as OpenAI "
        "does.",
    )
    dry_multiplier: Annotated[float, slider("Repetition", 0, 2, 0.05)] = Field(
        default=0.0,
        ge=0,
        le=20,
        title="DRY strength",
        description="Makes a token less likely that would go on repeating a passage word for word, the longer the "
        "passage the more; 0 is off.",
    )
    dry_base: Annotated[float, slider("Repetition", 1, 3, 0.05)] = Field(
        default=1.75, ge=1, le=8, title="DRY base", description="The penalty grows by this factor with each token."
    )
    dry_length: Annotated[int, expert("Repetition", unit="tokens", soft_min=1, soft_max=20)] = Field(
        default=2, ge=1, le=1000, title="DRY length", description="Repeats shorter than this cost nothing."
    )
    dry_window: Annotated[int, expert("Repetition", unit="tokens", soft_max=4096, zero="all")] = Field(
        default=0, ge=0, le=1_000_000, title="DRY window", description="Look for repeats in this many last tokens."
    )
    dry_breakers: Annotated[list[str], expert("Repetition", widget="lines")] = Field(
        default_factory=lambda: list(BREAKERS),
        max_length=64,
        title="DRY breakers",
        description=r"No repeat reaches across a token that holds one of these texts; \n is a line break.",
    )
    no_repeat: Annotated[int, expert("Repetition", unit="tokens", soft_max=10)] = Field(
        default=0,
        ge=0,
        le=100,
        title="No-repeat n-gram",
        description="No run of this many tokens of prompt and text occurs a second time; 0 is off.",
    )

    @field_validator("dry_breakers")
    @classmethod
    def _breakers_are_texts(cls, breakers: list[str]) -> list[str]:
        if not all(breakers):
            raise ValueError("a text that breaks repeats may not be empty")
        return breakers

    def breakers(self) -> tuple[str, ...]:
        """The DRY breakers as the model would write them, escapes resolved."""
        return tuple(unescape(text) for text in self.dry_breakers)
