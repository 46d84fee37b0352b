import math
from itertools import islice

import pytest
import torch

from dataengine.errors import ManifestError, StageError
from dataengine.trainer import checkpoint as checkpoints
from dataengine.trainer.config import TrainConfig
from dataengine.trainer.data import Batch, Reader, ReaderState
from dataengine.trainer.distributed import World
from dataengine.trainer.training import MAX_BAD_STEPS, Training


def alone(config: TrainConfig) -> Training:
    return Training(config, World(torch.device("cpu")))


def loss(training: Training, batch: Batch, part: range | None = None) -> torch.Tensor:
    return training.objective(
        batch, part or range(len(batch.captions)), training.settings, training.step
    ).weighted.mean()


@pytest.fixture
def batch(tiny) -> Batch:
    config = tiny()
    return next(Reader(config.data, config.batch, config.model.patch, config.seed).batches(ReaderState()))


def test_every_parameter_gets_a_gradient_but_those_of_the_last_blocks_text_output(tiny, batch):
    training = alone(tiny())
    training.advance(batch)
    training.advance(batch)  # the zero-initialised parts have opened
    training.advance(batch)
    loss(training, batch).backward()
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
    first, second, third = alone(tiny()), alone(tiny()), alone(tiny(seed=1))
    assert torch.equal(torch.rand(1), expected)
    states = [t.model.state_dict()["transformer.img_in.weight"] for t in (first, second, third)]
    assert torch.equal(states[0], states[1]) and not torch.equal(states[0], states[2])


def test_a_batch_in_parts_makes_the_step_of_a_whole_one(tiny, batch):
    """Up to the rounding of sums: the noise of a sample is its own, wherever it passes."""
    whole, parts, uneven = (alone(tiny(micro_batch=size)) for size in (None, 1, 3))
    steps = [training.advance(batch) for training in (whole, parts, uneven) for _ in range(3)][2::3]
    for step, training in zip(steps[1:], (parts, uneven), strict=True):
        assert step.loss == pytest.approx(steps[0].loss, rel=1e-6)
        assert step.grad_norm == pytest.approx(steps[0].grad_norm, rel=1e-5)
        assert (step.images, step.tokens) == (steps[0].images, steps[0].tokens)
        for one, other in zip(whole.model.parameters(), training.model.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def broken(training: Training, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on every velocity of the model is not a number."""
    forward = training.model.forward
    monkeypatch.setattr(training.model, "forward", lambda *inputs: forward(*inputs) * math.nan)


def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(tiny, batch, monkeypatch):
    training = alone(tiny())
    before = {name: p.detach().clone() for name, p in training.model.named_parameters()}
    broken(training, monkeypatch)
    training.advance(batch)
    assert (training.step, training.skipped_steps) == (1, 1)
    assert all(torch.equal(p, before[name]) for name, p in training.model.named_parameters())
    monkeypatch.undo()
    assert math.isfinite(training.advance(batch).loss)
    assert training.skipped_steps == 1


def test_many_of_them_in_a_row_end_the_training_with_a_remedy(tiny, batch, monkeypatch):
    training = alone(tiny())
    broken(training, monkeypatch)
    with pytest.raises(StageError, match=r"lower optimizer\.lr"):
        for _ in range(MAX_BAD_STEPS):
            training.advance(batch)


def test_gradients_are_clipped_and_their_norm_told_as_it_was(tiny, batch):
    clipped, plain = alone(tiny(optimizer={"clip": 1e-6})), alone(tiny())
    assert clipped.advance(batch).grad_norm == plain.advance(batch).grad_norm > 1e-3
    state = clipped.optimizers[0].state[clipped.model.transformer.proj_out.weight]
    assert 0 < state["exp_avg"].norm() < 1e-6


def test_a_checkpoint_of_another_configuration_is_refused_by_the_key(tiny, batch, tmp_path):
    training = alone(tiny())
    training.advance(batch)
    writer = checkpoints.Writer(tmp_path, keep=1)
    training.save(writer)
    writer.wait()
    other = alone(tiny(optimizer={"lr": 0.5}))
    with pytest.raises(ManifestError, match=r"optimizer\.lr: 0\.001 → 0\.5"):
        other.restore(checkpoints.newest(tmp_path))


def test_bfloat16_arithmetic_trains_fp32_weights(tiny):
    config = tiny(dtype="bfloat16")
    training = alone(config)
    batches = Reader(config.data, config.batch, config.model.patch, config.seed).batches(ReaderState())
    losses = [training.advance(batch).loss for batch in islice(batches, 5)]
    assert all(map(math.isfinite, losses))
    assert all(p.dtype == torch.float32 for p in training.model.parameters())


def test_a_model_that_memory_cannot_hold_is_refused_before_it_is_made(tiny):
    model = tiny().model.model_dump() | {"transformer": {"layers": 600, "heads": 24, "axes": (16, 56, 56)}}
    with pytest.raises(StageError, match=r"take 4\d{3}\.\d GB of memory; cpu has .* GB free\n  → .*smaller") as caught:
        alone(tiny(model=model))
    assert "optimizer.ema_on" in str(caught.value)
