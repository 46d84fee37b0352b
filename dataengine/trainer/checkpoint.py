"""Checkpoints: folders `step-00000300` that stand complete or not at all, and from which training goes on exactly.

    model/      the weights; those under `transformer.` have the released model's names
    ema/        the averaged weights, which draw
    optimizer/  the moments and steps, by parameter
    state.json  the step, where reading goes on, the running figures, and the whole configuration

The three folders hold safetensors files, one from each process that trained, which wrote what it holds
(torch.distributed.checkpoint). Reading puts the pieces together, or hands each process its own, however many there were
and are. No random state is kept: every draw of a step is seeded by the run's seed and the step's number.

A checkpoint is written beside training, from a copy in memory, under another name that is changed when all of it is on
disk; so one that was interrupted is never seen. `latest` and `best` are links for people; both are found by what the
folders say.
"""

import json
import os
import re
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.staging import DefaultStager, StagingOptions

from dataengine.errors import RunError

# A training by one process needs no group of them, and is told so at each save.
warnings.filterwarnings("ignore", message="torch.distributed is disabled, unavailable or uninitialized")

STATE = "state.json"
BEST = "held_out_loss"
"""The entry of state.json by which the best checkpoint is told; lower is better."""
_NAME = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True)
class Checkpoint:
    """One on disk. Tensors are read when asked for."""

    path: Path
    step: int
    state: dict[str, Any]

    def weights(self, kind: str) -> dict[str, Tensor]:
        """The whole tensors of `model`, `ema` or `optimizer`, whatever the processes that wrote them."""
        with self._readable(kind):
            described = self._reader(kind).read_metadata().state_dict_metadata
            whole = {name: torch.empty(one.size, dtype=one.properties.dtype) for name, one in described.items()}
            dcp.load(whole, storage_reader=self._reader(kind), no_dist=True)
        return whole

    def load(self, kind: str, tensors: dict[str, Tensor], group: dist.ProcessGroup | None = None) -> None:
        """Fill `tensors`, of which each process may hold a part; all processes of `group` call it."""
        with self._readable(kind):
            dcp.load(tensors, storage_reader=self._reader(kind), process_group=group, no_dist=group is None)

    def shapes(self, kind: str) -> dict[str, torch.Size]:
        """Of the whole tensors, by name."""
        with self._readable(kind):
            return {name: one.size for name, one in self._reader(kind).read_metadata().state_dict_metadata.items()}

    def _reader(self, kind: str) -> dcp.HuggingFaceStorageReader:
        return dcp.HuggingFaceStorageReader(str(self.path / kind))

    @contextmanager
    def _readable(self, kind: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, SafetensorError, CheckpointException) as error:
            raise RunError(
                f"{self.path / kind}: cannot be read: {_reason(error)}", "remove that checkpoint to use the one before"
            ) from None


