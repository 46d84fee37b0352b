"""Other places that follow a training run: TensorBoard and Weights & Biases. `metrics.jsonl` is there in any case.

Each is a package of its own, and asked for in `log`. A run that goes on from a checkpoint goes on in them too. What was
there of the steps beyond that checkpoint TensorBoard hides and Weights & Biases keeps.
"""

from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from dataengine.errors import StageError

if TYPE_CHECKING:
    from dataengine.trainer.config import TrainConfig


@dataclass(frozen=True)
class Trackers:
    """All that were asked for, as one."""

    board: Any = None  # a SummaryWriter
    run: Any = None  # of wandb

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        if self.board is not None:
            for name, value in figures.items():
                self.board.add_scalar(name, value, step)
        if self.run is not None:
            self.run.log(dict(figures), step=step)

    def picture(self, step: int, path: Path) -> None:
        """The grid of samples of a step."""
        if self.board is not None:
            with Image.open(path) as image:
                self.board.add_image("samples", np.asarray(image), step, dataformats="HWC")
        if self.run is not None:
            import wandb

            self.run.log({"samples": wandb.Image(str(path))}, step=step)


NOBODY = Trackers()


@contextmanager
def trackers(config: "TrainConfig", out: Path, step: int) -> Generator[Trackers]:
    """Those that `config.log` asks for, going on after `step`. Raises StageError when a package is missing."""
    with ExitStack() as stack:
        board = run = None
        if config.log.tensorboard:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError:
                raise _missing("tensorboard", "log.tensorboard") from None
            board = SummaryWriter(str(out / "tensorboard"), purge_step=step + 1)
            stack.callback(board.close)
        if config.log.wandb:
            try:
                import wandb
            except ImportError:
                raise _missing("wandb", "log.wandb") from None
            # The run's identity is kept beside its files, so that whoever goes on goes on in the same one.
            identity = out / "wandb.id"
            if not identity.exists():
                identity.write_text(wandb.util.generate_id(), encoding="utf-8")
            run = wandb.init(
                project=config.log.wandb,
                name=config.name,
                id=identity.read_text(encoding="utf-8"),
                resume="allow",
                dir=str(out),
                config=config.model_dump(mode="json"),
            )
            stack.callback(run.finish)
        yield Trackers(board, run)


def _missing(package: str, key: str) -> StageError:
    return StageError(f"{key}: the package {package} is not installed", f"pip install {package}, or leave the key out")
