"""One training run's state, and what a step does to it. The loop around it is in `loop`."""

import logging
import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from dataengine.config import build
from dataengine.device import autocast, choose_dtype, free_memory
from dataengine.errors import ManifestError, RunError, StageError
from dataengine.trainer import checkpoint as checkpoints
from dataengine.trainer.checkpoint import Checkpoint
from dataengine.trainer.config import TrainConfig, differences
from dataengine.trainer.curriculum import Progress
from dataengine.trainer.data import Batch, Reader, ReaderState
from dataengine.trainer.distributed import (
    World,
    add_up_gradients,
    clip,
    complete_gradients,
    materialize,
    parallelize,
)
from dataengine.trainer.ema import EMA
from dataengine.trainer.evaluate.held_out import held_out_loss
from dataengine.trainer.metrics import LEVELS, Step, training_flops
from dataengine.trainer.objective import Errors, Objective
from dataengine.trainer.optimizer import optimizers
from dataengine.trainer.sample import draw, grid, trained_size
from dataengine.trainer.schedule import learning_rate
from dataengine.trainer.text_to_image import TextToImage

log = logging.getLogger(__name__)

MAX_BAD_STEPS = 10  # in a row with a loss or gradient that is not finite; then training has failed


class Training:
    """Weights, their average, the optimizer, and how far reading, counting and the curriculum have come."""

    def __init__(self, config: TrainConfig, world: World) -> None:
        self.config, self.world = config, world
        self.phases = [config.in_phase(number) for number in range(max(1, len(config.curriculum)))]
        self.dtype = choose_dtype(config.dtype, world.device)
        with torch.device("meta"):
            self.model = TextToImage(config.model)
        _refuse_without_room(self.model, config, world)
        parallelize(self.model, config.execution, world, self.dtype)
        materialize(self.model, world, config.seed)
        self.objective = Objective(self.model, self.dtype)
        host = (torch.device("cpu"), world.host_mesh) if config.optimizer.ema_on == "cpu" else ()
        self.ema = EMA(self.model, config.optimizer.ema, *host)
        self.optimizers = optimizers(self.model, config.optimizer)
        self.step = 0
        self.progress = Progress()
        self.position = ReaderState()
        self.skipped_samples = 0
        self.skipped_steps = 0
        self._bad_in_a_row = 0

    @property
    def phase(self) -> str:
        """The name of the phase that the run is in; empty without a curriculum."""
        return self.config.curriculum[self.progress.phase].name if self.config.curriculum else ""

    @property
    def settings(self) -> TrainConfig:
        """The configuration of the phase that the run is in."""
        return self.phases[self.progress.phase]

    def advance(self, batch: Batch) -> Step:
        """One step on this process's share of a batch."""
        settings = self.settings
        lr = settings.optimizer.lr * learning_rate(self.step, self.config.steps, self.config.schedule)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr
        count = len(batch.captions)
        at_once = settings.micro_batch or count
        errors = []
        for start in range(0, count, at_once):
            part = range(start, min(start + at_once, count))
            add_up_gradients(self.model, part.stop == count)
            errors.append(self.objective(batch, part, settings, self.step))
            # The gradients of several processes are averaged, so each divides by its own share of the batch.
            (errors[-1].weighted.sum() / count).backward()
        complete_gradients(self.model, self.world)
        norm = clip(self.model.parameters(), settings.optimizer.clip).item()
        step = self._summed(batch, errors, norm, lr)
        self.step += 1
        self.position, self.skipped_samples = batch.state, step.skipped_samples
        if math.isfinite(step.loss) and math.isfinite(norm):
            for optimizer in self.optimizers:
                optimizer.step()
            self.ema.update(self.step)
            self._bad_in_a_row = 0
        else:
            self._count_bad_step()
        self.model.zero_grad()
        self._move_on(step.loss)
        return step

    def draw(self, path: Path) -> None:
        """The configured prompts as one grid, from the averaged weights. All processes draw, the first one writes."""
        settings = self.settings
        size, wanted = trained_size(settings), settings.sample
        with self.ema.applied(), autocast(self.world.device, self.dtype):
            pictures = draw(
                self.model, wanted.prompts, size, settings.flow, wanted.steps, wanted.guidance, settings.seed
            )
        if not self.world.first:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            grid(pictures, columns=math.ceil(math.sqrt(len(pictures)))).save(path)
        except OSError as error:
            raise RunError(f"{path}: cannot be written: {error}", "make room and run the same command") from None

    def held_out(self) -> float:
        """The loss of the averaged weights on what is held out. All processes compute it, each the whole."""
        wanted, model = self.config.held_out, self.model
        reader = Reader(wanted.data, wanted.batch, model.patch, seed=0, channels=model.config.image.channels)
        with (
            closing(reader.batches(ReaderState())) as batches,
            self.ema.applied(),
            autocast(self.world.device, self.dtype),
        ):
            encoded = (
                (
                    torch.stack(self.objective.tokens(b, range(len(b.sizes)))),
                    model.condition(b.captions, b.states),
                    b.size,
                )
                for b in islice(batches, wanted.batches)
            )
            return held_out_loss(model, encoded).loss

    def save(self, writer: checkpoints.Writer, **more: Any) -> None:
        """Hand everything to the writer, with what else the state is to say."""
        tensors = {
            "model": self.model.state_dict(),
            "ema": self.ema.weights,
            "optimizer": checkpoints.optimizer_tensors(self.model, self.optimizers),
        }
        state = {
            "reader": asdict(self.position.joined(self.world.gathered(self.position))),
            "progress": asdict(self.progress),
            "skipped_samples": self.skipped_samples,
            "skipped_steps": self.skipped_steps,
            "config": self.config.model_dump(mode="json"),
        }
        writer.save(self.step, tensors, state | more)

    def restore(self, found: Checkpoint) -> None:
        """Go on from a checkpoint. Raises ManifestError when it belongs to another configuration."""
        state = found.state
        progress = Progress(**state["progress"])
        saved = build(TrainConfig, state["config"], str(found.path / checkpoints.STATE))
        if differing := differences(saved, self.config, progress.phase):
            raise ManifestError(
                f"{found.path} was trained with another configuration:\n  " + "\n  ".join(differing),
                "restore these values, or set `out` to another folder to train anew",
            )
        group = self.world.writers  # no writer is at work yet
        found.load("model", self.model.state_dict(), group)
        found.load("ema", self.ema.weights, group)
        checkpoints.load_optimizer(self.model, self.optimizers, found, group)
        self.step = found.step
        self.progress = progress
        self.position = ReaderState.from_json(state["reader"])
        self.skipped_samples = state["skipped_samples"]
        self.skipped_steps = state["skipped_steps"]

    def _summed(self, batch: Batch, errors: Sequence[Errors], norm: float, lr: float) -> Step:
        """The processes' shares of a step added up."""
        rows = torch.cat([torch.stack([e.plain, e.weighted.detach(), e.sigma, e.text]) for e in errors], dim=1)
        plain, weighted, sigma, text = (
            rows.double().cpu().tolist() if rows.device.type != "mps" else rows.cpu().tolist()
        )
        image = [tokens for e in errors for tokens in e.image]
        names = [source.name for source in self.settings.data.sources]
        shares = [[0.0, 0] for _ in range(LEVELS + len(names))]
        for loss, level, name in zip(plain, sigma, batch.datasets, strict=True):
            for share in (min(int(level * LEVELS), LEVELS - 1), LEVELS + names.index(name)):
                shares[share][0] += loss
                shares[share][1] += 1
        flops = sum(
            training_flops(self.config.model, tokens, int(words)) for tokens, words in zip(image, text, strict=True)
        )
        own = [sum(weighted), len(image), sum(image) + sum(text), flops, batch.state.skipped]
        total = self.world.total([*own, *(number for share in shares for number in share)])
        loss, images, tokens, flops, skipped = total[: len(own)]
        pairs = [(total[at], int(total[at + 1])) for at in range(len(own), len(total), 2)]
        return Step(
            loss=loss / images,
            grad_norm=norm,
            lr=lr,
            images=int(images),
            tokens=int(tokens),
            flops=flops,
            by_level=tuple(pairs[:LEVELS]),
            by_dataset=dict(zip(names, pairs[LEVELS:], strict=True)),
            skipped_samples=int(skipped),
        )

    def _move_on(self, loss: float) -> None:
        """Count the step in the curriculum, whose next phase reads on in a mixture of its own."""
        reached = self.progress.after(loss, self.config.curriculum)
        if reached.phase != self.progress.phase:
            log.info("step %d: %s begins", self.step, self.config.curriculum[reached.phase].name)
            self.position = self.position.next_phase()
        self.progress = reached

    def _count_bad_step(self) -> None:
        self.skipped_steps += 1
        self._bad_in_a_row += 1
        log.warning("step %d: loss or gradient is not finite; the step is skipped", self.step)
        if self._bad_in_a_row == MAX_BAD_STEPS:
            raise StageError(
                f"loss or gradient was not finite in {MAX_BAD_STEPS} steps in a row, up to step {self.step}",
                "lower optimizer.lr, raise schedule.warmup, or look at the data of these steps",
            )


def _refuse_without_room(model: TextToImage, config: TrainConfig, world: World) -> None:
    """Raises StageError when the weights, their gradients, average and moments will not fit into memory."""
    copies = 5 if config.optimizer.ema_on == "device" or world.device.type == "cpu" else 4
    needed = sum(p.numel() for p in model.parameters()) * 4 * copies / world.size
    free = free_memory(world.device)
    if free is not None and needed > free:
        raise StageError(
            f"weights, gradients, moments and average take {needed / 1e9:.1f} GB of memory; {world.device} has "
            f"{free / 1e9:.1f} GB free",
            "take a smaller model.transformer or more processes, or keep the average on the CPU by optimizer.ema_on",
        )