class Writer:
    """Writes a training's checkpoints, one at a time, while training goes on. Every process has one."""

    def __init__(self, folder: Path, keep: int, first: bool = True, group: dist.ProcessGroup | None = None) -> None:
        """`first`: whether this process names and prunes. `group`: the processes, in a group used for nothing else."""
        self.folder, self.keep, self.first, self.group = folder, keep, first, group
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writing: Future[Path] | None = None

    def save(self, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> None:
        """Take a copy of everything and return; raises RunError when the one before could not be written."""
        self.wait()
        copied = {kind: _copied(content) for kind, content in tensors.items()}
        self._writing = self._thread.submit(self._write, step, copied, dict(state))

    def wait(self) -> None:
        """Until what was saved stands on disk. Raises RunError when it does not."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def _write(self, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> Path:
        path = save(self.folder, step, tensors, state, self.first, self.group)
        if self.first:
            prune(self.folder, self.keep)
        return path


def save(
    folder: Path,
    step: int,
    tensors: Mapping[str, Mapping[str, Tensor]],
    state: Mapping[str, Any],
    first: bool = True,
    group: dist.ProcessGroup | None = None,
) -> Path:
    """Write `folder/step-…` in one piece and point `latest` to it. `tensors` are by folder, then by name."""
    final = folder / f"step-{step:08d}"
    draft = folder / f".{final.name}.draft"
    try:
        if first:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
        _meet(group)
        for kind, content in tensors.items():
            writer = dcp.HuggingFaceStorageWriter(str(draft / kind), save_distributed=True)
            dcp.save(dict(content), storage_writer=writer, process_group=group, no_dist=group is None)
        if first:
            (draft / STATE).write_text(json.dumps({"step": step, **state}, indent=1), encoding="utf-8")
            for path in (draft / STATE, *(draft / kind for kind in tensors), draft):
                _sync(path)
            if final.exists():
                shutil.rmtree(final)
            draft.rename(final)
            _link(folder, "latest", final.name)
    except (OSError, RuntimeError, SafetensorError, CheckpointException) as error:
        shutil.rmtree(draft, ignore_errors=True)
        remedy = "make room or mend its permissions, then run the same command: training goes on from the last one"
        raise RunError(f"{final}: the checkpoint cannot be written: {_reason(error)}", remedy) from None
    return final


def prune(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints and the best of those that were evaluated; `best` points to it."""
    best = best_of(folder)
    if best is not None:
        _link(folder, "best", best.path.name)
    for path in _all(folder)[:-keep]:
        if best is None or path != best.path:
            shutil.rmtree(path)


def newest(folder: Path) -> Checkpoint | None:
    """The checkpoint with the highest step below `folder`; None when there is none."""
    found = _all(folder)
    return read(found[-1]) if found else None


def best_of(folder: Path) -> Checkpoint | None:
    """The checkpoint below `folder` with the lowest held-out loss, the last of equals; None when none was evaluated."""
    evaluated = [found for found in map(read, _all(folder)) if found.state.get(BEST) is not None]
    return min(reversed(evaluated), key=lambda found: found.state[BEST], default=None)


def read(path: Path) -> Checkpoint:
    """The checkpoint at `path`, or the newest one of the training run or checkpoints folder at `path`."""
    for folder in (path, path / "checkpoints"):
        if (folder / STATE).is_file():
            try:
                state = json.loads((folder / STATE).read_text(encoding="utf-8"))
                return Checkpoint(folder, state["step"], state)
            except (OSError, ValueError, KeyError) as error:
                raise RunError(f"{folder / STATE}: cannot be read: {error}", "remove that checkpoint") from None
        if found := _all(folder):
            return read(found[-1])
    raise RunError(f"{path}: no checkpoint here", "give a step-… folder, or the `out` folder of a training run")


def optimizer_tensors(model: nn.Module, optimizers: Sequence[torch.optim.Optimizer]) -> dict[str, Tensor]:
    """The optimizers' state by `parameter/key`. Parameters that never had a gradient have none."""
    return {
        f"{name}/{key}": value
        for name, parameter in model.named_parameters()
        for optimizer in optimizers
        for key, value in optimizer.state.get(parameter, {}).items()
    }


def load_optimizer(
    model: nn.Module,
    optimizers: Sequence[torch.optim.Optimizer],
    found: Checkpoint,
    group: dist.ProcessGroup | None = None,
) -> None:
    """The inverse: the state in a checkpoint's `optimizer`, each process its part."""
    parameters = dict(model.named_parameters())
    keeper = {id(p): each for each in optimizers for settings in each.param_groups for p in settings["params"]}
    tensors = {}
    for key, shape in found.shapes("optimizer").items():
        name, _, entry = key.rpartition("/")
        parameter = parameters[name]
        like = parameter.detach()
        tensors[key] = torch.zeros_like(like) if shape == like.shape else torch.zeros(shape, device=like.device)
        keeper[id(parameter)].state[parameter][entry] = tensors[key]
    found.load("optimizer", tensors, group)


def _copied(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same in the CPU's memory, each process its part, untouched by what training does next."""
    stager = DefaultStager(StagingOptions(False, False, False, False))
    try:
        return stager.stage(dict(tensors))
    finally:
        stager.close()


def _all(folder: Path) -> list[Path]:
    """Checkpoint folders, oldest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


def _link(folder: Path, name: str, target: str) -> None:
    draft = folder / f".{name}.draft"
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    draft.replace(folder / name)
    _sync(folder)


def _meet(group: dist.ProcessGroup | None) -> None:
    if group is not None:
        dist.barrier(group)


def _reason(error: BaseException) -> str:
    """The first of the processes' reasons, where there are several."""
    if isinstance(error, CheckpointException) and error.failures:
        return str(next(iter(error.failures.values()))[0])
    return str(error)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
