"""The transformer in named sizes, from one that learns on a laptop to the released one.

`transformer: 300M` in a configuration is one of these; three numbers of one's own do as well. A name is the count of
parameters: 36 · width² a block, and what stands before and behind the blocks, which depends on the channels of tokens
and text. From 300M on a head has the released model's 128 channels, turned by the same axes.
"""

from typing import Annotated, Any

from pydantic import BeforeValidator

from dataengine.config import suggest
from dataengine.trainer.mmdit import MMDiTConfig

RELEASED_AXES = (16, 56, 56)

SIZES = {
    "nano": MMDiTConfig(layers=4, heads=4, axes=(4, 14, 14)),  # width 128, 2.5 M: the proof on two cores
    "50M": MMDiTConfig(layers=9, heads=6, axes=(8, 28, 28)),  # width 384
    "300M": MMDiTConfig(layers=14, heads=6, axes=RELEASED_AXES),  # width 768
    "1B": MMDiTConfig(layers=17, heads=10, axes=RELEASED_AXES),  # width 1280
    "3B": MMDiTConfig(layers=20, heads=16, axes=RELEASED_AXES),  # width 2048
    "20B": MMDiTConfig(layers=60, heads=24, axes=RELEASED_AXES),  # width 3072: Qwen-Image as released
}


def named(size: Any) -> Any:
    """The configuration of a name in SIZES; anything else as it is. Raises ValueError for an unknown name."""
    if not isinstance(size, str):
        return size
    if size not in SIZES:
        raise ValueError(f"no such size{suggest(size, list(SIZES))}; or give layers, heads and axes")
    return SIZES[size]


Transformer = Annotated[MMDiTConfig, BeforeValidator(named)]
"""In a configuration: a name in SIZES, or `layers`, `heads` and `axes`."""
