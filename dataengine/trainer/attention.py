"""Joint attention of text and image tokens: norm and rotation of queries and keys, and the softmax over one's sample.

A batch comes padded, with a mask over keys, or packed, all samples' tokens in a row, where each attends to its own
sample only: sample by sample on the CPU, by flex attention's block-diagonal kernel on CUDA. All three agree.

Queries and keys stay in fp32 from their norm through the rotation. On the CPU the softmax is fp32 too: its kernel for
bfloat16 takes as long at best, and three times as long where samples are short.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from dataengine.trainer.rope import Rotation, rotate

if TYPE_CHECKING:
    from torch.nn.attention.flex_attention import BlockMask

EPSILON = 1e-6
BLOCK = 128  # tokens a side of the blocks that flex attention skips or fills

Streams = tuple[Tensor | None, Tensor]
"""Text (B, T, heads, channels) and image (B, N, heads, channels). Text is None among queries when no one reads what
it would get."""


def attend_padded(query: Streams, key: Streams, value: Streams, key_mask: Tensor | None) -> Streams:
    """key_mask (B, 1, 1, T + N) is True where a key is real; None says that all are, and takes the fastest kernel."""
    dtype = value[1].dtype
    with torch.autocast("cpu", enabled=False):
        mixed = _softmax(*_in_arithmetic(query, key, value), key_mask)
    return _cast(mixed, dtype)


def attend_packed(
    query: Streams, key: Streams, value: Streams, text_lengths: Sequence[int], image_lengths: Sequence[int]
) -> Streams:
    """Streams of batch size 1, whose tokens are those of the samples one after another; one softmax a sample."""
    dtype = value[1].dtype
    query, key, value = (
        _samples(streams, text_lengths, image_lengths) for streams in _in_arithmetic(query, key, value)
    )
    with torch.autocast("cpu", enabled=False):
        mixed = [_softmax(*sample) for sample in zip(query, key, value, strict=True)]
    text = None if mixed[0][0] is None else torch.cat([text for text, _ in mixed], dim=1)
    return _cast((text, torch.cat([image for _, image in mixed], dim=1)), dtype)


def attend_blocks(query: Streams, key: Streams, value: Streams, mask: "BlockMask") -> Streams:
    """The same by one kernel that skips the blocks between samples. It has to be compiled to be one."""
    from torch.nn.attention.flex_attention import flex_attention

    eager = value[1].is_cuda and not torch.compiler.is_compiling()
    kernel = _compiled(flex_attention) if eager else flex_attention
    streams = _in_arithmetic(query, key, value)
    mixed = kernel(*(_joint(each).transpose(1, 2) for each in streams), block_mask=mask)
    return _cast(_apart(mixed.transpose(1, 2), query), value[1].dtype)


def block_diagonal(query_samples: Tensor, key_samples: Tensor) -> "BlockMask":
    """Which blocks of queries and keys have a sample in common, from the sample of each token.

    Worked out on blocks instead of tokens: of 64 × 1,024 tokens the full mask would take 4 GiB.
    """
    from torch.nn.attention.flex_attention import BlockMask

    query_first, query_last = _spans(query_samples)
    key_first, key_last = _spans(key_samples)
    touching = (query_first[:, None] <= key_last) & (key_first <= query_last[:, None])
    equal = (query_first == query_last)[:, None] & (key_first == key_last) & (query_first[:, None] == key_first)
    if len(query_samples) % BLOCK:
        equal[-1] = False  # a block that ends beyond the tokens is never full
    if len(key_samples) % BLOCK:
        equal[:, -1] = False

    def same_sample(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return query_samples[query] == key_samples[key]

    return BlockMask.from_kv_blocks(
        *_listed(touching & ~equal),
        *_listed(equal),
        BLOCK_SIZE=BLOCK,
        mask_mod=same_sample,
        seq_lengths=(len(query_samples), len(key_samples)),
    )


def turned_norm(x: Tensor, weight: Tensor, turn: Rotation) -> Tensor:
    """RMS norm over the channels of each head, its learned scale, and the rotation, in fp32.

    x (B, L, heads, channels), weight (channels,), turn (B or 1, L, 1, channels / 2, 2). Outside of a compiler it is one
    operation with a gradient of its own, which keeps x and a number a head where the parts would keep four copies of x.
    """
    if torch.compiler.is_compiling():
        return rotate(F.rms_norm(x.float(), weight.shape, weight.float(), EPSILON), turn)
    return _TurnedNorm.apply(x, weight, turn)


class _TurnedNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, turn: Rotation) -> Tensor:
        mean_square = torch.linalg.vector_norm(x, dim=-1, keepdim=True, dtype=torch.float32).square_() / x.shape[-1]
        inverse = torch.rsqrt_(mean_square + EPSILON)
        ctx.save_for_backward(x, weight, turn, inverse)
        normed = x * inverse
        normed *= weight
        _pairs(normed).mul_(torch.view_as_complex(turn))
        return normed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, turn, inverse = ctx.saved_tensors
        back = torch.view_as_real(_pairs(gradient) * torch.view_as_complex(turn).conj()).flatten(-2)
        normed = x * inverse
        product = back * normed
        weight_gradient = product.sum(dim=(0, 1, 2))
        along = product.mul_(weight).mean(dim=-1, keepdim=True)
        back *= weight
        back.addcmul_(normed, along, value=-1)
        back *= inverse
        return back.to(x.dtype), weight_gradient.to(weight.dtype), None


def _pairs(x: Tensor) -> Tensor:
    """Adjacent channels as complex numbers, in the same memory; a copy only of what is broadcast or transposed."""
    x = x if x.stride(-1) == 1 else x.contiguous()
    return torch.view_as_complex(x.unflatten(-1, (-1, 2)))


def _in_arithmetic(query: Streams, key: Streams, value: Streams) -> tuple[Streams, Streams, Streams]:
    """In the dtype of the softmax."""
    dtype = torch.float32 if value[1].device.type == "cpu" else value[1].dtype
    return _cast(query, dtype), _cast(key, dtype), _cast(value, dtype)


def _cast(streams: Streams, dtype: torch.dtype) -> Streams:
    text, image = streams
    return None if text is None else text.to(dtype), image.to(dtype)


def _softmax(query: Streams, key: Streams, value: Streams, key_mask: Tensor | None = None) -> Streams:
    mixed = F.scaled_dot_product_attention(
        *(_joint(streams).transpose(1, 2) for streams in (query, key, value)), attn_mask=key_mask
    )
    return _apart(mixed.transpose(1, 2), query)


def _samples(streams: Streams, text_lengths: Sequence[int], image_lengths: Sequence[int]) -> list[Streams]:
    """The streams of each sample of a packed batch."""
    text, image = streams
    images = image.split(list(image_lengths), dim=1)
    texts = [None] * len(images) if text is None else text.split(list(text_lengths), dim=1)
    return list(zip(texts, images, strict=True))


def _joint(streams: Streams) -> Tensor:
    text, image = streams
    return image if text is None else torch.cat([text, image], dim=1)


def _apart(mixed: Tensor, like: Streams) -> Streams:
    if like[0] is None:
        return None, mixed
    text, image = mixed.split([like[0].shape[1], like[1].shape[1]], dim=1)
    return text, image


def _spans(samples: Tensor) -> tuple[Tensor, Tensor]:
    """The lowest and the highest sample in each block of tokens."""
    whole = F.pad(samples, (0, -len(samples) % BLOCK), value=-1).view(-1, BLOCK)
    last = whole.amax(dim=-1)
    return torch.where(whole < 0, last[:, None], whole).amin(dim=-1), last


def _listed(blocks: Tensor) -> tuple[Tensor, Tensor]:
    """How many blocks each row has, and which, those first; as BlockMask wants them: for one batch, one head."""
    counts = blocks.sum(dim=-1, dtype=torch.int32)
    order = blocks.to(torch.int32).argsort(dim=-1, descending=True, stable=True).to(torch.int32)
    return counts[None, None], order[None, None]


@cache
def _compiled(kernel: Any) -> Any:
    return torch.compile(kernel, dynamic=True)
