"""MSRoPE: where a token stands, as three numbers (frame, row, column), and the rotation that tells attention so.

Image tokens are centred: a grid of 5 rows takes −3 … 1, one of 4 takes −2 … 1, so a larger picture extends outwards
from what a smaller one has taught. Text follows on the diagonal: token j stands at m + j on all three axes, where m is
the largest half-side among the sample's images. Further images of a sample (references) differ on the frame axis.

Positions are integers of shape (batch, tokens, 3), so each sample of a batch may have its own images. Rotations are
computed in fp32 and outside the blocks: a table cast to bf16 would blur neighbouring positions.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

THETA = 10_000.0

Grid = tuple[int, int, int]
"""An image as frames, rows and columns of tokens."""
Rotation = Tensor
"""exp(i · angle), complex64 (batch, tokens, 1, head_dim / 2). The complex product takes half the time of its parts."""


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


def rotation(positions: Tensor, axes: Sequence[int], theta: float = THETA) -> Rotation:
    """The angles of each token: axis a gives axes[a] / 2 of them, at frequencies theta^(−2j / axes[a]).

    positions: (batch, tokens, len(axes)) → (batch, tokens, 1, sum(axes) / 2); 1 is for the heads.
    """
    angles = []
    for axis, size in enumerate(axes):
        exponents = torch.arange(0, size, 2, device=positions.device, dtype=torch.float32) / size
        angles.append(positions[..., axis, None].float() / theta**exponents)
    angle = torch.cat(angles, dim=-1).unsqueeze(-2)
    return torch.polar(torch.ones_like(angle), angle)


def rotate(x: Tensor, by: Rotation) -> Tensor:
    """Turn each adjacent pair of channels of x (batch, tokens, heads, head_dim) by its angle, in fp32."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * by).flatten(-2).to(x.dtype)


def _grid_positions(index: int, grid: Grid) -> Tensor:
    frames, rows, columns = grid
    axes = (
        torch.arange(index, index + frames),
        torch.arange(rows) - (rows - rows // 2),
        torch.arange(columns) - (columns - columns // 2),
    )
    return torch.cartesian_prod(*axes)
