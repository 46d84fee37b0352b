"""Numerics: equality with the released model's class, masks, shapes, gradients."""

import pytest
import torch
from diffusers import QwenImageTransformer2DModel
from pydantic import ValidationError
from torch import nn
from torch._dynamo.utils import counters

from dataengine.trainer.layout import Lengths, pack, unpack
from dataengine.trainer.mmdit import MMDiT, MMDiTConfig
from dataengine.trainer.rope import joint_positions, packed_positions

CONFIG = MMDiTConfig(layers=2, heads=4, axes=(4, 14, 14))
CHANNELS, TEXT_CHANNELS = 64, 48

# The last block's text output goes nowhere, so what makes it has no gradient.
WITHOUT_GRADIENT = ("attn.add_q_proj", "attn.norm_added_q", "attn.to_add_out", "txt_mlp.")


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
def test_a_packed_batch_of_mixed_shapes_and_captions_equals_its_samples_one_by_one(own):
    grids = [[(1, 4, 6)], [(1, 3, 3)], [(1, 2, 2), (1, 3, 1)]]
    sizes, lengths = [24, 9, 7], [9, 1, 4]
    image, text, sigma = tokens(3, 24, 9)
    together = own(
        pack([row[:size] for row, size in zip(image, sizes, strict=True)]),
        pack([row[:length] for row, length in zip(text, lengths, strict=True)]),
        sigma,
        packed_positions(grids, lengths),
        lengths=Lengths(tuple(lengths), tuple(sizes)),
    )
    for index, (row, size, length) in enumerate(zip(unpack(together, sizes), sizes, lengths, strict=True)):
        one = slice(index, index + 1)
        alone = own(image[one, :size], text[one, :length], sigma[one], joint_positions([grids[index]], length))
        torch.testing.assert_close(row[None], alone, rtol=1e-5, atol=1e-5)


def test_padded_and_packed_batches_give_the_same_gradients(released):
    image, text, sigma = tokens(3, 12, 9)
    lengths = [9, 4, 1]
    mask = torch.arange(9)[None] < torch.tensor(lengths)[:, None]
    gradients = []
    for is_packed in (False, True):
        model = MMDiT(CONFIG, CHANNELS, TEXT_CHANNELS)
        model.load_state_dict(released.state_dict())
        if is_packed:
            positions = packed_positions([[(1, 3, 4)]] * 3, lengths)
            out = model(pack(image), text[mask][None], sigma, positions, lengths=Lengths(tuple(lengths), (12,) * 3))
            out = torch.stack(unpack(out, [12] * 3))
        else:
            out = model(image, text, sigma, joint_positions([[(1, 3, 4)]], 9), text_mask=mask)
        (out - image).square().mean().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], gradient, rtol=1e-4, atol=1e-6, msg=name)


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
        if name.startswith(last) and name.removeprefix(last).startswith(WITHOUT_GRADIENT):
            assert parameter.grad is None, name
        else:
            assert parameter.grad.any(), name


def test_gradients_equal_those_of_the_released_models_class(released):
    model = MMDiT(CONFIG, CHANNELS, TEXT_CHANNELS)
    model.load_state_dict(released.state_dict())
    image, text, sigma = tokens(2, 12, 4)
    mask = torch.tensor([[True] * 4, [True, True, False, False]])
    own_output = model(image, text, sigma, joint_positions([[(1, 3, 4)]], 4), text_mask=mask)
    (own_output - image).square().mean().backward()
    their_output = released(image, text, mask, sigma, [[(1, 3, 4)]] * 2, return_dict=False)[0]
    theirs = dict(released.named_parameters())
    made = [name for name, p in model.named_parameters() if p.grad is not None]
    gradients = torch.autograd.grad((their_output - image).square().mean(), [theirs[name] for name in made])
    for (name, own_parameter), gradient in zip(
        ((name, model.get_parameter(name)) for name in made), gradients, strict=True
    ):
        torch.testing.assert_close(own_parameter.grad, gradient, rtol=1e-4, atol=1e-6, msg=name)


