"""A whole run: its curve, its interruptions, its files, and that it learns."""

import signal
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import yaml

from dataengine.errors import ManifestError, StageError
from dataengine.trainer import checkpoint as checkpoints
from dataengine.trainer.config import TrainConfig
from dataengine.trainer.loop import train
from dataengine.trainer.metrics import StepReport, read_metrics

KINDS = ("model", "ema", "optimizer")


def losses(config: TrainConfig, **changes: object) -> list[float]:
    reports: list[StepReport] = []
    train(config, reports.append)
    return [report.loss for report in reports]


def curve(out: str | Path) -> list[tuple[float, ...]]:
    """What of metrics.jsonl does not depend on the clock."""
    keys = ("step", "loss", "grad_norm", "lr", "skipped_samples", "skipped_steps")
    return [tuple(line[key] for key in keys) for line in read_metrics(Path(out) / "metrics.jsonl")]


def assert_equal_bit_for_bit(first: Path, second: Path) -> None:
    for kind in KINDS:
        one, other = (checkpoints.read(path).weights(kind) for path in (first, second))
        assert one.keys() == other.keys()
        for key in one:
            assert torch.equal(one[key], other[key]), f"{kind}: {key}"


def test_the_same_seed_has_the_same_curve_to_the_last_bit_and_another_seed_another(tiny, tmp_path):
    first = losses(tiny(out=str(tmp_path / "a"), steps=12))
    assert first == losses(tiny(out=str(tmp_path / "b"), steps=12))
    assert curve(tmp_path / "a") == curve(tmp_path / "b")
    assert first != losses(tiny(out=str(tmp_path / "c"), steps=12, seed=1))


