import re

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from dataengine.trainer.mmdit import MMDiT
from dataengine.trainer.sizes import SIZES, Transformer
from dataengine.trainer.text_to_image import ModelConfig

TRANSFORMER = TypeAdapter(Transformer)


def parameters(name: str, token_channels: int, text_channels: int) -> int:
    with torch.device("meta"):
        model = MMDiT(SIZES[name], token_channels, text_channels)
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("name", ["50M", "300M", "1B", "3B"])
def test_a_size_has_about_the_parameters_that_its_name_says(name):
    number, unit = re.fullmatch(r"(\d+)([MB])", name).groups()
    said = int(number) * {"M": 10**6, "B": 10**9}[unit]
    assert parameters(name, 64, 3584) == pytest.approx(said, rel=0.04)


def test_the_largest_is_the_released_model():
    assert (SIZES["20B"].layers, SIZES["20B"].heads, SIZES["20B"].width) == (60, 24, 3072)
    released_bytes = 40_860_802_176  # in bfloat16, by the index of the released checkpoint
    assert 2 * parameters("20B", 64, 3584) == released_bytes


def test_the_smallest_has_the_width_of_the_proof():
    assert (SIZES["nano"].width, SIZES["nano"].layers) == (128, 4)
    assert parameters("nano", 108, 128) == pytest.approx(2.5e6, rel=0.05)


def test_a_name_and_three_numbers_both_do():
    assert TRANSFORMER.validate_python("1B") == SIZES["1B"]
    assert TRANSFORMER.validate_python({"layers": 2, "heads": 2, "axes": [4, 6, 6]}).width == 32


def test_an_unknown_name_is_refused_with_what_was_meant():
    with pytest.raises(ValidationError, match=r"did you mean '300M'\?"):
        TRANSFORMER.validate_python("30M")


def test_a_training_configuration_may_name_its_size():
    assert ModelConfig.model_validate({"transformer": "50M"}).transformer.width == 384
