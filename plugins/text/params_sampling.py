"""The settings of the sampler chain, shared by every operation that writes text. Imports no torch.

Owns SamplingParams: a mixin of fields, one family of stages a group, and what can be said about them without a model.
"""

import json
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from studio.sdk.params import Item

from .params_repetition import RepetitionParams
from .params_shape import ShapeParams, expert, slider
from .stages import DEFAULT_ORDER, StageName, order_problem

BAN = -100.0
"""A bias as low as this forbids the token, as in OpenAI's interface."""


class Structure(StrEnum):
    """What the written text must be."""

    FREE = "free"
    JSON_SCHEMA = "json-schema"
    REGEX = "regex"
    LARK = "lark"


class Bias(Item):
    """One token made likelier or less likely."""

    token: str = Field(
        default="",
        min_length=1,
        max_length=200,
        description=r"A text that is exactly one token (often with the space before it), or its number after #: #42. "
        r"\n is a line break.",
    )
    bias: Annotated[float, slider("", -10, 10, 0.5)] = Field(
        default=BAN, ge=BAN, le=100, description="Added to the token's score; -100 forbids it."
    )


class SamplingParams(RepetitionParams, ShapeParams):
    """How the next token is chosen."""

    guidance: Annotated[float, slider("Guidance", 0, 5, 0.1)] = Field(
        default=1.0,
        ge=0,
        le=20,
        description="Above 1 the text is led away from what the negative prompt alone would give, at twice the time; "
        "1 is off.",
    )
    negative_prompt: Annotated[str, expert("Guidance", widget="text")] = Field(
        default="", description="What guidance leads away from; empty is the last token of the prompt alone."
    )
    logit_bias: Annotated[list[Bias], expert("Tokens")] = Field(
        default_factory=list, max_length=300, title="Bias", description="Tokens made likelier or forbidden."
    )
    structure: Annotated[Structure, expert("Structure")] = Field(
        default=Structure.FREE,
        description="What the written text must be: anything, JSON of a schema, or what a regular expression or a "
        "Lark grammar allows. It ends when that is complete.",
    )
    grammar: Annotated[str, expert("Structure", widget="text")] = Field(
        default="",
        max_length=200_000,
        validate_default=True,
        description="The JSON schema, the regular expression or the Lark grammar.",
    )
    order: Annotated[list[StageName], expert("Chain", widget="lines")] = Field(
        default_factory=lambda: list(DEFAULT_ORDER),
        description="The stages in the order they act; one that is not here is off.",
    )

    @field_validator("order", mode="before")
    @classmethod
    def _is_an_order(cls, order: Any) -> Any:
        if isinstance(order, list | tuple) and (problem := order_problem(order)):
            raise ValueError(problem)
        return order

    @field_validator("grammar")
    @classmethod
    def _is_a_grammar(cls, grammar: str, info: ValidationInfo) -> str:
        structure = info.data.get("structure", Structure.FREE)
        if structure is not Structure.FREE and not grammar.strip():
            raise ValueError(f"the structure is {structure}, and there is none")
        if structure is Structure.JSON_SCHEMA:
            _check_schema(grammar)
        return grammar

    def neutral(self, stage: StageName) -> bool:
        """Whether a stage would change nothing with these settings."""
        match stage:
            case StageName.PENALTIES:
                penalties = (self.repetition_penalty, self.presence_penalty, self.frequency_penalty)
                return penalties == (1, 0, 0)
            case StageName.DRY:
                return self.dry_multiplier == 0
            case StageName.NO_REPEAT:
                return self.no_repeat == 0
            case StageName.BIAS:
                return all(bias.bias == 0 for bias in self.logit_bias)
            case StageName.TOP_N_SIGMA:
                return self.top_n_sigma == 0
            case StageName.TOP_K:
                return self.top_k == 0
            case StageName.TYPICAL_P:
                return self.typical_p == 1
            case StageName.TOP_P:
                return self.top_p == 1
            case StageName.MIN_P:
                return self.min_p == 0
            case StageName.XTC:
                return self.xtc_probability == 0 or self.xtc_threshold > 0.5
            case StageName.TEMPERATURE:
                return self.temperature == 1 and self.dynamic_range == 0
            case StageName.MIROSTAT:
                return self.mirostat_tau == 0

    def working(self) -> list[StageName]:
        """The stages that do something, in their order."""
        return [stage for stage in self.order if not self.neutral(stage)]

    def unheard(self) -> list[StageName]:
        """Stages that are set to do something and are not in the chain."""
        return [stage for stage in StageName if stage not in self.order and not self.neutral(stage)]

    @property
    def greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return self.temperature == 0 and StageName.TEMPERATURE in self.order


def _check_schema(grammar: str) -> None:
    try:
        schema = json.loads(grammar)
    except ValueError as error:
        raise ValueError(f"this is no JSON: {error}") from None
    except RecursionError:
        raise ValueError("this JSON is nested too deeply") from None
    if not isinstance(schema, dict):
        raise ValueError(f"a JSON schema is an object, this is {type(schema).__name__}; {{}} allows any JSON")
