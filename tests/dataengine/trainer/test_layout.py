import pytest
import torch

from dataengine.trainer.layout import WASTE, Lengths, pack, packed, padded, unpack


def test_padding_is_the_share_of_tokens_that_fill_up_rows():
    assert Lengths((10, 10), (30, 30)).padding == 0
    assert Lengths((10, 2), (30, 14)).padding == pytest.approx(24 / 80)


@pytest.mark.parametrize(("shortest", "pays"), [(100, False), (100 - 2 * WASTE, False), (99 - 2 * WASTE, True)])
def test_packing_pays_by_what_padding_wastes_on_each_sample(shortest, pays):
    assert Lengths((100, shortest), (64, 64)).pays_to_pack is pays
    assert Lengths((100, 100, shortest, shortest), (64,) * 4).pays_to_pack is pays


def test_unpack_is_the_inverse_of_pack():
    rows = [torch.randn(length, 4) for length in (3, 1, 5)]
    tokens = pack(rows)
    assert tokens.shape == (1, 9, 4)
    torch.testing.assert_close(list(unpack(tokens, [3, 1, 5])), rows)


def test_a_vector_of_each_sample_is_spread_over_its_tokens_and_its_gradient_is_their_sum():
    layout = packed(Lengths((2, 1), (1, 3)), torch.device("cpu"))
    vectors = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert layout.over_text(vectors)[0, :, 0].tolist() == [1, 1, 3]
    over_image = layout.over_image(vectors)
    assert over_image[0, :, 1].tolist() == [2, 4, 4, 4]
    (over_image * torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None]).sum().backward()
    assert vectors.grad.tolist() == [[1, 1], [9, 9]]


def test_a_padded_batch_has_no_mask_when_all_is_real_and_else_one_of_both_streams():
    image, text = torch.zeros(2, 3, 4), torch.zeros(2, 2, 4)
    assert padded(image, text, None, None).key_mask is None
    layout = padded(image, text, torch.tensor([[1, 1], [1, 0]]), None)
    assert layout.key_mask[:, 0, 0].tolist() == [[True] * 5, [True, False, True, True, True]]


def test_flex_attention_is_for_cuda_where_its_kernel_is():
    lengths = Lengths((2, 1), (1, 3))
    assert packed(lengths, torch.device("cpu")).joint_blocks is None
    blocks = packed(lengths, torch.device("cpu"), blocks=True)
    assert blocks.joint_blocks.shape[-2:] == (7, 7) and blocks.image_blocks.shape[-2:] == (4, 7)
