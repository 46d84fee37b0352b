"""What a training run says of itself: a report a step, and `metrics.jsonl` with a line for every few steps.

A line's figures are means over the steps since the line before; times are wall-clock. When a run goes on from a
checkpoint, lines beyond it are cut off, and the half-made line is taken up, so the losses of an interrupted run are
those of an undisturbed one.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

from dataengine.errors import RunError


@dataclass(frozen=True)
class StepReport:
    """What one step did."""

    step: int  # steps done, this one included
    steps: int  # of the whole run
    loss: float
    grad_norm: float  # before clipping
    lr: float
    seconds: float
    images_per_second: float
    data_wait: float  # share of the step's time in which it waited for the batch
    skipped_samples: int  # so far
    skipped_steps: int  # so far, because loss or gradient was not finite


@dataclass
class Running:
    """The sums of a line in the making. Steps that were skipped count in none of them."""

    steps: int = 0
    loss: float = 0.0
    grad_norm: float = 0.0
    images: float = 0.0
    seconds: float = 0.0
    waited: float = 0.0


class Metrics:
    """The file. `running` belongs into a checkpoint."""

    def __init__(self, path: Path, every: int, step: int, running: Running) -> None:
        """Go on after `step`."""
        self.path = path
        self.every = every
        self.running = running
        lines = [line for line in read_metrics(path) if line["step"] <= step]
        self._write("w", "".join(json.dumps(line) + "\n" for line in lines))

    def add(self, report: StepReport) -> None:
        sums = self.running
        if math.isfinite(report.loss) and math.isfinite(report.grad_norm):
            sums.steps += 1
            sums.loss += report.loss
            sums.grad_norm += report.grad_norm
            sums.images += report.images_per_second * report.seconds
            sums.seconds += report.seconds
            sums.waited += report.data_wait * report.seconds
        if (report.step % self.every == 0 or report.step == report.steps) and sums.steps:
            line = {
                "step": report.step,
                "loss": sums.loss / sums.steps,
                "grad_norm": sums.grad_norm / sums.steps,
                "lr": report.lr,
                "images_per_second": round(sums.images / sums.seconds, 2),
                "data_wait": round(sums.waited / sums.seconds, 4),
                "skipped_samples": report.skipped_samples,
                "skipped_steps": report.skipped_steps,
            }
            self._write("a", json.dumps(line) + "\n")
            self.running = Running()

    def _write(self, mode: str, text: str) -> None:
        try:
            with self.path.open(mode, encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise RunError(f"{self.path}: cannot be written: {error}", "make room and run the same command") from None


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The lines of a metrics file; one that was cut short by an interruption is left out."""
    lines = []
    for text in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines
