"""The training loop: read a batch, take a step, and keep what is worth keeping of it.

Every random draw of a step is seeded by (seed, step, place in the batch), and reading by the seed and its place, so a
run is a function of its configuration and its data: the same curve on the same machine, and after an interruption the
very next step. A finished run does nothing when started again; an unfinished one goes on by itself. Several processes
(`distributed`) make the steps that one would make, up to the rounding of sums.

`out` holds metrics.jsonl, checkpoints/ and samples/. Weights and optimizer are fp32; on CUDA the arithmetic is
bfloat16 under autocast. The loss is read back every step, which the guard against non-finite steps needs anyway.
"""

import logging
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from dataengine.device import choose_device
from dataengine.errors import ManifestError, RunError, StageError
from dataengine.trainer import checkpoint as checkpoints
from dataengine.trainer.config import TrainConfig
from dataengine.trainer.data import Batch, Reader, prefetch
from dataengine.trainer.distributed import World, launched, world
from dataengine.trainer.metrics import Metrics, Running, Step, StepReport, peak_memory, read_metrics
from dataengine.trainer.text_to_image import check_encoders
from dataengine.trainer.trackers import trackers
from dataengine.trainer.training import Training

log = logging.getLogger(__name__)

OnStep = Callable[[StepReport], None]


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


def train(config: TrainConfig, on_step: OnStep | None = None) -> TrainResult:
    """Train up to `config.steps`, from the newest checkpoint in `config.out` if there is one.

    With `launch.workers`, by so many processes of Ray Train; started by torchrun, as one of its processes, of which the
    first calls `on_step`.
    """
    if config.launch.workers > 1 and not launched():
        from dataengine.trainer.launch import train_by_ray

        return train_by_ray(config, on_step)
    with world(config.execution, choose_device(config.device)) as joined:
        return _train(config, joined, on_step)


def _train(config: TrainConfig, world: World, on_step: OnStep | None) -> TrainResult:
    began = time.monotonic()
    out = _open_out(config.out)
    training = Training(config, world)
    writer = checkpoints.Writer(out / "checkpoints", config.checkpoint.keep, world.first, world.writers)
    running = Running()
    if found := checkpoints.newest(writer.folder):
        training.restore(found)
        running = Running(**found.state["running"])
        log.info("%s: going on from step %d of %d", out, training.step, config.steps)
    resumed_from = training.step
    with ExitStack() as stack:
        stack.callback(writer.wait)  # also when interrupted: what was handed over is written to its end
        batches = stack.enter_context(closing(_batches(training, out)))
        metrics = None
        if world.first:
            others = stack.enter_context(trackers(config, out, training.step))
            peak = config.log.peak_tflops and config.log.peak_tflops * 1e12 * world.size
            metrics = Metrics(out / "metrics.jsonl", config.log.every, training.step, running, others, peak)
        while training.step < config.steps:
            phase, asked = training.phase, time.monotonic()
            batch = next(batches)
            waited = time.monotonic() - asked
            step = _advance(training, batch)
            report = StepReport(
                **vars(step),
                step=training.step,
                steps=config.steps,
                phase=phase,
                seconds=time.monotonic() - asked,
                waited=waited,
                memory=peak_memory(world.device),
                skipped_steps=training.skipped_steps,
            )
            done = training.step == config.steps
            saving = done or _due(training.step, config.checkpoint.every)
            held_out = training.held_out() if saving and config.held_out else None
            if metrics:
                metrics.add(report, held_out)
            if config.sample.prompts and (done or _due(training.step, config.sample.every)):
                training.draw(picture := out / "samples" / f"step-{training.step:08d}.png")
                if metrics:
                    metrics.trackers.picture(training.step, picture)
            if saving:
                more = {"running": asdict(metrics.running if metrics else running), checkpoints.BEST: held_out}
                training.save(writer, **more)
            if on_step and world.first:
                on_step(report)

    lines = read_metrics(out / "metrics.jsonl")
    standing = checkpoints.newest(writer.folder)
    return TrainResult(
        checkpoint=standing.path if standing else out,
        step=training.step,
        resumed_from=resumed_from,
        first_loss=lines[0]["loss"] if lines else float("nan"),
        last_loss=lines[-1]["loss"] if lines else float("nan"),
        seconds=time.monotonic() - began,
        skipped_samples=training.skipped_samples,
        skipped_steps=training.skipped_steps,
    )


def _batches(training: Training, out: Path) -> Generator[Batch]:
    """This process's shares of batches from where the training stands, each phase by a reader of its own."""
    world, model = training.world, training.config.model
    while True:
        settings, number = training.settings, training.progress.phase
        reader = Reader(
            settings.data,
            settings.pictures,
            model.patch,
            settings.seed,
            world.data_rank,
            world.data_size,
            channels=model.image.channels,
            diary=out / "reading",
        )
        check_encoders(model, reader.encoders)
        training.model.empty = reader.empty
        with closing(prefetch(reader.batches(reader.resume(training.position)))) as batches:
            while training.progress.phase == number:
                yield next(batches)


def _advance(training: Training, batch: Batch) -> Step:
    try:
        return training.advance(batch)
    except RuntimeError as error:
        if not (isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)):
            raise
        at_once = training.settings.micro_batch or len(batch.captions)
        raise StageError(
            f"step {training.step + 1}: {at_once} pictures at once need more memory than {training.world.device} has",
            f"set micro_batch below {at_once}, which changes no step, or execution.recompute to elementwise or blocks",
        ) from None


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


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
