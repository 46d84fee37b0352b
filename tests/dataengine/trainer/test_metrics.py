import json

import pytest

from dataengine.trainer.metrics import Metrics, Running, StepReport, read_metrics


def report(step: int, loss: float) -> StepReport:
    return StepReport(
        step=step,
        steps=5,
        loss=loss,
        grad_norm=1.0,
        lr=0.1,
        seconds=2.0,
        images_per_second=4.0,
        data_wait=0.25,
        skipped_samples=0,
        skipped_steps=0,
    )


def test_a_line_is_the_mean_of_its_steps_and_the_last_may_stand_for_fewer(tmp_path):
    metrics = Metrics(tmp_path / "m.jsonl", every=2, step=0, running=Running())
    for step, loss in enumerate([1.0, 2.0, 3.0, 5.0, 7.0], start=1):
        metrics.add(report(step, loss))
    lines = read_metrics(tmp_path / "m.jsonl")
    assert [(line["step"], line["loss"]) for line in lines] == [(2, 1.5), (4, 4.0), (5, 7.0)]
    assert lines[0]["images_per_second"] == pytest.approx(4.0)
    assert lines[0]["data_wait"] == pytest.approx(0.25)


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
