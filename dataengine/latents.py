"""Values of latents and text states at rest: bfloat16, row-major, with their shapes beside them.

Between the producer (`stages.encode`) and the trainer; the columns are those of `schema.LATENTS`. bfloat16 halves what
float32 takes and keeps its range; a latent, which is about normal, loses less than the noise that training adds to it.
Pixels pass it unharmed: 256 levels in −1 … 1 are farther apart than its steps.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from dataengine.errors import SampleError

EMPTY = b"dataengine.empty_caption"
"""The key of a file's metadata under which the states of the empty caption stand."""


def to_bytes(values: Tensor) -> bytes:
    """The values as they stand at rest."""
    return values.detach().to("cpu", torch.bfloat16).contiguous().view(torch.int16).numpy().tobytes()


def from_bytes(stored: bytes | None, shape: Sequence[int] | None) -> Tensor:
    """bfloat16 of a shape. Raises SampleError when the bytes are not of that many values."""
    if stored is None or shape is None:
        raise SampleError("no values are stored")
    expected = 2 * torch.Size(shape).numel()
    if len(stored) != expected:
        raise SampleError(f"{len(stored):,} bytes, where a shape of {list(shape)} takes {expected:,}")
    if not stored:
        return torch.empty(tuple(shape), dtype=torch.bfloat16)
    return torch.frombuffer(bytearray(stored), dtype=torch.bfloat16).reshape(tuple(shape))  # a copy, to be written to


def empty_note(states: Tensor) -> str:
    """What a file's metadata says of the empty caption: the states (tokens, channels) that guidance starts from."""
    stored = base64.b64encode(to_bytes(states)).decode()
    return json.dumps({"shape": list(states.shape), "states": stored})


def empty_states(metadata: Mapping[bytes, bytes] | None) -> Tensor | None:
    """The inverse of `empty_note`, from a Parquet file's metadata; None where there is none."""
    note: Any = (metadata or {}).get(EMPTY)
    if note is None:
        return None
    told = json.loads(note)
    return from_bytes(base64.b64decode(told["states"]), told["shape"])
