"""How the model is run, whatever it writes: guesses ahead, compilation, memory. Imports no torch.

Owns EngineParams, a mixin of every operation that writes, and what these settings do to the memory.
"""

from typing import Annotated, Literal

from pydantic import Field

from studio.sdk.params import Density, Params, Ui

BITS = {"exact": 0, "8 bit": 8, "4 bit": 4}
PACKED = {"int8": 1.0, "int4": 0.5}
"""Bytes of a weight in a linear layer."""

GROUPED = 32
"""So many keys or values share two numbers of full width."""


class EngineParams(Params):
    """None of these but the last two changes a text."""

    guess: Annotated[Literal["off", "lookup", "draft model"], Ui(group="Speed", density=Density.EXPERT)] = Field(
        default="off",
        title="Guess ahead",
        description="Try several tokens a step: those that followed the same words before (lookup), or those that a "
        "smaller model proposes. The text is the same; it comes faster where the guesses are good.",
    )
    draft: Annotated[
        str,
        Ui(
            widget="model",
            group="Speed",
            density=Density.EXPERT,
            choices_from="hub:text-generation",
            visible_when=("guess", "draft model"),
        ),
    ] = Field(
        default="", title="Draft model", description="A smaller model with the same vocabulary, which guesses ahead."
    )
    compiled: Annotated[bool, Ui(group="Speed", density=Density.EXPERT)] = Field(
        default=False,
        title="Compile",
        description="Compile the model's step: the first text of a size waits for it, often a minute and longer on a "
        "processor; those after it are written faster.",
    )
    kv_cache: Annotated[Literal["exact", "8 bit", "4 bit"], Ui(group="Memory", density=Density.EXPERT)] = Field(
        default="exact",
        title="Keys and values",
        description="What the model keeps of every token, rounded: 8 bit is hardly to be noticed, 4 bit is; a long "
        "context takes a half or a quarter.",
    )
    weights: Annotated[Literal["as stored", "int8", "int4"], Ui(group="Memory", density=Density.EXPERT)] = Field(
        default="as stored",
        description="Load the weights in fewer bits, by bitsandbytes or torchao: less memory, a little less exact.",
    )

    def kv_bits(self) -> int:
        return BITS[self.kv_cache]

    def kv_share(self, width: int) -> float:
        """How much the rounded cache takes of an exact one. width: bytes of an exact number."""
        bits = self.kv_bits()
        return (bits / 8 + 2 * width / GROUPED) / width if bits else 1.0

    def packed_bytes(self, parameters: int, embedded: int, width: int) -> int:
        """Bytes of the weights. parameters: all of them; embedded: those of the embeddings, which stay as they are."""
        if self.weights == "as stored":
            return parameters * width
        linear = max(0, parameters - embedded)
        return int(linear * PACKED[self.weights] + min(embedded, parameters) * width)
