"""The test of correctness that no partial mistake survives: eight pictures learnt by heart, drawn by their captions.

Training draws fresh noise and noise levels at every step, as always. What is measured is apart from it: the error at
noise and levels that training never drew, and the pictures drawn from new noise.
"""

import pytest
import torch

from dataengine.config import build
from dataengine.trainer import checkpoint as checkpoints
from dataengine.trainer.config import TrainConfig
from dataengine.trainer.data import Batch, Reader, ReaderState
from dataengine.trainer.flow import flow_loss, noised
from dataengine.trainer.loop import TrainResult, train
from dataengine.trainer.sample import draw
from dataengine.trainer.text_to_image import TextToImage


@pytest.fixture(scope="module")
def overfit(module_shards, tmp_path_factory) -> tuple[TrainResult, TrainConfig]:
    config = TrainConfig.model_validate(
        {
            "name": "overfit",
            "out": str(tmp_path_factory.mktemp("overfit")),
            "data": {"path": str(module_shards), "phase": 256, "limit": 8, "resolution": 16},
            "steps": 700,
            "batch": 16,
            "caption_dropout": 0.0,
            "model": {
                "patch": 4,
                "transformer": {"layers": 2, "heads": 3, "axes": [4, 14, 14]},
                "text": {"width": 48, "layers": 1, "heads": 4, "max_bytes": 24},
            },
            "optimizer": {"lr": 3e-3, "weight_decay": 0.0, "ema": 0.98},
            "schedule": {"warmup": 30, "floor": 0.01},
            "checkpoint": {"every": 1000},
            "device": "cpu",
        }
    )
    return train(config), config


@pytest.fixture(scope="module")
def eight(overfit) -> Batch:
    _, config = overfit
    batch = next(Reader(config.data, 8, config.model.patch, seed=0).batches(ReaderState()))
    assert len(set(batch.captions)) == 8
    return batch


@pytest.fixture(scope="module")
def model(overfit) -> TextToImage:
    result, _ = overfit
    found = checkpoints.read(result.checkpoint)
    config = build(TrainConfig, found.state["config"], "checkpoint")
    model = TextToImage(config.model)
    model.load_state_dict(found.weights("ema"))
    return model


@torch.no_grad()
def held_loss(model: TextToImage, batch: Batch, captions: list[str]) -> float:
    """The error at fixed noise, and levels from 0.05 to 0.95, of one batch."""
    clean = model.tokens(batch.pixels)
    generator = torch.Generator().manual_seed(123)
    losses = []
    for level in torch.linspace(0.05, 0.95, 10):
        noise = torch.randn(clean.shape, generator=generator)
        sigma = level.expand(len(clean))
        predicted = model(noised(clean, noise, sigma), sigma, model.encode(captions), batch.size)
        losses.append(flow_loss(predicted, clean, noise).mean().item())
    return sum(losses) / len(losses)


def test_the_loss_ends_near_zero(overfit, model, eight):
    result, config = overfit
    untrained = held_loss(TextToImage(config.model), eight, eight.captions)
    assert untrained > 1.0
    assert held_loss(model, eight, eight.captions) < 0.04 * untrained
    assert result.last_loss < 0.005 * result.first_loss


def test_each_caption_draws_its_own_picture_from_new_noise(overfit, model, eight):
    _, config = overfit
    drawn = draw(model, eight.captions, eight.size, config.flow, steps=20, guidance=1.0, seed=99)
    error = (drawn[:, None].float() - eight.pixels[None].float()).square().mean((2, 3, 4))  # drawn × true
    psnr = 10 * torch.log10(255**2 / error)
    assert psnr.argmax(dim=1).tolist() == list(range(8))
    assert psnr.diag().min() > 30
    assert (psnr - torch.diag(torch.full((8,), torch.inf))).max() < 15  # the eight are far from each other


def test_it_is_the_caption_that_says_which(model, eight):
    swapped = eight.captions[1:] + eight.captions[:1]
    assert held_loss(model, eight, swapped) > 5 * held_loss(model, eight, eight.captions)
