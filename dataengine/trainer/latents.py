"""Rows of latents, as `encode` writes them, into tensors: bfloat16 without a copy of what is not used.

A row's latent is checked against its own picture's size, against what the model takes, and against its bytes: after a
change of buckets or of the encoder such a file would train nonsense, or fail far from here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from dataengine.errors import SampleError
from dataengine.trainer.datasets import DatasetConfig
from dataengine.trainer.patchify import Size
from dataengine.trainer.shards import Caption, Row


@dataclass(frozen=True)
class Latent:
    """A latent (C, h, w) and the states (T, D) of its caption, None where they are not at rest."""

    values: Tensor
    states: Tensor | None


class Latents:
    """How the rows of one dataset become tensors. `patch` is the pixels a side of a token, `channels` those of latents
    that the model takes; None takes any."""

    def __init__(self, dataset: DatasetConfig, patch: int, channels: int | None) -> None:
        self.dataset, self.patch, self.channels = dataset, patch, channels

    def size(self, row: Row) -> Size:
        """Height and width in pixels. Raises SampleError for a latent that is missing, or of the wrong shape."""
        latent = row.scalar("latent")
        height, width = row["height"], row["width"]
        if not latent.is_valid or not latent["values"].is_valid or not height or not width:
            raise SampleError("no latent")
        shape = latent["shape"].as_py() or []
        if len(shape) != 3 or not _fits(latent["values"], shape):
            raise SampleError(f"a latent of shape {shape} in {latent['values'].as_buffer().size} bytes of bfloat16")
        channels, rows, columns = shape
        factor = height // rows
        if (rows * factor, columns * factor) != (height, width) or height % self.patch or width % self.patch:
            raise SampleError(
                f"a latent of {rows} × {columns} for {height} × {width} pixels, in tokens of {self.patch}"
            )
        if self.channels not in (None, channels):
            raise SampleError(f"a latent of {channels} channels, where the model takes {self.channels}")
        return height, width

    def captions(self, row: Row) -> list[tuple[Caption, float]]:
        """The captions that a row has, each with its weight."""
        weights = self.dataset.captions
        variants = row.scalar("captions").values if row.scalar("captions").is_valid else ()
        found = [(variant["name"].as_py(), variant["caption"].as_py(), at) for at, variant in enumerate(variants)]
        return [((caption, at), weights[name]) for name, caption, at in found if caption and name in weights]

    def load(self, row: Row, size: Size, variant: int | None) -> Latent:
        """The latent, and the states of one of the row's captions. Raises SampleError for states of the wrong shape."""
        latent = row.scalar("latent")
        values = _bfloat16(latent["values"], latent["shape"].as_py())
        caption = None if variant is None else row.scalar("captions").values[variant]
        if caption is None or not caption["states"].is_valid:
            return Latent(values, None)
        shape, states = caption["shape"].as_py() or [], caption["states"]
        if len(shape) != 2 or not _fits(states, shape):
            raise SampleError(f"caption states of shape {shape} in {states.as_buffer().size} bytes of bfloat16")
        return Latent(values, _bfloat16(states, shape))


def _fits(values: pa.Scalar, shape: Sequence[int]) -> bool:
    """Whether so many bytes are a tensor of that shape, and one that has any value at all."""
    return values.as_buffer().size == 2 * int(np.prod(shape)) > 0


def _bfloat16(values: pa.Scalar, shape: Sequence[int]) -> Tensor:
    """A copy: a view would keep the whole row group in memory for as long as the row waits."""
    copied = np.frombuffer(values.as_buffer(), np.int16).copy()
    return torch.from_numpy(copied).view(torch.bfloat16).reshape(*shape)
