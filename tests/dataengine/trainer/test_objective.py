"""What chance decides about a sample, and what is computed of it."""

from dataclasses import replace

import pytest
import torch

from dataengine.trainer.config import TrainConfig
from dataengine.trainer.data import Batch, Reader, ReaderState
from dataengine.trainer.objective import Errors, Objective
from dataengine.trainer.text_to_image import TextToImage


@pytest.fixture
def batch(tiny) -> Batch:
    config = tiny()
    return next(Reader(config.data, config.batch, config.model.patch, config.seed).batches(ReaderState()))


@pytest.fixture
def objective(tiny) -> Objective:
    torch.manual_seed(0)
    model = TextToImage(tiny().model)
    torch.nn.init.normal_(model.transformer.proj_out.weight)  # so that what goes in makes a difference
    return Objective(model, torch.float32)


def errors(objective: Objective, batch: Batch, config: TrainConfig, part: range = range(4), step: int = 0) -> Errors:
    with torch.no_grad():
        return objective(batch, part, config, step)


def test_a_samples_chance_belongs_to_seed_step_and_place(tiny, objective, batch):
    first = errors(objective, batch, tiny())
    assert torch.equal(errors(objective, batch, tiny()).plain, first.plain)
    for other in (errors(objective, batch, tiny(), step=1), errors(objective, batch, tiny(seed=1))):
        assert not torch.isclose(other.sigma, first.sigma).any()
    moved = replace(batch, index=(4, 5, 6, 7))
    assert not torch.isclose(errors(objective, moved, tiny()).sigma, first.sigma).any()


def test_a_sample_meets_the_same_noise_whatever_passes_with_it(tiny, objective, batch):
    whole = errors(objective, batch, tiny())
    for part in (range(0, 1), range(1, 4)):
        apart = errors(objective, batch, tiny(), part)
        assert torch.equal(apart.sigma, whole.sigma[part.start : part.stop])
        torch.testing.assert_close(apart.plain, whole.plain[part.start : part.stop])


def test_noise_levels_differ_within_a_batch(tiny, objective, batch):
    assert len(set(errors(objective, batch, tiny()).sigma.tolist())) == 4


def test_pictures_of_several_sizes_pass_together(tiny, objective, batch):
    """Each with the noise level of its own size, and its error the mean over its own tokens."""
    config = tiny(caption_dropout=0.0)
    wide = torch.zeros(3, 8, 24, dtype=torch.uint8)
    mixed = replace(
        batch,
        pixels=[batch.pixels[0], wide, *batch.pixels[2:]],
        sizes=(batch.sizes[0], (8, 24), *batch.sizes[2:]),
    )
    together = errors(objective, mixed, config)
    assert together.image == (16, 12, 16, 16)
    for at in range(4):
        alone = errors(objective, mixed, config, range(at, at + 1))
        torch.testing.assert_close(together.plain[at : at + 1], alone.plain, rtol=1e-4, atol=1e-5)
        assert torch.equal(together.sigma[at : at + 1], alone.sigma)


def test_the_weight_of_a_noise_level_is_on_the_loss_and_not_on_what_is_told(tiny, objective, batch):
    plain = errors(objective, batch, tiny())
    weighted = errors(objective, batch, tiny(flow={"weighting": "min-snr"}))
    assert torch.equal(plain.plain, weighted.plain) and torch.equal(plain.plain, plain.weighted)
    expected = torch.minimum((1 - plain.sigma) ** 2, 5 * plain.sigma**2) * plain.plain
    torch.testing.assert_close(weighted.weighted, expected)


@pytest.mark.parametrize(("dropout", "expected"), [(0.0, 0.0), (1.0, 1.0), (0.25, 0.25)])
def test_captions_are_dropped_at_their_rate(tiny, objective, batch, monkeypatch, dropout, expected):
    config = tiny(caption_dropout=dropout)
    seen: list[str] = []
    states = torch.zeros(4, 1, config.model.text.channels)
    monkeypatch.setattr(objective.model, "encode", lambda captions: seen.extend(captions) or (states, None))
    monkeypatch.setattr(objective.model, "forward", lambda tokens, *rest: tokens)
    for step in range(100):
        errors(objective, batch, config, step=step)
    assert sum(caption == "" for caption in seen) / len(seen) == pytest.approx(expected, abs=0.06)


def test_states_at_rest_are_used_and_the_empty_ones_where_a_caption_is_dropped(tiny, batch):
    frozen = {
        "image": {"kind": "autoencoder", "model": "nowhere"},
        "text": {"kind": "sentence", "model": "nowhere"},
        "transformer": {"layers": 2, "heads": 2, "axes": [4, 6, 6]},
    }
    config = tiny(caption_dropout=0.5, model=frozen)
    objective = Objective(TextToImage(config.model), torch.float32)
    states = [torch.randn(length, config.model.text.channels).bfloat16() for length in (1, 2, 3, 4)]
    objective.model.empty = torch.randn(9, config.model.text.channels).bfloat16()
    channels = config.model.image.channels
    latents = torch.randn(4, channels, 4, 4).bfloat16()
    at_rest = replace(batch, pixels=None, latents=latents, states=states, sizes=((32, 32),) * 4)
    found = errors(objective, at_rest, config)
    dropped = [length == 9 for length in found.text.tolist()]
    assert found.text.tolist() == [9 if drop else at + 1 for at, drop in enumerate(dropped)]
    assert 0 < sum(dropped) < 4
    assert found.image == (4,) * 4
