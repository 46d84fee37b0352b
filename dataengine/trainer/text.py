"""The embedded condition encoder: a small transformer over the UTF-8 bytes of the caption, trained with the model.

It needs no weights, no vocabulary and no network, and it sees how words are spelt, which is what a model that writes
must know; it knows nothing of the world, which a pretrained encoder would. Every script costs its bytes: Latin one a
letter, Cyrillic and Arabic two, Chinese three.

A caption is a start token and its bytes, cut at `max_bytes` on a character's boundary. The empty caption is the start
token alone, and serves as the unconditional prompt of guidance.
"""

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from dataengine.config import Config
from dataengine.trainer.mmdit import RMSNorm
from dataengine.trainer.rope import Rotation, rotate, rotation

START = 256
VOCABULARY = 257  # the bytes, and START; padding is masked and needs no token of its own


class TextConfig(Config):
    """The size of the byte encoder."""

    kind: Literal["bytes"] = "bytes"
    width: int = Field(128, ge=2)  # channels of a state, which the transformer reads
    layers: int = Field(2, ge=0)
    heads: int = Field(4, ge=1)
    max_bytes: int = Field(256, ge=1)  # of a caption; the rest is cut off

    @property
    def channels(self) -> int:
        return self.width

    @model_validator(mode="after")
    def _divisible(self) -> "TextConfig":
        if self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} must be a multiple of 2 × heads, which is {2 * self.heads}")
        return self


class ByteEncoder(nn.Module):
    """Captions into states, and a mask of those that are real."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.max_bytes = config.max_bytes
        self.head_channels = config.width // config.heads
        self.embedding = nn.Embedding(VOCABULARY, config.width)
        self.layers = nn.ModuleList(EncoderLayer(config.width, config.heads) for _ in range(config.layers))
        self.norm = RMSNorm(config.width)
        self.initialise()

    def initialise(self) -> None:
        """Every weight anew."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                module.reset_parameters()
            elif isinstance(module, RMSNorm):
                nn.init.ones_(module.weight)
        nn.init.normal_(self.embedding.weight)  # as large as what the layers add, so that bytes stay recognisable

    def forward(self, captions: Sequence[str]) -> tuple[Tensor, Tensor | None]:
        """States (B, T, width), and mask (B, T); the mask is None when all captions are equally long."""
        tokens, mask = tokenize(captions, self.max_bytes)
        tokens = tokens.to(self.embedding.weight.device)
        mask = None if mask.all() else mask.to(tokens.device)
        positions = torch.arange(tokens.shape[1], device=tokens.device)[None, :, None]
        turn = rotation(positions, (self.head_channels,))
        states = self.embedding(tokens)
        for layer in self.layers:
            states = layer(states, turn, mask)
        return self.norm(states), mask


class EncoderLayer(nn.Module):
    """A pre-norm transformer layer that looks both ways."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = RMSNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.mlp_norm = RMSNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, states: Tensor, turn: Rotation, mask: Tensor | None) -> Tensor:
        query, key, value = self.qkv(self.attention_norm(states)).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        mixed = F.scaled_dot_product_attention(
            rotate(query, turn).transpose(1, 2),
            rotate(key, turn).transpose(1, 2),
            value.transpose(1, 2),
            attn_mask=None if mask is None else mask[:, None, None, :],
        )
        states = states + self.out(mixed.transpose(1, 2).flatten(-2))
        return states + self.mlp(self.mlp_norm(states))


def tokenize(captions: Sequence[str], max_bytes: int) -> tuple[Tensor, Tensor]:
    """Tokens (B, T) as int64, padded by 0 at the end, and the mask (B, T) of real ones."""
    rows = [torch.tensor([START, *clipped_bytes(caption, max_bytes)]) for caption in captions]
    lengths = torch.tensor([len(row) for row in rows])
    tokens = nn.utils.rnn.pad_sequence(rows, batch_first=True)
    return tokens, torch.arange(tokens.shape[1])[None, :] < lengths[:, None]


def clipped_bytes(caption: str, limit: int) -> bytes:
    """UTF-8, at most `limit` bytes, never ending within a character."""
    encoded = caption.encode("utf-8", errors="replace")
    return encoded[:limit].decode("utf-8", errors="ignore").encode("utf-8")
