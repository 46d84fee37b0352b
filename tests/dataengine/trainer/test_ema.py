import pytest
import torch
from torch import nn

from dataengine.trainer.ema import EMA


@pytest.fixture
def model() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(2, 2)


def test_the_average_follows_the_weights_by_the_warmed_up_decay(model):
    ema = EMA(model, decay=0.5)
    before = model.weight.detach().clone()
    with torch.no_grad():
        model.weight += 1
    ema.update(step=1)  # (1 + 1) / (10 + 1) is below 0.5
    torch.testing.assert_close(ema.weights["weight"], before + 9 / 11)
    ema.update(step=1000)
    torch.testing.assert_close(ema.weights["weight"], before + 9 / 11 + (2 / 11) / 2)


def test_the_average_is_inside_the_model_only_while_applied(model):
    ema = EMA(model, decay=0.9)
    with torch.no_grad():
        model.weight += 1
    own, average = model.weight.detach().clone(), ema.weights["weight"].clone()
    with ema.applied():
        assert torch.equal(model.weight, average)
    assert torch.equal(model.weight, own) and torch.equal(ema.weights["weight"], average)


def test_the_models_own_weights_come_back_after_an_error(model):
    ema = EMA(model, decay=0.9)
    with torch.no_grad():
        model.weight += 1
    own = model.weight.detach().clone()
    with pytest.raises(RuntimeError), ema.applied():
        raise RuntimeError
    assert torch.equal(model.weight, own)
