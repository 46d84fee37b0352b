"""Strings of characters drawn by lot: words without meaning, so that nothing but their spelling can be learnt.

A hash of the string says whether it is held out, so a set to train on and a set to judge by never share one, however
many are drawn of each.
"""

import hashlib
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, field_validator

from dataengine.config import Config
from dataengine.errors import SampleError

_ONE_IN = 20
_TRIES = 1000
Length = Annotated[int, Field(ge=1, le=64)]


class Strings(Config):
    """`alphabet`: the characters. `length`: from so many to so many, each as often. `part`: all of the strings, those
    to `train` on, or the twentieth that is `held_out`."""

    alphabet: str = Field(min_length=1)
    length: tuple[Length, Length] = (1, 4)
    part: Literal["all", "train", "held_out"] = "all"

    @field_validator("length")
    @classmethod
    def _rising(cls, length: tuple[int, int]) -> tuple[int, int]:
        if length[0] > length[1]:
            raise ValueError("the first must not be above the second")
        return length

    def draw(self, rng: np.random.Generator) -> str:
        """A string of this part. Raises SampleError where the part has next to none."""
        for _ in range(_TRIES):
            places = rng.integers(len(self.alphabet), size=int(rng.integers(self.length[0], self.length[1] + 1)))
            found = "".join(self.alphabet[place] for place in places)
            if self.part == "all" or held_out(found) == (self.part == "held_out"):
                return found
        raise SampleError(f"of {_TRIES} strings of {len(self.alphabet)} characters none is {self.part}")


def held_out(text: str) -> bool:
    """Whether a string is one of the twentieth that nothing is trained on."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") % _ONE_IN == 0
