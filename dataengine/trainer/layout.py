"""How the samples of a batch lie side by side: padded to the longest, or packed without gaps.

A padded batch has a row a sample and a mask; whatever fills a row up is computed and thrown away. A packed batch has
one row with all samples' tokens, and `Lengths` says where each ends; nothing is wasted, but attention works sample by
sample, and modulations are copied to every token. What that costs is about the work of 16 tokens a sample, at widths
128 and 384, 64 to 264 tokens, batches of 8 to 64, in fp32 and bfloat16 alike (`python benchmarks/trainer.py layouts`,
on the CPU); hence the rule, `Lengths.pays_to_pack`.

The two layouts are all that the blocks know of it: what a sample's timestep does is spread over its tokens, and tokens
attend to those of their sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from dataengine.trainer.attention import Streams, attend_blocks, attend_packed, attend_padded, block_diagonal

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

WASTE = 16  # tokens a sample of padding, from which on packing is faster


@dataclass(frozen=True)
class Lengths:
    """Tokens of each sample of a batch, in both streams."""

    text: tuple[int, ...]
    image: tuple[int, ...]

    @property
    def padding(self) -> float:
        """The share of a padded batch's tokens that would be padding."""
        real = sum(self.text) + sum(self.image)
        return 1 - real / self._padded

    @property
    def pays_to_pack(self) -> bool:
        """Whether packed batches are faster than padded ones: they are from so many tokens of padding a sample on."""
        return self.padding * self._padded > WASTE * len(self.text)

    @property
    def _padded(self) -> int:
        return len(self.text) * (max(self.text) + max(self.image))


@dataclass(frozen=True)
class Padded:
    """A row a sample. key_mask (B, 1, 1, T + N) is True where a token is real; None says that all are."""

    key_mask: Tensor | None

    def over_text(self, vectors: Tensor) -> Tensor:
        """(B, channels), one a sample → what broadcasts with text tokens (B, T, channels)."""
        return vectors.unsqueeze(1)

    def over_image(self, vectors: Tensor) -> Tensor:
        """The same for image tokens."""
        return vectors.unsqueeze(1)

    def attend(self, query: Streams, key: Streams, value: Streams) -> Streams:
        return attend_padded(query, key, value, self.key_mask)


@dataclass(frozen=True)
class Packed:
    """One row. Masks of blocks are there on CUDA: for queries of both streams, and of the image alone."""

    lengths: Lengths
    text_samples: Tensor  # (ΣT,) the sample of each token
    image_samples: Tensor  # (ΣN,)
    joint_blocks: "BlockMask | None" = None
    image_blocks: "BlockMask | None" = None

    def over_text(self, vectors: Tensor) -> Tensor:
        """(B, channels), one a sample → (1, ΣT, channels). An embedding's gradient is the fastest sum by sample."""
        return F.embedding(self.text_samples, vectors)[None]

    def over_image(self, vectors: Tensor) -> Tensor:
        return F.embedding(self.image_samples, vectors)[None]

    def attend(self, query: Streams, key: Streams, value: Streams) -> Streams:
        blocks = self.image_blocks if query[0] is None else self.joint_blocks
        if blocks is None:
            return attend_packed(query, key, value, self.lengths.text, self.lengths.image)
        return attend_blocks(query, key, value, blocks)


Layout = Padded | Packed


def padded(image: Tensor, text: Tensor, text_mask: Tensor | None, image_mask: Tensor | None) -> Padded:
    """Of tokens (B, N, …) and (B, T, …) with their masks (B, N) and (B, T), either None where all are real."""
    if text_mask is None and image_mask is None:
        return Padded(None)
    masks = [
        torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device) if mask is None else mask.bool()
        for tokens, mask in ((text, text_mask), (image, image_mask))
    ]
    return Padded(torch.cat(masks, dim=1)[:, None, None, :])


def packed(lengths: Lengths, device: torch.device, blocks: bool | None = None) -> Packed:
    """The layout of a packed batch. `blocks`: attend by flex attention; None is where its kernel is, on CUDA."""
    text, image = (
        torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts)).to(device)
        for counts in (lengths.text, lengths.image)
    )
    if not (device.type == "cuda" if blocks is None else blocks):
        return Packed(lengths, text, image)
    joint = torch.cat([text, image])
    return Packed(lengths, text, image, block_diagonal(joint, joint), block_diagonal(image, joint))


def pack(rows: Sequence[Tensor]) -> Tensor:
    """(length, channels) each → (1, sum of lengths, channels)."""
    return torch.cat(list(rows))[None]


def unpack(tokens: Tensor, counts: Sequence[int]) -> tuple[Tensor, ...]:
    """The inverse of `pack`: one (length, channels) a sample."""
    return tokens[0].split(list(counts))
