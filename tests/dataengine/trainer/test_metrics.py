import json

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dataengine.trainer.metrics import LEVELS, Metrics, Running, StepReport, flat, read_metrics, training_flops
from dataengine.trainer.mmdit import MMDiT
from dataengine.trainer.rope import joint_positions


def report(step: int, loss: float, **changes: object) -> StepReport:
    values = {
        "step": step,
        "steps": 5,
        "phase": "",
        "loss": loss,
        "grad_norm": 1.0,
        "lr": 0.1,
        "images": 8,
        "tokens": 100,
        "flops": 1e9,
        "by_level": ((0.0, 0),) * LEVELS,
        "by_dataset": {},
        "seconds": 2.0,
        "waited": 0.5,
        "memory": 10**6,
        "skipped_samples": 0,
        "skipped_steps": 0,
    }
    return StepReport(**(values | changes))


def test_a_line_is_the_mean_of_its_steps_and_the_last_may_stand_for_fewer(tmp_path):
    metrics = Metrics(tmp_path / "m.jsonl", every=2, step=0, running=Running())
    for step, loss in enumerate([1.0, 2.0, 3.0, 5.0, 7.0], start=1):
        metrics.add(report(step, loss))
    lines = read_metrics(tmp_path / "m.jsonl")
    assert [(line["step"], line["loss"]) for line in lines] == [(2, 1.5), (4, 4.0), (5, 7.0)]
    assert lines[0]["images_per_second"] == pytest.approx(4.0)
    assert lines[0]["tokens_per_second"] == pytest.approx(50.0)
    assert lines[0]["data_wait"] == pytest.approx(0.25)
    assert lines[0]["memory"] == 10**6 and "mfu" not in lines[0] and "phase" not in lines[0]


def test_the_share_of_what_the_device_could_do_is_told_where_that_is_known(tmp_path):
    metrics = Metrics(tmp_path / "m.jsonl", every=2, step=0, running=Running(), peak=2e9)
    metrics.add(report(1, 1.0))
    metrics.add(report(2, 1.0, flops=3e9, phase="words"))
    (line,) = read_metrics(tmp_path / "m.jsonl")
    assert (line["mfu"], line["phase"]) == (0.5, "words")


def test_losses_are_told_by_noise_level_and_by_dataset(tmp_path):
    metrics = Metrics(tmp_path / "m.jsonl", every=2, step=0, running=Running())
    low = ((1.0, 2), *((0.0, 0),) * (LEVELS - 1))
    mixed = ((2.0, 1), (0.5, 1), *((0.0, 0),) * (LEVELS - 2))
    metrics.add(report(1, 0.5, by_level=low, by_dataset={"words": (1.0, 2), "pages": (0.0, 0)}))
    metrics.add(report(2, 1.25, by_level=mixed, by_dataset={"words": (0.5, 1), "pages": (2.0, 1)}))
    (line,) = read_metrics(tmp_path / "m.jsonl")
    assert line["loss_by_level"] == [1.0, 0.5] + [None] * (LEVELS - 2)
    assert line["loss_by_dataset"] == {"pages": 2.0, "words": 0.5}
    figures = flat(line)
    assert (figures["loss_by_level/0.05"], figures["loss_by_dataset/pages"]) == (1.0, 2.0)
    assert "loss_by_level/0.25" not in figures and "step" not in figures


def test_the_flops_of_a_step_are_those_that_torch_counts(tiny):
    config = tiny().model
    model = MMDiT(config.transformer, config.token_channels, config.text.channels)
    image, text, sigma = (
        torch.randn(1, 12, config.token_channels),
        torch.randn(1, 5, config.text.channels),
        torch.rand(1),
    )
    with FlopCounterMode(display=False) as counter:
        model(image, text, sigma, joint_positions([[(1, 3, 4)]], 5)).sum().backward()
    assert training_flops(config, 12, 5) == pytest.approx(counter.get_total_flops(), rel=0.2)


def test_a_skipped_step_does_not_spoil_the_line(tmp_path):
    metrics = Metrics(tmp_path / "m.jsonl", every=2, step=0, running=Running())
    metrics.add(report(1, float("nan")))
    metrics.add(report(2, 3.0))
    assert read_metrics(tmp_path / "m.jsonl")[0]["loss"] == 3.0


def test_going_on_cuts_off_later_and_broken_lines_and_takes_up_the_one_in_the_making(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"step": 2, "loss": 1.5}\n{"step": 4, "loss": 9.0}\n{"step": 6, "lo')
    metrics = Metrics(path, every=2, step=3, running=Running(steps=1, loss=3.0, grad_norm=1.0, images=8, seconds=2))
    metrics.add(report(4, 5.0))
    assert [(line["step"], line["loss"]) for line in map(json.loads, path.read_text().splitlines())] == [
        (2, 1.5),
        (4, 4.0),
    ]
