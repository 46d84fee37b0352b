"""What a training run says of itself: a report a step, and `metrics.jsonl` with a line for every few steps.

A line's figures are means over the steps since the line before; times are wall-clock. When a run goes on from a
checkpoint, lines beyond it are cut off, and the half-made line is taken up, so the losses of an interrupted run are
those of an undisturbed one.

The loss is also told apart by noise level, in ten bins of sigma, and by dataset: a loss that is level as a whole often
hides one of them that rises. These two are of the error itself, without the weights of `flow.weighting`.
"""

import json
import math
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dataengine.errors import RunError
from dataengine.trainer.trackers import NOBODY, Trackers

if TYPE_CHECKING:
    from dataengine.trainer.text_to_image import ModelConfig

LEVELS = 10
"""Bins of sigma, of equal width."""

Share = tuple[float, int]
"""The sum of some samples' losses, and how many they are."""


@dataclass(frozen=True)
class Step:
    """What a step came to, all processes together."""

    loss: float
    grad_norm: float  # before clipping
    lr: float
    images: int
    tokens: int  # of pictures and captions, without padding
    flops: float  # of the forward and backward pass
    by_level: tuple[Share, ...]
    by_dataset: dict[str, Share]
    skipped_samples: int  # so far


@dataclass(frozen=True)
class StepReport(Step):
    """A step, and how it went."""

    step: int  # steps done, this one included
    steps: int  # of the whole run
    phase: str  # of the curriculum; empty without one
    seconds: float
    waited: float  # seconds of these in which it waited for the batch
    memory: int  # bytes that this process has held at most: of the GPU, or of the machine
    skipped_steps: int  # so far, because loss or gradient was not finite

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds

    @property
    def data_wait(self) -> float:
        """Share of the step's time in which it waited for the batch."""
        return self.waited / self.seconds


@dataclass
class Running:
    """The sums of a line in the making. Steps that were skipped count in none of them."""

    steps: int = 0
    loss: float = 0.0
    grad_norm: float = 0.0
    images: int = 0
    tokens: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    waited: float = 0.0
    by_level: list[list[float]] = field(default_factory=lambda: [[0.0, 0] for _ in range(LEVELS)])
    by_dataset: dict[str, list[float]] = field(default_factory=dict)
    held_out: float | None = None  # the last one since the line before

    def add(self, report: StepReport) -> None:
        self.steps += 1
        for name in ("loss", "grad_norm", "images", "tokens", "flops", "seconds", "waited"):
            setattr(self, name, getattr(self, name) + getattr(report, name))
        for level, share in enumerate(report.by_level):
            _add(self.by_level[level], share)
        for name, share in report.by_dataset.items():
            _add(self.by_dataset.setdefault(name, [0.0, 0]), share)

    def line(self, last: StepReport, peak: float | None) -> dict[str, Any]:
        """The line of which `last` is the last step. `peak`: FLOPs per second that the devices could do at most."""
        line = {
            "step": last.step,
            "loss": self.loss / self.steps,
            "grad_norm": self.grad_norm / self.steps,
            "lr": last.lr,
            "images_per_second": round(self.images / self.seconds, 2),
            "tokens_per_second": round(self.tokens / self.seconds, 1),
            "data_wait": round(self.waited / self.seconds, 4),
            "memory": last.memory,
            "skipped_samples": last.skipped_samples,
            "skipped_steps": last.skipped_steps,
            "loss_by_level": [_mean(share) for share in self.by_level],
            "loss_by_dataset": {name: _mean(share) for name, share in sorted(self.by_dataset.items())},
        }
        if self.held_out is not None:
            line["held_out_loss"] = self.held_out
        if peak:
            line["mfu"] = round(self.flops / self.seconds / peak, 4)
        return line | ({"phase": last.phase} if last.phase else {})


class Metrics:
    """The file, and whoever else follows. `running` belongs into a checkpoint."""

    def __init__(
        self,
        path: Path,
        every: int,
        step: int,
        running: Running,
        trackers: Trackers = NOBODY,
        peak: float | None = None,
    ) -> None:
        """Go on after `step`."""
        self.path, self.every, self.running, self.trackers, self.peak = path, every, running, trackers, peak
        lines = [line for line in read_metrics(path) if line["step"] <= step]
        self._write("w", "".join(json.dumps(line) + "\n" for line in lines))

    def add(self, report: StepReport, held_out: float | None = None) -> None:
        """Count a step, after which a held-out loss may have been measured."""
        self.running.held_out = self.running.held_out if held_out is None else held_out
        if math.isfinite(report.loss) and math.isfinite(report.grad_norm):
            self.running.add(report)
        if (report.step % self.every == 0 or report.step == report.steps) and self.running.steps:
            line = self.running.line(report, self.peak)
            self._write("a", json.dumps(line) + "\n")
            self.trackers.figures(report.step, flat(line))
            self.running = Running()

    def _write(self, mode: str, text: str) -> None:
        try:
            with self.path.open(mode, encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written: {error}", "make room and run the same command") from None


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file; one that was cut short by an interruption is left out."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


def flat(line: Mapping[str, Any]) -> dict[str, float]:
    """A line's numbers, each by one name: that of a bin of noise levels is its middle."""
    numbers = {name: value for name, value in line.items() if isinstance(value, int | float) and name != "step"}
    for level, loss in enumerate(line["loss_by_level"]):
        numbers[f"loss_by_level/{(level + 0.5) / LEVELS:.2f}"] = loss
    for name, loss in line["loss_by_dataset"].items():
        numbers[f"loss_by_dataset/{name}"] = loss
    return {name: value for name, value in numbers.items() if value is not None}


def peak_memory(device: torch.device) -> int:
    """Bytes that this process has held at most: of the GPU, or else of the machine's memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def _add(sums: list[float], share: Share) -> None:
    sums[0] += share[0]
    sums[1] += share[1]


def _mean(share: Sequence[float]) -> float | None:
    return share[0] / share[1] if share[1] else None


def training_flops(config: "ModelConfig", image: int, text: int) -> float:
    """Of one sample's forward and backward pass, 2 a multiply-add, the backward pass twice the forward."""
    width, layers = config.transformer.width, config.transformer.layers
    ends = 2 * config.token_channels * image * width + config.text.channels * text * width
    return 3 * 2 * (layers * (12 * width**2 * (image + text) + 2 * width * (image + text) ** 2) + ends)
