"""Several processes make the training that one makes. Two real ones, with gloo, started as torchrun starts them."""

import json
import os
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from dataengine.errors import ManifestError
from dataengine.trainer import checkpoint as checkpoints
from dataengine.trainer.config import TrainConfig
from dataengine.trainer.data import Reader, ReaderState
from dataengine.trainer.distributed import ExecutionConfig, World, parallelize, world
from dataengine.trainer.loop import train
from dataengine.trainer.metrics import StepReport, read_metrics
from dataengine.trainer.text_to_image import TextToImage
from dataengine.trainer.training import Training

CPU = torch.device("cpu")

# Trains by each configuration in turn, and says of each: what its steps came to, where the process read each sample,
# and how much of the model it held.
SCRIPT = """
    import json, os, sys, torch
    torch.set_num_threads(1)
    from dataengine.trainer import loop
    from dataengine.trainer.config import TrainConfig
    from dataengine.trainer.training import Training

    advance, read, held = Training.advance, [], []

    def watched(self, batch):
        read.append({index: list(use.place) for index, use in zip(batch.index, batch.uses)})
        held.append(sum(p.to_local().numel() for p in self.model.parameters()))
        return advance(self, batch)

    Training.advance = watched
    for config, port in json.load(sys.stdin):
        os.environ["MASTER_PORT"], steps = port, []
        loop.train(TrainConfig.model_validate(config), lambda report: steps.append([report.loss, report.grad_norm]))
        print(json.dumps({"steps": steps, "read": read, "held": held}), flush=True)
        read, held = [], []
"""


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def started(processes: int, configs: Sequence[TrainConfig]) -> list[list[dict]]:
    """What each process says of each training."""
    given = json.dumps([(config.model_dump(mode="json"), free_port()) for config in configs])
    shared = os.environ | {"MASTER_ADDR": "127.0.0.1", "WORLD_SIZE": str(processes)}
    children = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", textwrap.dedent(SCRIPT)],
            env=shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(processes)
    ]
    for child in children:
        child.stdin.write(given)
        child.stdin.close()
    said = [[json.loads(line) for line in child.stdout] for child in children]
    assert [child.wait() for child in children] == [0] * processes
    return said


@pytest.fixture
def laned(tiny, shards, tmp_path) -> Callable[..., TrainConfig]:
    """A configuration whose data comes in two lanes."""

    def make(out: str, **changes: object) -> TrainConfig:
        data = {"path": str(shards), "phase": 256, "resolution": 16, "shuffle": 8, "lanes": 2}
        return tiny(**({"data": data, "out": str(tmp_path / out), "steps": 4, "checkpoint": {"every": 2}} | changes))

    return make


def assert_close(first: Path, second: Path) -> None:
    for kind in ("model", "ema", "optimizer"):
        one, other = (checkpoints.read(path).weights(kind) for path in (first, second))
        assert one.keys() == other.keys()
        for name in one:
            torch.testing.assert_close(one[name], other[name], rtol=1e-4, atol=1e-5, msg=f"{kind}: {name}")


def losses(config: TrainConfig) -> list[tuple[float, float]]:
    reports: list[StepReport] = []
    train(config, reports.append)
    return [(report.loss, report.grad_norm) for report in reports]


def read_in_order(config: TrainConfig, steps: int) -> list[dict[str, list[int]]]:
    """Where each sample of each step is read, by its place in the batch."""
    reader = Reader(config.data, config.batch, config.model.patch, config.seed)
    with closing(reader.batches(ReaderState())) as batches:
        return [{str(at): list(use.place) for at, use in enumerate(b.uses)} for b in islice(batches, steps)]


