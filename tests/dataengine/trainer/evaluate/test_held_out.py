"""The held-out loss: fixed, a sum over noise levels, and what it is of models that are known."""

import pytest
import torch

from dataengine.trainer.evaluate.held_out import held_out_loss
from dataengine.trainer.patchify import Size
from dataengine.trainer.text_to_image import Condition, ModelConfig, TextToImage

SIZE = (8, 16)


@pytest.fixture
def model() -> TextToImage:
    torch.manual_seed(0)
    small = {"patch": 4, "transformer": {"layers": 1, "heads": 2, "axes": [2, 4, 4]}, "text": {"width": 16, "heads": 2}}
    return TextToImage(ModelConfig.model_validate(small))


def batches(model: TextToImage, count: int, at_once: int) -> list[tuple[torch.Tensor, Condition, Size]]:
    pixels = torch.randint(0, 256, (count, 3, *SIZE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    parts = [range(start, start + at_once) for start in range(0, count, at_once)]
    return [(model.tokens(pixels[p.start : p.stop]), model.encode([f"picture {i}" for i in p]), SIZE) for p in parts]


def test_a_model_that_predicts_nothing_has_the_mean_square_of_the_velocity(model):
    found = held_out_loss(model, batches(model, 6, 3))  # its head begins at zero
    wanted = 1 + float(torch.cat([clean for clean, _, _ in batches(model, 6, 3)]).square().mean())
    assert found.loss == pytest.approx(wanted, rel=0.15) and found.pictures == 6
    assert len(found.by_sigma) == 8 and found.loss == pytest.approx(sum(found.by_sigma.values()) / 8)


def test_it_is_the_same_each_time_and_however_pictures_are_batched(model):
    torch.nn.init.normal_(model.transformer.proj_out.weight, std=0.1)
    whole = held_out_loss(model, batches(model, 6, 6))
    assert held_out_loss(model, batches(model, 6, 6)) == whole
    assert held_out_loss(model, batches(model, 6, 2)).loss == pytest.approx(whole.loss, rel=1e-5)
    assert held_out_loss(model, batches(model, 6, 6), seed=1).loss != whole.loss


def test_no_pictures_have_no_loss(model):
    with pytest.raises(ValueError, match="no pictures"):
        held_out_loss(model, [])
