"""Checkpoints: folders `step-00000300` that stand complete or not at all, and from which training goes on exactly.

    model.safetensors      the weights; those under `transformer.` have the released model's names
    ema.safetensors        the averaged weights, which draw
    optimizer.safetensors  AdamW's moments and step, by parameter
    state.json             the step, where reading goes on, the running figures, and the whole configuration

No random state is kept: every draw of a step is seeded by the run's seed and the step's number. A checkpoint is written
beside and renamed, so one that was interrupted is never seen. `latest` is a link for people; the newest is found by
number.
"""

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dataengine.errors import RunError

STATE = "state.json"
_NAME = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True)
class Checkpoint:
    """One on disk. Tensors are read when asked for."""

    path: Path
    step: int
    state: dict[str, Any]

    def weights(self, kind: str) -> dict[str, Tensor]:
        """The tensors of `model`, `ema` or `optimizer`."""
        file = self.path / f"{kind}.safetensors"
        try:
            return load_file(file)
        except (OSError, SafetensorError) as error:
            raise RunError(f"{file}: cannot be read: {error}", "remove that checkpoint to use the one before") from None


def save(folder: Path, step: int, tensors: Mapping[str, Mapping[str, Tensor]], state: Mapping[str, Any]) -> Path:
    """Write `folder/step-…` in one piece and point `latest` to it. `tensors` are by file name, then by key."""
    final = folder / f"step-{step:08d}"
    draft = folder / f".{final.name}.draft"
    try:
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        for kind, content in tensors.items():
            save_file({name: tensor.contiguous() for name, tensor in content.items()}, draft / f"{kind}.safetensors")
        (draft / STATE).write_text(json.dumps({"step": step, **state}, indent=1), encoding="utf-8")
        for file in draft.iterdir():
            _sync(file)
        if final.exists():
            shutil.rmtree(final)
        draft.rename(final)
        link = folder / ".latest.draft"
        link.unlink(missing_ok=True)
        link.symlink_to(final.name)
        link.replace(folder / "latest")
        _sync(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(draft, ignore_errors=True)
        remedy = "make room or mend its permissions, then run the same command: training goes on from the last one"
        raise RunError(f"{final}: the checkpoint cannot be written: {error}", remedy) from None
    return final


def prune(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` checkpoints."""
    for path in _all(folder)[:-keep]:
        shutil.rmtree(path)


def newest(folder: Path) -> Checkpoint | None:
    """The checkpoint with the highest step below `folder`; None when there is none."""
    found = _all(folder)
    return read(found[-1]) if found else None


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
    model: nn.Module, optimizers: Sequence[torch.optim.Optimizer], tensors: Mapping[str, Tensor]
) -> None:
    """The inverse of `optimizer_tensors`."""
    parameters = dict(model.named_parameters())
    keeper = {id(p): each for each in optimizers for group in each.param_groups for p in group["params"]}
    for key, value in tensors.items():
        name, _, entry = key.rpartition("/")
        parameter = parameters[name]
        keeper[id(parameter)].state[parameter][entry] = value.to(parameter.device)


def _all(folder: Path) -> list[Path]:
    """Checkpoint folders, oldest first."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("step-")))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
