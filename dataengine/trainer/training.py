"""One training run's state, and what a step does to it. The loop around it is in `loop`."""

import logging
import math
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from dataengine.device import choose_device, choose_dtype
from dataengine.errors import ManifestError, RunError, StageError
from dataengine.trainer import checkpoint as checkpoints
from dataengine.trainer.checkpoint import Checkpoint
from dataengine.trainer.config import TrainConfig, differences
from dataengine.trainer.data import Batch, ReaderState
from dataengine.trainer.ema import EMA
from dataengine.trainer.flow import chance, flow_loss, loss_weight, noised, training_sigma
from dataengine.trainer.metrics import Running
from dataengine.trainer.optimizer import optimizers
from dataengine.trainer.patchify import bucket_size
from dataengine.trainer.sample import draw, grid
from dataengine.trainer.schedule import learning_rate
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
        self.optimizers = optimizers(self.model, config.optimizer)
        self._generator = torch.Generator(self.device)
        self.step = 0
        self.position = ReaderState()
        self.running = Running()
        self.skipped_steps = 0
        self._bad_in_a_row = 0

    def advance(self, batch: Batch) -> tuple[float, float, float]:
        """One step on one batch: its loss, its gradient's norm, and the learning rate."""
        lr = self.config.optimizer.lr * learning_rate(self.step, self.config.steps, self.config.schedule)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr
        loss = self.loss(batch)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.optimizer.clip)
        self.step += 1
        self.position = batch.state
        if math.isfinite(loss.item()) and math.isfinite(norm.item()):
            for optimizer in self.optimizers:
                optimizer.step()
            self.ema.update(self.step)
            self._bad_in_a_row = 0
        else:
            self._count_bad_step()
        self.model.zero_grad()
        return loss.item(), norm.item(), lr

    def loss(self, batch: Batch) -> Tensor:
        """The velocity's weighted mean squared error, at the noise and the noise levels of this step, one a picture."""
        lots = [chance(self.config.seed, self.step, index) for index in range(len(batch.captions))]
        captions = [
            "" if lot.random() < self.config.caption_dropout else caption
            for lot, caption in zip(lots, batch.captions, strict=True)
        ]
        clean = self.model.tokens(batch.pixels.to(self.device))
        count = clean.shape[1]
        uniform = torch.tensor([lot.random() for lot in lots], dtype=torch.float64)
        sigma = training_sigma(uniform, [count] * len(lots), self.config.flow).to(self.device)
        noise = torch.stack([self._noise(lot.getrandbits(63), clean.shape[1:]) for lot in lots])
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            condition = self.model.encode(captions)
            predicted = self.model(noised(clean, noise, sigma), sigma, condition, batch.size)
        return (loss_weight(sigma, self.config.flow) * flow_loss(predicted, clean, noise)).mean()

    def _noise(self, seed: int, shape: torch.Size) -> Tensor:
        return torch.randn(shape, generator=self._generator.manual_seed(seed), device=self.device)

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
            "optimizer": checkpoints.optimizer_tensors(self.model, self.optimizers),
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
        checkpoints.load_optimizer(self.model, self.optimizers, found.weights("optimizer"))
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
