import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention import flex_attention

from dataengine.trainer.attention import (
    EPSILON,
    attend_blocks,
    attend_packed,
    attend_padded,
    block_diagonal,
    turned_norm,
)
from dataengine.trainer.rope import rotate, rotation

HEADS, CHANNELS = 2, 16


def streams(text: int, image: int, seed: int = 0, batch: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(batch, length, HEADS, CHANNELS, generator=generator) for length in (text, image))


def samples_of(lengths: tuple[int, ...]) -> torch.Tensor:
    return torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))


def test_text_and_image_attend_to_both():
    query, key, value = (streams(3, 5, seed) for seed in range(3))
    text, image = attend_padded(query, key, value, None)
    joint = [torch.cat(pair, dim=1)[0].transpose(0, 1) for pair in (query, key, value)]
    weights = torch.softmax(joint[0] @ joint[1].transpose(1, 2) / CHANNELS**0.5, dim=-1)
    expected = (weights @ joint[2]).transpose(0, 1)[None]
    torch.testing.assert_close(torch.cat([text, image], dim=1), expected)


@pytest.mark.parametrize(("texts", "images"), [((3, 1, 4), (5, 6, 2)), ((100, 30, 2), (130, 100, 256))])
def test_packed_samples_attend_to_themselves_alone_in_one_pass_or_in_blocks(texts, images, monkeypatch):
    query, key, value = (streams(sum(texts), sum(images), seed) for seed in range(3))
    text, image = attend_packed(query, key, value, texts, images)
    for index, (own_text, own_image) in enumerate(zip(text.split(texts, 1), image.split(images, 1), strict=True)):
        alone = [(t.split(texts, 1)[index], i.split(images, 1)[index]) for t, i in (query, key, value)]
        expected_text, expected_image = attend_padded(*alone, None)
        torch.testing.assert_close(own_text, expected_text)
        torch.testing.assert_close(own_image, expected_image)

    joint = torch.cat([samples_of(texts), samples_of(images)])
    monkeypatch.setattr(flex_attention, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)  # tracing takes seconds
    in_blocks = attend_blocks(query, key, value, block_diagonal(joint, joint))
    of_image = attend_blocks((None, query[1]), key, value, block_diagonal(samples_of(images), joint))
    torch.testing.assert_close(in_blocks, (text, image))
    torch.testing.assert_close(of_image[1], image)


def test_without_text_queries_the_image_gets_the_same():
    query, key, value = (streams(3, 5, seed) for seed in range(3))
    text, image = attend_padded((None, query[1]), key, value, None)
    assert text is None
    torch.testing.assert_close(image, attend_padded(query, key, value, None)[1])
    text, image = attend_packed((None, query[1]), key, value, (1, 2), (3, 2))
    assert text is None
    torch.testing.assert_close(image, attend_packed(query, key, value, (1, 2), (3, 2))[1])


@pytest.mark.parametrize(
    ("texts", "images"), [((5, 9, 2), (12, 12, 12)), ((100, 30, 200), (256, 100, 256)), ((128, 128), (128, 256))]
)
def test_blocks_are_those_of_the_whole_mask_and_full_ones_need_none(texts, images):
    query = samples_of(images)
    key = torch.cat([samples_of(texts), query])
    own = block_diagonal(query, key)
    whole = flex_attention.create_block_mask(
        lambda batch, head, q, k: query[q] == key[k], None, None, len(query), len(key), device="cpu"
    )
    assert own.shape == whole.shape
    assert torch.equal(own.to_dense(), whole.to_dense())
    assert torch.equal(own.full_kv_num_blocks, whole.full_kv_num_blocks)


def test_norm_and_rotation_in_one_have_the_outputs_and_gradients_of_their_parts():
    x = torch.randn(2, 5, HEADS, CHANNELS, requires_grad=True)
    weight = torch.rand(CHANNELS).add(0.5).requires_grad_()
    turn = rotation(torch.randint(-20, 20, (1, 5, 3)), (4, 6, 6))
    together = turned_norm(x, weight, turn)
    apart = rotate(F.rms_norm(x, (CHANNELS,), weight, EPSILON), turn)
    torch.testing.assert_close(together, apart)
    into = torch.randn_like(x)
    torch.testing.assert_close(
        torch.autograd.grad((together * into).sum(), (x, weight)),
        torch.autograd.grad((apart * into).sum(), (x, weight)),
        rtol=1e-5,
        atol=1e-5,
    )


def test_norm_and_rotation_are_fp32_whatever_comes_in_and_the_gradient_has_its_dtype():
    x = torch.randn(1, 5, HEADS, CHANNELS).bfloat16().requires_grad_()
    weight = torch.ones(CHANNELS, dtype=torch.bfloat16, requires_grad=True)
    turn = rotation(torch.arange(3000, 3005)[None, :, None].expand(1, 5, 3), (4, 6, 6))
    turned = turned_norm(x, weight, turn)
    assert turned.dtype == torch.float32
    torch.testing.assert_close(turned, turned_norm(x.float(), weight.float(), turn))
    gradients = torch.autograd.grad(turned.sum(), (x, weight))
    assert [gradient.dtype for gradient in gradients] == [torch.bfloat16] * 2


@pytest.mark.parametrize("packed", [False, True])
def test_on_the_cpu_the_softmax_is_fp32_under_autocast_and_for_bfloat16(packed):
    query, key = (streams(3, 5, seed) for seed in range(2))
    value = tuple(x.bfloat16() for x in streams(3, 5, 2))

    def attend(*three):
        return attend_packed(*three, (1, 2), (3, 2)) if packed else attend_padded(*three, None)

    exact = attend(query, key, tuple(x.float() for x in value))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = attend(query, key, value)
    torch.testing.assert_close(rounded, tuple(x.bfloat16() for x in exact), rtol=0, atol=0)