def test_two_processes_make_the_training_of_one_and_either_goes_on_from_the_other(laned, tmp_path):
    muon = {"optimizer": {"kind": "muon", "ema_on": "cpu"}, "micro_batch": 1}
    tensor = {"execution": {"tensor": 2, "recompute": "elementwise"}, "sample": {"prompts": ["a"], "steps": 1}}
    level = {"schedule": {"kind": "constant"}}
    alone = [losses(laned("plain")), losses(laned("muon", **muon))]
    straight = losses(laned("straight", steps=6, **level))
    losses(laned("half", steps=2, **level))

    configs = [laned("two"), laned("two-muon", **muon), laned("two-tensor", **tensor), laned("half", **level)]
    first, second = started(2, configs)

    for own, theirs in zip((*alone, alone[0]), first, strict=False):
        assert np.array(theirs["steps"]) == pytest.approx(np.array(own), rel=1e-4)
    assert_close(tmp_path / "plain", tmp_path / "two")
    assert_close(tmp_path / "muon", tmp_path / "two-muon")
    assert_close(tmp_path / "plain", tmp_path / "two-tensor")
    assert not any(said["steps"] for said in second)  # the first process tells

    shares = zip(first[0]["read"], second[0]["read"], strict=True)
    assert [dict(sorted((one | other).items())) for one, other in shares] == read_in_order(laned("plain"), 4)
    assert first[2]["read"] == second[2]["read"]  # two that share the layers have the same samples
    count = sum(p.numel() for p in TextToImage(laned("plain").model).parameters())
    for said in (*first[:2], *second[:2]):
        assert 0.4 * count < said["held"][0] < 0.6 * count
    assert (tmp_path / "two-tensor/samples/step-00000004.png").exists()

    # Two have gone on where one stopped, and one goes on where two stopped.
    assert [loss for loss, _ in first[3]["steps"]] == pytest.approx([loss for loss, _ in straight[2:4]], rel=1e-4)
    further = losses(laned("half", steps=6, **level))
    assert [loss for loss, _ in further] == pytest.approx([loss for loss, _ in straight[4:]], rel=1e-4)
    assert [line["step"] for line in read_metrics(tmp_path / "half" / "metrics.jsonl")] == [2, 4, 6]


@pytest.mark.parametrize("recompute", ["elementwise", "blocks"])
def test_working_out_again_what_was_not_kept_changes_nothing(tiny, recompute):
    def gradients(execution: ExecutionConfig) -> tuple[list[torch.Tensor], int]:
        kept = 0

        def count(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal kept
            kept += tensor.numel()
            return tensor

        torch.manual_seed(0)
        model = TextToImage(tiny().model)
        for block in model.transformer.transformer_blocks:
            torch.nn.init.normal_(block.img_mod[1].weight, std=0.1)
        parallelize(model, execution, World(CPU), torch.float32)
        torch.manual_seed(1)
        tokens = torch.randn(2, 16, model.config.token_channels)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            out = model(tokens, torch.tensor([0.2, 0.7]), model.encode(["a", "bcd"]), (16, 16))
        (out * torch.randn_like(out)).sum().backward()
        return [p.grad for p in model.parameters() if p.grad is not None], kept

    whole, all_kept = gradients(ExecutionConfig())
    again, fewer = gradients(ExecutionConfig(recompute=recompute))
    half, between = gradients(ExecutionConfig(recompute=recompute, recompute_every=2))
    assert len(whole) == len(again) == len(half)
    assert all(torch.equal(a, b) and torch.equal(a, c) for a, b, c in zip(whole, again, half, strict=True))
    assert fewer < between < all_kept


def test_the_first_weights_are_those_of_the_seed_however_they_came_to_have_memory(tiny):
    expected = TextToImage(tiny().model)
    torch.manual_seed(tiny().seed)
    expected.initialise()
    made = dict(Training(tiny(), World(CPU)).model.named_parameters())
    assert made.keys() == dict(expected.named_parameters()).keys()
    assert all(torch.equal(made[name], parameter) for name, parameter in expected.named_parameters())


def test_one_process_cannot_share_a_layer():
    with (
        pytest.raises(ManifestError, match=r"2 processes are to share each layer, but there is one"),
        world(ExecutionConfig(tensor=2), CPU),
    ):
        pass


def test_processes_that_make_no_whole_groups_are_refused(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(ManifestError, match="3 processes are no multiple of 2"), world(ExecutionConfig(tensor=2), CPU):
        pass
