"""Pixels into tokens and back, and the sizes that pictures are trained at.

A token is one patch of pixels, in −1 … 1, or of an autoencoder's latents, its channels in the order channel, row,
column, as the released model packs them.
"""

import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor

Size = tuple[int, int]
"""Height and width."""
Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels."""

_ASPECT = re.compile(r"(\d+)[:x×_-](\d+)")


def patchify(images: Tensor, patch: int) -> Tensor:
    """(B, C, H, W) → (B, H/patch · W/patch, C · patch²), tokens row-major."""
    rows = images.unflatten(2, (-1, patch)).unflatten(4, (-1, patch))  # (B, C, h, p, w, p)
    return rows.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def unpatchify(tokens: Tensor, size: Size, patch: int) -> Tensor:
    """The inverse of `patchify` for pictures of `size`: (B, N, C · patch²) → (B, C, H, W)."""
    grid = tokens.unflatten(1, (size[0] // patch, size[1] // patch)).unflatten(3, (-1, patch, patch))
    return grid.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)


def to_signal(pixels: Tensor) -> Tensor:
    """uint8 pixels in −1 … 1."""
    return pixels.float() / 127.5 - 1


def to_pixels(signal: Tensor) -> Tensor:
    """The inverse of `to_signal`: clamped and rounded to uint8."""
    return ((signal.float() + 1) * 127.5).clamp(0, 255).round().to(torch.uint8)


def parse_aspect(text: str) -> float | None:
    """Width over height from `3:2`, `3x2` or a size such as `768x512`; None when the text is no such thing."""
    match = _ASPECT.fullmatch(text.strip())
    if not match:
        return None
    width, height = map(int, match.groups())
    return width / height if width and height else None


def nearest_aspect(ratio: float, aspects: Sequence[str]) -> str:
    """The bucket whose width over height is nearest by factor; the first of equals."""
    return min(aspects, key=lambda aspect: abs(math.log(ratio / (parse_aspect(aspect) or 1.0))))


def bucket_size(resolution: int, aspect: str, patch: int) -> Size:
    """Height and width of a bucket: about resolution² pixels in that aspect, both sides multiples of the patch."""
    ratio = math.sqrt(parse_aspect(aspect) or 1.0)
    height, width = (max(patch, round(side / patch) * patch) for side in (resolution / ratio, resolution * ratio))
    return height, width


def middle(picture: Size, size: Size) -> Box:
    """The largest part of a picture in the proportions of `size`, from its middle."""
    height, width = picture
    scale = min(height / size[0], width / size[1])
    # rounding may put an edge beyond the picture by a billionth
    left, top = max(0.0, (width - size[1] * scale) / 2), max(0.0, (height - size[0] * scale) / 2)
    return left, top, min(left + size[1] * scale, width), min(top + size[0] * scale, height)