@torch.no_grad()
def test_bfloat16_arithmetic_stays_near_fp32(own):
    image, text, sigma = tokens(2, 12, 4)
    positions = joint_positions([[(1, 3, 4)]], 4)
    exact = own(image, text, sigma, positions)
    with torch.autocast("cpu", torch.bfloat16):
        rough = own(image, text, sigma, positions)
    assert (rough - exact).abs().max() < 0.05 * exact.abs().max()


@torch.no_grad()
def test_a_model_in_bfloat16_keeps_its_rotations_and_noise_levels_in_fp32(own):
    image, text, sigma = tokens(2, 12, 4)
    far = joint_positions([[(1, 3, 4)]], 4) + torch.tensor([0, 3000, 3000])  # bfloat16 cannot tell 3000 from 3004
    rough = MMDiT(CONFIG, CHANNELS, TEXT_CHANNELS).to(torch.bfloat16)
    rough.load_state_dict(own.state_dict())
    assert not list(rough.buffers())
    out = rough(image.bfloat16(), text.bfloat16(), sigma, far)
    assert out.dtype == torch.bfloat16
    exact = own(image, text, sigma, joint_positions([[(1, 3, 4)]], 4))  # rope knows distances only
    assert (out - exact).abs().max() < 0.05 * exact.abs().max()
    near = sigma + 1e-3 * (sigma < 0.5) - 1e-3 * (sigma >= 0.5)  # bfloat16 rounds both to about the same
    assert not torch.equal(rough.time_text_embed(sigma), rough.time_text_embed(near))


def test_off_the_cpu_too_the_dtypes_and_shapes_of_all_steps_agree():
    with torch.device("meta"):
        model = MMDiT(CONFIG, CHANNELS, TEXT_CHANNELS).to(torch.bfloat16)
        image, text = (torch.empty(2, n, c, dtype=torch.bfloat16) for n, c in ((12, CHANNELS), (4, TEXT_CHANNELS)))
        sigma, positions = torch.empty(2), torch.empty(1, 16, 3, dtype=torch.int64)
    mask = torch.empty(2, 4, dtype=torch.bool, device="meta")
    for text_mask in (None, mask):
        out = model(image, text, sigma, positions, text_mask=text_mask)
        assert out.shape == image.shape and out.dtype == torch.bfloat16
        out.sum().backward()


@pytest.mark.parametrize(("is_packed", "layers"), [(False, 1), (True, 2)])
def test_a_block_compiles_to_one_graph_and_once_for_all_numbers_of_tokens(is_packed, layers):
    counters.clear()
    torch._dynamo.reset()
    plain, compiled = (MMDiT(CONFIG.model_copy(update={"layers": layers}), CHANNELS, TEXT_CHANNELS) for _ in range(2))
    for parameter in plain.parameters():
        nn.init.normal_(parameter, std=0.1)
    compiled.load_state_dict(plain.state_dict())
    compiled.compile_blocks(backend="eager")
    for block in compiled.transformer_blocks[1:]:
        block._compiled_call_impl = None  # tracing takes seconds: once a kind of block, the last and the others
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    for rows, lengths in ((3, [5, 9, 6]), (4, [3, 7, 5])):
        image, text, sigma = tokens(3, rows * 5, max(lengths))
        mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
        grids = [[(1, rows, 5)]] * 3
        outputs = []
        for model in (plain, compiled):
            if is_packed:
                counts = Lengths(tuple(lengths), (rows * 5,) * 3)
                out = model(pack(image), text[mask][None], sigma, packed_positions(grids, lengths), lengths=counts)
            else:
                out = model(image, text, sigma, joint_positions(grids, max(lengths)), text_mask=mask)
            outputs.append(out)
        torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-5, atol=1e-5)
        outputs[1].square().mean().backward()
    assert not counters["graph_break"]
    assert counters["stats"]["unique_graphs"] == 1


def test_blocks_have_thirty_six_squares_of_the_width():
    model = MMDiT(CONFIG, CHANNELS, TEXT_CHANNELS)
    weights = sum(p.numel() for p in model.transformer_blocks[0].parameters() if p.ndim == 2)
    assert weights == 36 * CONFIG.width**2


def test_an_odd_rope_axis_is_refused():
    with pytest.raises(ValidationError, match="pairs of channels"):
        MMDiTConfig(axes=(3, 6, 7))
