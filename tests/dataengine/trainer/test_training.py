import math
from itertools import islice

import pytest
import torch

from dataengine.errors import ManifestError, StageError
from dataengine.trainer import checkpoint as checkpoints
from dataengine.trainer.data import Batch, Reader, ReaderState
from dataengine.trainer.training import MAX_BAD_STEPS, Training


@pytest.fixture
def batch(tiny) -> Batch:
    config = tiny()
    return next(Reader(config.data, config.batch, config.model.patch, config.seed).batches(ReaderState()))


def test_every_parameter_gets_a_gradient_but_those_of_the_last_blocks_text_output(tiny, batch):
    training = Training(tiny())
    training.advance(batch)
    training.advance(batch)  # the zero-initialised parts have opened
    training.advance(batch)
    training.loss(batch).backward()
    without = {name for name, p in training.model.named_parameters() if p.grad is None or not p.grad.any()}
    last = "transformer.transformer_blocks.1."
    assert without == {
        f"{last}{name}"
        for name in (
            "attn.add_q_proj.weight",
            "attn.add_q_proj.bias",
            "attn.norm_added_q.weight",
            "attn.to_add_out.weight",
            "attn.to_add_out.bias",
            "txt_mlp.net.0.proj.weight",
            "txt_mlp.net.0.proj.bias",
            "txt_mlp.net.2.weight",
            "txt_mlp.net.2.bias",
        )
    }


def test_the_weights_start_from_the_seed_and_leave_the_callers_randomness_alone(tiny):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second, third = Training(tiny()), Training(tiny()), Training(tiny(seed=1))
    assert torch.equal(torch.rand(1), expected)
    states = [t.model.state_dict()["transformer.img_in.weight"] for t in (first, second, third)]
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])


def test_a_steps_noise_belongs_to_its_number(tiny, batch):
    training = Training(tiny())
    assert training.loss(batch).item() == training.loss(batch).item()
    before = training.loss(batch).item()
    training.step = 1
    assert training.loss(batch).item() != before


def test_noise_levels_differ_within_a_batch(tiny, batch, monkeypatch):
    seen = []
    training = Training(tiny())
    forward = training.model.forward
    monkeypatch.setattr(
        training.model, "forward", lambda x, sigma, *rest: seen.append(sigma) or forward(x, sigma, *rest)
    )
    training.loss(batch)
    assert len(set(seen[0].tolist())) == len(batch.captions)


@pytest.mark.parametrize(("dropout", "expected"), [(0.0, 0.0), (1.0, 1.0), (0.25, 0.25)])
def test_captions_are_dropped_at_their_rate(tiny, batch, monkeypatch, dropout, expected):
    training = Training(tiny(caption_dropout=dropout))
    seen: list[str] = []
    encode = training.model.encode
    monkeypatch.setattr(training.model, "encode", lambda captions: seen.extend(captions) or encode(captions))
    with torch.no_grad():
        for training.step in range(100):
            training.loss(batch)
    assert sum(caption == "" for caption in seen) / len(seen) == pytest.approx(expected, abs=0.06)


def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(tiny, batch, monkeypatch):
    training = Training(tiny())
    loss = training.loss
    before = {name: p.detach().clone() for name, p in training.model.named_parameters()}
    monkeypatch.setattr(training, "loss", lambda batch: loss(batch) * math.nan)
    training.advance(batch)
    assert (training.step, training.skipped_steps) == (1, 1)
    assert all(torch.equal(p, before[name]) for name, p in training.model.named_parameters())
    monkeypatch.undo()
    assert math.isfinite(training.advance(batch)[0])
    assert training.skipped_steps == 1


def test_many_of_them_in_a_row_end_the_training_with_a_remedy(tiny, batch, monkeypatch):
    training = Training(tiny())
    loss = training.loss
    monkeypatch.setattr(training, "loss", lambda batch: loss(batch) * math.nan)
    with pytest.raises(StageError, match=r"lower optimizer\.lr"):
        for _ in range(MAX_BAD_STEPS):
            training.advance(batch)


def test_gradients_are_clipped_and_their_norm_told_as_it_was(tiny, batch):
    clipped = Training(tiny(optimizer={"clip": 1e-6}))
    assert clipped.advance(batch)[1] > 1e-3


def test_a_checkpoint_of_another_configuration_is_refused_by_the_key(tiny, batch, tmp_path):
    training = Training(tiny())
    training.advance(batch)
    path = training.save(tmp_path / "saved")
    other = Training(tiny(optimizer={"lr": 0.5}))
    with pytest.raises(ManifestError, match=r"optimizer\.lr: 0\.001 → 0\.5"):
        other.restore(checkpoints.read(path))


def test_bfloat16_arithmetic_trains_fp32_weights(tiny):
    config = tiny(dtype="bfloat16")
    training = Training(config)
    batches = Reader(config.data, config.batch, config.model.patch, config.seed).batches(ReaderState())
    losses = [training.advance(batch)[0] for batch in islice(batches, 5)]
    assert all(map(math.isfinite, losses))
    assert all(p.dtype == torch.float32 for p in training.model.parameters())
