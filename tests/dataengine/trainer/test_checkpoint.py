import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from dataengine.errors import RunError
from dataengine.trainer import checkpoint as checkpoints
from dataengine.trainer.optimizer import OptimizerConfig, optimizers


def save(folder: Path, step: int) -> Path:
    return checkpoints.save(folder, step, {"model": {"weight": torch.full((3,), float(step))}}, {"note": "x"})


def test_a_checkpoint_reads_back_and_latest_points_to_it(tmp_path):
    save(tmp_path, 5)
    path = save(tmp_path, 12)
    found = checkpoints.newest(tmp_path)
    assert (found.path, found.step, found.state["note"]) == (path, 12, "x")
    assert found.weights("model")["weight"].tolist() == [12.0] * 3
    assert (tmp_path / "latest").resolve() == path.resolve()


def test_no_folder_and_an_empty_one_hold_no_checkpoint(tmp_path):
    assert checkpoints.newest(tmp_path / "none") is None
    assert checkpoints.newest(tmp_path) is None


def test_one_that_was_interrupted_while_being_written_is_never_seen(tmp_path, monkeypatch):
    save(tmp_path, 5)
    monkeypatch.setattr(Path, "rename", lambda self, target: os._exit(9))
    if (child := os.fork()) == 0:
        save(tmp_path, 6)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    monkeypatch.undo()
    assert (tmp_path / ".step-00000006.draft").is_dir()
    assert checkpoints.newest(tmp_path).step == 5
    save(tmp_path, 6)
    assert checkpoints.newest(tmp_path).step == 6
    assert not (tmp_path / ".step-00000006.draft").exists()


def test_the_last_ones_are_kept(tmp_path):
    for step in (1, 2, 10, 9):
        save(tmp_path, step)
    checkpoints.prune(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-00000009", "step-00000010"]
    checkpoints.prune(tmp_path, keep=5)
    assert checkpoints.newest(tmp_path).step == 10


def test_the_best_by_its_held_out_loss_is_kept_beside_the_last_ones(tmp_path):
    for step, loss in ((1, 0.9), (2, 0.5), (3, 0.7), (4, None), (5, 0.6)):
        checkpoints.save(tmp_path, step, {"model": {"weight": torch.zeros(1)}}, {checkpoints.BEST: loss})
    checkpoints.prune(tmp_path, keep=2)
    assert sorted(path.name for path in tmp_path.glob("step-*")) == [f"step-{step:08d}" for step in (2, 4, 5)]
    assert checkpoints.read(tmp_path / "best").step == checkpoints.best_of(tmp_path).step == 2
    assert checkpoints.newest(tmp_path).step == 5


def test_a_writer_saves_what_was_when_it_was_called_and_goes_on_beside(tmp_path):
    writer = checkpoints.Writer(tmp_path, keep=1)
    weight = torch.zeros(1000)
    for step in (1, 2):
        weight.fill_(step)
        writer.save(step, {"model": {"weight": weight}}, {})
        weight.fill_(-1)
    writer.wait()
    assert checkpoints.newest(tmp_path).weights("model")["weight"].unique().tolist() == [2.0]
    assert len(list(tmp_path.glob("step-*"))) == 1


def test_a_writer_tells_of_its_failure_when_it_is_next_asked(tmp_path):
    (tmp_path / "file").write_text("")
    writer = checkpoints.Writer(tmp_path / "file" / "below", keep=1)
    writer.save(1, {"model": {"weight": torch.zeros(1)}}, {})
    with pytest.raises(RunError, match="the checkpoint cannot be written"):
        writer.wait()


def test_a_runs_folder_and_the_link_stand_for_the_newest(tmp_path):
    path = save(tmp_path / "checkpoints", 3)
    for given in (tmp_path, tmp_path / "checkpoints", tmp_path / "checkpoints" / "latest", path):
        assert checkpoints.read(given).step == 3
    with pytest.raises(RunError, match="no checkpoint here"):
        checkpoints.read(tmp_path / "elsewhere")


def test_a_damaged_file_is_named(tmp_path):
    path = save(tmp_path, 3)
    next((path / "model").iterdir()).write_bytes(b"short")
    with pytest.raises(RunError, match=r"step-00000003/model: cannot be read"):
        checkpoints.read(path).weights("model")
    with pytest.raises(RunError, match=r"step-00000003/ema: cannot be read"):
        checkpoints.read(path).weights("ema")


def test_the_files_are_plain_safetensors(tmp_path):
    (file,) = (save(tmp_path, 3) / "model").glob("*.safetensors")
    assert load_file(file)["weight"].tolist() == [3.0] * 3


def test_a_full_disk_leaves_the_checkpoint_before_and_says_what_to_do(tmp_path):
    resource = pytest.importorskip("resource")
    save(tmp_path, 1)
    if (child := os.fork()) == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            checkpoints.save(tmp_path, 2, {"model": {"weight": torch.zeros(10_000)}}, {})
        except RunError as error:
            os._exit(0 if "make room" in str(error) and "File too large" in str(error) else 2)
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert checkpoints.newest(tmp_path).step == 1
    assert not list(tmp_path.glob(".step*"))


def test_the_optimizers_state_goes_on_exactly_and_passes_over_what_had_no_gradient(tmp_path):
    torch.manual_seed(0)
    model = nn.ModuleDict({"used": nn.Linear(3, 3), "unused": nn.Linear(3, 3)})
    other = nn.ModuleDict({"used": nn.Linear(3, 3), "unused": nn.Linear(3, 3)})
    first, second = (optimizers(each, OptimizerConfig()) for each in (model, other))

    def step(each: nn.ModuleDict, chosen: list[torch.optim.Optimizer]) -> None:
        each["used"](torch.ones(2, 3)).square().sum().backward()
        for optimizer in chosen:
            optimizer.step()
            optimizer.zero_grad()

    step(model, first)
    tensors = checkpoints.optimizer_tensors(model, first)
    assert {key.split("/")[0] for key in tensors} == {"used.weight", "used.bias"}
    other.load_state_dict(model.state_dict())
    checkpoints.save(tmp_path, 1, {"optimizer": tensors}, {})
    checkpoints.load_optimizer(other, second, checkpoints.newest(tmp_path))
    step(model, first)
    step(other, second)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
