"""MSRoPE: where a token stands, as three numbers (frame, row, column), and the rotation that tells attention so.

Image tokens are centred: a grid of 5 rows takes −3 … 1, one of 4 takes −2 … 1, so a larger picture extends outwards
from what a smaller one has taught. Text follows on the diagonal: token j stands at m + j on all three axes, where m is
the largest half-side among the sample's images. Further images of a sample (references) differ on the frame axis.

Positions are integers of shape (batch, tokens, 3), so each sample of a batch may have its own images. Rotations are
computed in fp32, from the positions, outside of what is compiled, and belong to no module: a table that is cast to bf16
with its model blurs neighbouring positions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

THETA = 10_000.0

Grid = tuple[int, int, int]
"""An image as frames, rows and columns of tokens."""
Rotation = Tensor
"""Cosine and sine of each angle, fp32 (batch, tokens, 1, head_dim / 2, 2); 1 is for the heads."""


def image_positions(grids: Sequence[Grid]) -> Tensor:
    """(tokens, 3) of one sample's images, one after the other, each row-major."""
    return torch.cat([_grid_positions(index, grid) for index, grid in enumerate(grids)])


def text_positions(grids: Sequence[Grid], length: int) -> Tensor:
    """(length, 3): the diagonal that begins where the largest of the sample's images ends."""
    start = max(max(rows // 2, columns // 2) for _, rows, columns in grids)
    return torch.arange(start, start + length)[:, None].expand(length, 3)


def joint_positions(grids: Sequence[Sequence[Grid]], text_length: int) -> Tensor:
    """(batch, text + image tokens, 3) in the order of joint attention; shorter samples are padded at the end by 0.

    `grids` has one entry a sample: its images. `text_length` is that of the padded batch.
    """
    samples = [torch.cat([text_positions(images, text_length), image_positions(images)]) for images in grids]
    return torch.nn.utils.rnn.pad_sequence(samples, batch_first=True)


def packed_positions(grids: Sequence[Sequence[Grid]], text_lengths: Sequence[int]) -> Tensor:
    """(1, text of all + images of all, 3) of a packed batch; `text_lengths` has one entry a sample."""
    texts = [text_positions(images, length) for images, length in zip(grids, text_lengths, strict=True)]
    return torch.cat([*texts, *(image_positions(images) for images in grids)])[None]


def rotation(positions: Tensor, axes: Sequence[int], theta: float = THETA) -> Rotation:
    """The angles of each token: axis a gives axes[a] / 2 of them, at frequencies theta^(−2j / axes[a]).

    positions: (batch, tokens, len(axes)) → (batch, tokens, 1, sum(axes) / 2, 2).
    """
    angles = []
    for axis, size in enumerate(axes):
        exponents = torch.arange(0, size, 2, device=positions.device, dtype=torch.float32) / size
        angles.append(positions[..., axis, None].float() / theta**exponents)
    angle = torch.cat(angles, dim=-1).unsqueeze(-2)
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


def rotate(x: Tensor, by: Rotation) -> Tensor:
    """Turn each adjacent pair of channels of x (batch, tokens, heads, head_dim) by its angle, in fp32.

    The product of complex numbers takes half the time of its parts, but a compiler makes one kernel of the parts.
    """
    pairs = x.float().unflatten(-1, (-1, 2))
    if torch.compiler.is_compiling():
        (first, second), (cos, sin) = pairs.unbind(-1), by.unbind(-1)
        turned = torch.stack([first * cos - second * sin, first * sin + second * cos], dim=-1)
    else:
        turned = torch.view_as_real(torch.view_as_complex(pairs) * torch.view_as_complex(by))
    return turned.flatten(-2).to(x.dtype)


def _grid_positions(index: int, grid: Grid) -> Tensor:
    frames, rows, columns = grid
    axes = (
        torch.arange(index, index + frames),
        torch.arange(rows) - (rows - rows // 2),
        torch.arange(columns) - (columns - columns // 2),
    )
    return torch.cartesian_prod(*axes)
