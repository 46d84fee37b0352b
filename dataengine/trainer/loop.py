"""The training loop: read a batch, take a step, and keep what is worth keeping of it.

Every random draw of a step is seeded by (seed, step), and reading by (seed, epoch, window), so a run is a function of
its configuration and its data: the same curve on the same machine, and after an interruption the very next step.
A finished run does nothing when started again; an unfinished one goes on by itself.

`out` holds metrics.jsonl, checkpoints/ and samples/. Weights and optimizer are fp32; on CUDA the arithmetic is
bfloat16 under autocast. The loss is read back every step, which the guard against non-finite steps needs anyway.
"""

import logging
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dataengine.errors import ManifestError, RunError
from dataengine.trainer import checkpoint as checkpoints
from dataengine.trainer.config import TrainConfig
from dataengine.trainer.data import Reader, prefetch
from dataengine.trainer.metrics import Metrics, StepReport, read_metrics
from dataengine.trainer.training import Training

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """What a call of `train` came to. Losses are those of the first and the last line of metrics.jsonl."""

    checkpoint: Path
    step: int
    resumed_from: int  # the step it went on from: 0 is a fresh start, `step` says that there was nothing to do
    first_loss: float
    last_loss: float
    seconds: float
    skipped_samples: int
    skipped_steps: int


def train(config: TrainConfig, on_step: Callable[[StepReport], None] | None = None) -> TrainResult:
    """Train up to `config.steps`, from the newest checkpoint in `config.out` if there is one."""
    began = time.monotonic()
    out = _open_out(config.out)
    reader = Reader(
        config.data,
        config.batch,
        config.model.patch,
        config.seed,
        channels=config.model.image.channels,
        diary=out / "listings",
    )
    training = Training(config)
    saved = None
    if found := checkpoints.newest(out / "checkpoints"):
        training.restore(found)
        saved = found.path
        log.info("%s: going on from step %d of %d", out, training.step, config.steps)
    resumed_from = training.step
    position = reader.resume(training.position)
    metrics = Metrics(out / "metrics.jsonl", config.log.every, training.step, training.running)

    with closing(prefetch(reader.batches(position))) as batches:
        while training.step < config.steps:
            asked = time.monotonic()
            batch = next(batches)
            waited = time.monotonic() - asked
            loss, grad_norm, lr = training.advance(batch)
            seconds = time.monotonic() - asked
            report = StepReport(
                step=training.step,
                steps=config.steps,
                loss=loss,
                grad_norm=grad_norm,
                lr=lr,
                seconds=seconds,
                images_per_second=len(batch.captions) / seconds,
                data_wait=waited / seconds,
                skipped_samples=batch.state.skipped,
                skipped_steps=training.skipped_steps,
            )
            metrics.add(report)
            done = training.step == config.steps
            if config.sample.prompts and (done or (config.sample.every and training.step % config.sample.every == 0)):
                training.draw(out / "samples" / f"step-{training.step:08d}.png")
            if done or training.step % config.checkpoint.every == 0:
                training.running = metrics.running
                saved = training.save(out / "checkpoints")
            if on_step:
                on_step(report)

    lines = read_metrics(metrics.path)
    return TrainResult(
        checkpoint=saved or out,
        step=training.step,
        resumed_from=resumed_from,
        first_loss=lines[0]["loss"] if lines else float("nan"),
        last_loss=lines[-1]["loss"] if lines else float("nan"),
        seconds=time.monotonic() - began,
        skipped_samples=training.position.skipped,
        skipped_steps=training.skipped_steps,
    )


def _open_out(out: str) -> Path:
    if "://" in out:
        raise ManifestError(
            f"out: {out} is not a local folder", "checkpoints are written locally; copy them afterwards"
        )
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{out}: cannot be made: {error}", "set `out` to a folder that can be written") from None
    return Path(out)
