import math

import pytest
import torch

from dataengine.trainer.rope import (
    image_positions,
    joint_positions,
    packed_positions,
    rotate,
    rotation,
    text_positions,
)


@pytest.mark.parametrize(("side", "expected"), [(1, [-1]), (2, [-1, 0]), (4, [-2, -1, 0, 1]), (5, [-3, -2, -1, 0, 1])])
def test_rows_and_columns_are_centred_and_an_odd_side_has_its_extra_one_below_zero(side, expected):
    assert image_positions([(1, side, 1)])[:, 1].tolist() == expected
    assert image_positions([(1, 1, side)])[:, 2].tolist() == expected


def test_tokens_are_row_major_and_frames_count_up():
    assert image_positions([(2, 1, 2)]).tolist() == [[0, -1, -1], [0, -1, 0], [1, -1, -1], [1, -1, 0]]


def test_a_second_image_of_a_sample_is_centred_too_and_stands_one_frame_on():
    target, reference = image_positions([(1, 2, 2), (1, 3, 1)]).split([4, 3])
    assert target[:, 0].tolist() == [0] * 4
    assert reference.tolist() == [[1, -2, -1], [1, -1, -1], [1, 0, -1]]


def test_text_follows_on_the_diagonal_from_the_largest_half_side():
    assert text_positions([(1, 4, 7), (1, 10, 2)], 3).tolist() == [[5, 5, 5], [6, 6, 6], [7, 7, 7]]


def test_samples_of_different_shapes_keep_their_own_positions_in_one_batch():
    grids = [[(1, 2, 3)], [(1, 4, 4)]]
    together = joint_positions(grids, text_length=5)
    assert together.shape == (2, 5 + 16, 3)
    for row, grid in zip(together, grids, strict=True):
        alone = joint_positions([grid], text_length=5)[0]
        assert torch.equal(row[: len(alone)], alone)


def test_packed_positions_are_all_texts_and_then_all_images():
    grids = [[(1, 2, 3)], [(1, 4, 4), (1, 1, 2)]]
    packed = packed_positions(grids, [2, 5])
    assert packed.shape == (1, 2 + 5 + 6 + 18, 3)
    first, second = (joint_positions([grid], length)[0] for grid, length in zip(grids, (2, 5), strict=True))
    assert torch.equal(packed[0], torch.cat([first[:2], second[:5], first[2:], second[5:]]))


def test_rotation_keeps_length_and_makes_products_depend_on_distance_only():
    query, key = torch.randn(2, 1, 1, 2, 16).unbind(0)
    axes = (4, 6, 6)

    def product(query_at: list[int], key_at: list[int]) -> torch.Tensor:
        turned = [rotate(x, rotation(torch.tensor([[at]]), axes)) for x, at in ((query, query_at), (key, key_at))]
        torch.testing.assert_close(turned[0].norm(dim=-1), query.norm(dim=-1))
        return (turned[0] * turned[1]).sum(-1)

    torch.testing.assert_close(product([0, 3, -2], [1, 1, 4]), product([5, 13, 8], [6, 11, 14]), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(product([0, 3, -2], [1, 1, 4]), product([0, 3, -2], [1, 1, 5]))


def test_the_first_channels_of_an_axis_turn_by_one_radian_a_position():
    turn = rotation(torch.tensor([[[0, 2, 0]]]), (4, 6, 6))
    assert turn.shape == (1, 1, 1, 8, 2)
    assert turn[0, 0, 0, 2].tolist() == pytest.approx([math.cos(2.0), math.sin(2.0)])
    assert turn[0, 0, 0, 3, 1].item() == pytest.approx(math.sin(2.0 * 10_000 ** (-1 / 3)))


def test_the_farthest_position_that_the_released_tables_hold_is_exact_to_fp32():
    turn = rotation(torch.tensor([[[4095, 4095, 4095]]]), (16, 56, 56))[0, 0, 0]
    exact = [4095 / 10_000 ** (2 * k / size) for size in (16, 56, 56) for k in range(size // 2)]
    torch.testing.assert_close(turn[:, 0], torch.tensor(exact, dtype=torch.float64).cos().float(), atol=5e-4, rtol=0)


def test_a_compiler_gets_the_same_rotation_in_real_numbers():
    turn = rotation(torch.randint(-9, 9, (2, 5, 3)), (4, 6, 6))
    x = torch.randn(2, 5, 3, 16)
    compiled = torch.compile(rotate, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x, turn), rotate(x, turn))


def test_angles_stay_fp32_when_tokens_are_bfloat16():
    positions = torch.tensor([[[0, 1000, 0], [0, 1001, 0]]])
    turn = rotation(positions, (4, 6, 6))
    assert turn.dtype == torch.float32
    x = torch.ones(1, 2, 1, 16, dtype=torch.bfloat16)
    turned = rotate(x, turn)
    assert turned.dtype == torch.bfloat16
    assert not torch.equal(turned[:, 0], turned[:, 1])  # in bfloat16, 1000 and 1001 are the same number