def test_sixty_steps_straight_equal_thirty_a_kill_and_thirty_more(tiny, tmp_path):
    """The kill is a real SIGKILL, in the middle of the steps after a checkpoint."""
    settings = {"steps": 60, "checkpoint": {"every": 10, "keep": 9}, "log": {"every": 7}}
    straight = train(tiny(out=str(tmp_path / "straight"), **settings))

    config = tiny(out=str(tmp_path / "killed"), **settings)
    (tmp_path / "killed.yaml").write_text(yaml.safe_dump(config.model_dump(mode="json")))
    script = f"""
        import torch, time
        from dataengine.config import load
        from dataengine.trainer.config import TrainConfig
        from dataengine.trainer.loop import train

        torch.set_num_threads(2)
        config = load(TrainConfig, {str(tmp_path / "killed.yaml")!r})
        train(config, lambda report: (print(report.step, flush=True), time.sleep(60 * (report.step == 34))))
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True) as child:
        while child.stdout.readline().strip() != "34":
            assert child.poll() is None
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL

    resumed = train(config)
    assert (straight.resumed_from, resumed.resumed_from, resumed.step) == (0, 30, 60)
    assert_equal_bit_for_bit(straight.checkpoint, resumed.checkpoint)
    assert curve(tmp_path / "straight") == curve(tmp_path / "killed")


def test_a_finished_run_does_nothing_when_started_again(tiny):
    first = train(tiny())
    stamps = {path: path.stat().st_mtime_ns for path in first.checkpoint.rglob("*")}
    before = curve(tiny().out)
    again = train(tiny(), lambda report: pytest.fail("a step was taken"))
    assert (again.step, again.resumed_from, again.checkpoint) == (6, 6, first.checkpoint)
    assert (again.first_loss, again.last_loss) == (first.first_loss, first.last_loss)
    assert {path: path.stat().st_mtime_ns for path in first.checkpoint.rglob("*")} == stamps
    assert curve(tiny().out) == before


def test_a_finished_run_goes_on_when_it_is_given_more_steps(tiny):
    train(tiny(steps=4))
    assert train(tiny(steps=9)).resumed_from == 4


def test_another_configuration_in_the_same_folder_is_refused_by_its_key(tiny):
    train(tiny())
    with pytest.raises(ManifestError, match=r"data\.resolution: 16 → 32"):
        changed = tiny().model_dump(mode="json")
        changed["data"]["resolution"] = 32
        train(TrainConfig.model_validate(changed))


def test_the_folder_holds_metrics_the_last_checkpoints_and_the_grids_asked_for(tiny):
    config = tiny(
        steps=8, checkpoint={"every": 2, "keep": 2}, sample={"prompts": ["a", "b", "c"], "every": 4, "steps": 2}
    )
    result = train(config)
    out = Path(config.out)
    assert sorted(p.name for p in (out / "checkpoints").iterdir()) == ["latest", "step-00000006", "step-00000008"]
    assert result.checkpoint == out / "checkpoints" / "step-00000008"
    assert sorted(p.name for p in (out / "samples").iterdir()) == ["step-00000004.png", "step-00000008.png"]
    lines = read_metrics(out / "metrics.jsonl")
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    assert all(line["images_per_second"] > 0 and 0 <= line["data_wait"] <= 1 for line in lines)
    assert (result.first_loss, result.last_loss) == (lines[0]["loss"], lines[-1]["loss"])


def test_drawing_on_the_way_does_not_change_what_is_learned(tiny, tmp_path):
    drawing = {"prompts": ["a"], "every": 2, "steps": 2}
    plain = train(tiny(out=str(tmp_path / "plain")))
    drawn = train(tiny(out=str(tmp_path / "drawn"), sample=drawing))
    assert_equal_bit_for_bit(plain.checkpoint, drawn.checkpoint)


def test_samples_that_are_passed_over_are_counted_in_the_result(tiny, tmp_path, picture):
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = [picture(i) if i % 4 else b"broken" for i in range(16)]
    table = pa.table({"image": images, "caption": [str(i) for i in range(16)]})
    pq.write_table(table, tmp_path / "foreign.parquet")
    data = {"path": str(tmp_path / "foreign.parquet"), "resolution": 16}
    reports: list[StepReport] = []
    result = train(tiny(data=data), reports.append)
    assert result.skipped_samples == reports[-1].skipped_samples > 0
    assert read_metrics(Path(tiny().out) / "metrics.jsonl")[-1]["skipped_samples"] == result.skipped_samples


def test_a_remote_folder_for_the_output_is_refused(tiny):
    with pytest.raises(ManifestError, match="not a local folder"):
        train(tiny(out="s3://bucket/train"))


def test_the_best_checkpoint_by_a_held_out_loss_is_kept(tiny):
    """A rate that is far too high after a while, so that the last checkpoint is not the best."""
    held_out = {"data": tiny().data.model_dump() | {"phase": 640, "resolution": 16}, "batch": 3, "batches": 2}
    curriculum = [{"name": "fine", "steps": 6}, {"name": "wild", "optimizer": {"lr": 3.0, "clip": 1e6}}]
    config = tiny(
        steps=14, held_out=held_out, curriculum=curriculum, checkpoint={"every": 2, "keep": 1}, schedule={"warmup": 0}
    )
    result = train(config)
    folder = Path(config.out) / "checkpoints"
    losses = {line["step"]: line["held_out_loss"] for line in read_metrics(Path(config.out) / "metrics.jsonl")}
    assert sorted(losses) == [2, 4, 6, 8, 10, 12, 14]
    best = checkpoints.best_of(folder)
    assert best.step == min(losses, key=losses.get) < result.step
    assert best.state[checkpoints.BEST] == losses[best.step]
    assert sorted(p.name for p in folder.glob("step-*")) == [best.path.name, result.checkpoint.name]
    assert checkpoints.read(folder / "best").step == best.step


def test_a_step_that_memory_cannot_hold_is_told_with_what_to_change(tiny, monkeypatch):
    def forward(*inputs: object) -> None:
        torch.empty(2**60, dtype=torch.uint8)

    monkeypatch.setattr("dataengine.trainer.mmdit.MMDiT.forward", forward)
    with pytest.raises(
        StageError, match=r"step 1: 4 pictures at once need more memory than cpu has\n  → .*micro_batch"
    ):
        train(tiny())


def test_a_run_is_followed_by_tensorboard_where_asked_for_and_refused_where_it_is_missing(tiny):
    config = tiny(log={"every": 2, "tensorboard": True}, sample={"prompts": ["a"], "every": 3, "steps": 1})
    if find_spec("tensorboard") is None:
        with pytest.raises(StageError, match="pip install tensorboard"):
            train(config)
        return
    train(config)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(Path(config.out) / "tensorboard"))
    board.Reload()
    lines = read_metrics(Path(config.out) / "metrics.jsonl")
    assert [event.step for event in board.Scalars("loss")] == [2, 4, 6]
    assert [event.value for event in board.Scalars("loss")] == pytest.approx([line["loss"] for line in lines])
    assert [event.step for event in board.Images("samples")] == [3, 6]
