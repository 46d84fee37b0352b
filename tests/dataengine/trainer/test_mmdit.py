"""Numerics: equality with the released model's class, masks, shapes, gradients."""

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from pydantic import ValidationError

from dataengine.trainer.mmdit import MMDiT, MMDiTConfig
from dataengine.trainer.rope import joint_positions

CONFIG = MMDiTConfig(layers=2, heads=4, axes=(4, 14, 14))
CHANNELS, TEXT_CHANNELS = 64, 48

# The last block's text output goes nowhere, so what makes it has no gradient, and what feeds only it a zero one.
WITHOUT_GRADIENT = ("attn.to_add_out", "txt_mlp.")


@pytest.fixture(scope="module")
def released() -> QwenImageTransformer2DModel:
    torch.manual_seed(0)
    return QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=CHANNELS,
        out_channels=16,
        num_layers=CONFIG.layers,
        attention_head_dim=CONFIG.head_channels,
        num_attention_heads=CONFIG.heads,
        joint_attention_dim=TEXT_CHANNELS,
        axes_dims_rope=CONFIG.axes,
    ).eval()


@pytest.fixture(scope="module")
def own(released: QwenImageTransformer2DModel) -> MMDiT:
    model = MMDiT(CONFIG, CHANNELS, TEXT_CHANNELS)
    model.load_state_dict(released.state_dict())  # strict: the names are the same, none is missing, none is left
    return model


def tokens(batch: int, image: int, text: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(image * 100 + text)
    return (
        torch.randn(batch, image, CHANNELS, generator=generator),
        torch.randn(batch, text, TEXT_CHANNELS, generator=generator),
        torch.rand(batch, generator=generator),
    )


@pytest.mark.parametrize(
    ("grids", "lengths"),
    [
        ([(1, 4, 6)], [7, 7]),
        ([(1, 4, 6)], [7, 3]),
        ([(1, 5, 3)], [1, 9]),
        ([(1, 9, 9)], [20, 33]),
        ([(2, 3, 3)], [2, 5]),
        ([(1, 4, 4), (1, 3, 5)], [2, 5]),
        ([(1, 4, 4), (1, 2, 2), (1, 7, 1)], [6, 6]),
    ],
)
@torch.no_grad()
def test_output_equals_that_of_the_released_models_class(own, released, grids, lengths):
    image, text, sigma = tokens(2, sum(f * h * w for f, h, w in grids), max(lengths))
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    theirs = released(
        hidden_states=image,
        encoder_hidden_states=text,
        encoder_hidden_states_mask=mask,
        timestep=sigma,
        img_shapes=[grids] * 2,
        return_dict=False,
    )[0]
    ours = own(image, text, sigma, joint_positions([grids] * 2, max(lengths)), text_mask=mask)
    assert theirs.abs().mean() > 0.1
    assert (ours - theirs).abs().max() < 1e-5


@torch.no_grad()
def test_a_padded_batch_equals_its_samples_one_by_one(own):
    image, text, sigma = tokens(3, 12, 9)
    lengths = [9, 4, 1]
    mask = torch.arange(9)[None] < torch.tensor(lengths)[:, None]
    text[~mask] = 1e3  # whatever stands in the padding
    together = own(image, text, sigma, joint_positions([[(1, 3, 4)]] * 3, 9), text_mask=mask)
    for index, length in enumerate(lengths):
        one = slice(index, index + 1)
        alone = own(image[one], text[one, :length], sigma[one], joint_positions([[(1, 3, 4)]], length))
        torch.testing.assert_close(together[one], alone, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_batch_of_mixed_shapes_equals_its_samples_one_by_one(own):
    grids = [[(1, 4, 6)], [(1, 3, 3)], [(1, 2, 2), (1, 3, 1)]]
    sizes = [24, 9, 7]
    image, text, sigma = tokens(3, 24, 5)
    image_mask = torch.arange(24)[None] < torch.tensor(sizes)[:, None]
    together = own(image, text, sigma, joint_positions(grids, 5), image_mask=image_mask)
    for index, size in enumerate(sizes):
        one = slice(index, index + 1)
        alone = own(image[one, :size], text[one], sigma[one], joint_positions([grids[index]], 5))
        torch.testing.assert_close(together[one, :size], alone, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_positions_of_one_sample_serve_a_batch_of_one_shape(own):
    image, text, sigma = tokens(3, 12, 4)
    each = own(image, text, sigma, joint_positions([[(1, 3, 4)]] * 3, 4))
    torch.testing.assert_close(own(image, text, sigma, joint_positions([[(1, 3, 4)]], 4)), each)


@torch.no_grad()
def test_permuting_image_tokens_with_their_positions_permutes_the_output(own):
    image, text, sigma = tokens(1, 12, 4)
    positions = joint_positions([[(1, 3, 4)]], 4)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    moved = torch.cat([torch.arange(4), 4 + order])
    straight = own(image, text, sigma, positions)
    torch.testing.assert_close(
        own(image[:, order], text, sigma, positions[:, moved]), straight[:, order], rtol=1e-5, atol=1e-5
    )
    assert not torch.allclose(own(image[:, order], text, sigma, positions), straight[:, order], atol=1e-3)


def test_a_fresh_model_predicts_zero_and_learns_from_its_first_step():
    model = MMDiT(CONFIG, CHANNELS, TEXT_CHANNELS)
    image, text, sigma = tokens(2, 12, 4)
    out = model(image, text, sigma, joint_positions([[(1, 3, 4)]], 4))
    assert not out.any()
    (out - image).square().mean().backward()
    assert model.proj_out.weight.grad.any()


def test_every_parameter_gets_a_gradient_but_those_of_the_last_blocks_text_output(released):
    model = MMDiT(CONFIG, CHANNELS, TEXT_CHANNELS)
    model.load_state_dict(released.state_dict())
    image, text, sigma = tokens(2, 12, 4)
    model(image, text, sigma, joint_positions([[(1, 3, 4)]], 4)).square().mean().backward()
    last = f"transformer_blocks.{CONFIG.layers - 1}."
    for name, parameter in model.named_parameters():
        gets_none = name.startswith(last) and name.removeprefix(last).startswith(WITHOUT_GRADIENT)
        feeds_only_text_out = name.startswith(last) and ("add_q_proj" in name or "norm_added_q" in name)
        if gets_none:
            assert parameter.grad is None, name
        elif feeds_only_text_out:
            assert not parameter.grad.any(), name
        else:
            assert parameter.grad.any(), name


@torch.no_grad()
def test_bfloat16_arithmetic_stays_near_fp32(own):
    image, text, sigma = tokens(2, 12, 4)
    positions = joint_positions([[(1, 3, 4)]], 4)
    exact = own(image, text, sigma, positions)
    with torch.autocast("cpu", torch.bfloat16):
        rough = own(image, text, sigma, positions)
    assert (rough - exact).abs().max() < 0.05 * exact.abs().max()


def test_blocks_have_thirty_six_squares_of_the_width():
    model = MMDiT(CONFIG, CHANNELS, TEXT_CHANNELS)
    weights = sum(p.numel() for p in model.transformer_blocks[0].parameters() if p.ndim == 2)
    assert weights == 36 * CONFIG.width**2


def test_an_odd_rope_axis_is_refused():
    with pytest.raises(ValidationError, match="pairs of channels"):
        MMDiTConfig(axes=(3, 6, 7))
