"""One training run's state, and what a step does to it. The loop around it is in `loop`."""

import logging
import math
import random
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from dataengine.device import choose_device, choose_dtype
from dataengine.errors import ManifestError, RunError, StageError
from dataengine.trainer import checkpoint as checkpoints
from dataengine.trainer.checkpoint import Checkpoint
from dataengine.trainer.config import OptimizerConfig, ScheduleConfig, TrainConfig, differences
from dataengine.trainer.data import Batch, ReaderState
from dataengine.trainer.ema import EMA
from dataengine.trainer.flow import draw_sigma, flow_loss, noised
from dataengine.trainer.metrics import Running
from dataengine.trainer.patchify import bucket_size
from dataengine.trainer.sample import draw, grid
from dataengine.trainer.text_to_image import TextToImage

log = logging.getLogger(__name__)

MAX_BAD_STEPS = 10  # in a row with a loss or gradient that is not finite; then training has failed


class Training:
    """Weights, their average, the optimizer, and how far reading and counting have come."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        self.device = choose_device(config.device)
        self.dtype = choose_dtype(config.dtype, self.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.model = TextToImage(config.model)
        self.model.to(self.device)
        self.ema = EMA(self.model, config.optimizer.ema)
        self.optimizer = adamw(self.model, config.optimizer)
        self.step = 0
        self.position = ReaderState()
        self.running = Running()
        self.skipped_steps = 0
        self._bad_in_a_row = 0

    def advance(self, batch: Batch) -> tuple[float, float, float]:
        """One step on one batch: its loss, its gradient's norm, and the learning rate."""
        lr = self.config.optimizer.lr * learning_rate(self.step, self.config.steps, self.config.schedule)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        loss = self.loss(batch)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip)
        self.step += 1
        self.position = batch.state
        if math.isfinite(loss.item()) and math.isfinite(norm.item()):
            self.optimizer.step()
            self.ema.update(self.step)
            self._bad_in_a_row = 0
        else:
            self._count_bad_step()
        self.optimizer.zero_grad()
        return loss.item(), norm.item(), lr

    def loss(self, batch: Batch) -> Tensor:
        """The velocity's mean squared error at noise levels drawn for this step, one a picture."""
        chance = random.Random(f"{self.config.seed}/{self.step}")
        captions = ["" if chance.random() < self.config.caption_dropout else caption for caption in batch.captions]
        generator = torch.Generator(self.device).manual_seed(chance.getrandbits(63))
        clean = self.model.tokens(batch.pixels.to(self.device))
        noise = torch.randn(clean.shape, generator=generator, device=self.device)
        sigma = draw_sigma(clean.shape[0], clean.shape[1], self.config.flow, generator)
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            condition = self.model.encode(captions)
            predicted = self.model(noised(clean, noise, sigma), sigma, condition, batch.size)
        return flow_loss(predicted, clean, noise)

    def draw(self, path: Path) -> None:
        """The configured prompts as one grid, from the averaged weights."""
        settings = self.config.sample
        size = bucket_size(self.config.data.resolution, "1:1", self.config.model.patch)
        with self.ema.applied():
            pictures = draw(
                self.model,
                settings.prompts,
                size,
                self.config.flow,
                settings.steps,
                settings.guidance,
                self.config.seed,
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            grid(pictures, columns=math.ceil(math.sqrt(len(pictures)))).save(path)
        except OSError as error:
            raise RunError(f"{path}: cannot be written: {error}", "make room and run the same command") from None

    def save(self, folder: Path) -> Path:
        tensors = {
            "model": self.model.state_dict(),
            "ema": self.ema.weights,
            "optimizer": checkpoints.optimizer_tensors(self.model, self.optimizer),
        }
        state = {
            "reader": asdict(self.position),
            "running": asdict(self.running),
            "skipped_steps": self.skipped_steps,
            "config": self.config.model_dump(mode="json"),
        }
        path = checkpoints.save(folder, self.step, tensors, state)
        checkpoints.prune(folder, self.config.checkpoint.keep)
        return path

    def restore(self, found: Checkpoint) -> None:
        """Go on from a checkpoint. Raises ManifestError when it belongs to another configuration."""
        differing = differences(found.state["config"], self.config.model_dump(mode="json"))
        if differing:
            raise ManifestError(
                f"{found.path} was trained with another configuration:\n  " + "\n  ".join(differing),
                "restore these values, or set `out` to another folder to train anew",
            )
        self.model.load_state_dict(found.weights("model"))
        self.ema.load(found.weights("ema"))
        checkpoints.load_optimizer(self.model, self.optimizer, found.weights("optimizer"))
        self.step = found.step
        self.position = ReaderState.from_json(found.state["reader"])
        self.running = Running(**found.state["running"])
        self.skipped_steps = found.state["skipped_steps"]

    def _count_bad_step(self) -> None:
        self.skipped_steps += 1
        self._bad_in_a_row += 1
        log.warning("step %d: loss or gradient is not finite; the step is skipped", self.step)
        if self._bad_in_a_row == MAX_BAD_STEPS:
            raise StageError(
                f"loss or gradient was not finite in {MAX_BAD_STEPS} steps in a row, up to step {self.step}",
                "lower optimizer.lr, raise schedule.warmup, or look at the data of these steps",
            )


def adamw(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW that decays matrices, and leaves biases and norms alone."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, fused=parameters[0].device.type != "mps")


def learning_rate(step: int, steps: int, schedule: ScheduleConfig) -> float:
    """The share of the full rate at a step, counted from 0: a linear rise, then level or half a cosine down."""
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    if schedule.kind == "constant":
        return 1.0
    progress = (step - schedule.warmup) / max(1, steps - schedule.warmup)
    return schedule.floor + (1 - schedule.floor) * (1 + math.cos(math.pi * progress)) / 2
