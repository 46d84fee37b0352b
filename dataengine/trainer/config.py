"""What a training run is asked to do: the models of `manifests/train/*.yaml`.

Everything here has a value that works, save where to read and where to write. `dataengine.config.load(TrainConfig, …)`
reads a file, and refuses unknown keys by name.
"""

from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dataengine.config import Config, build
from dataengine.trainer.curriculum import BatchConfig, PhaseConfig
from dataengine.trainer.datasets import DataConfig
from dataengine.trainer.distributed import ExecutionConfig
from dataengine.trainer.flow import FlowConfig
from dataengine.trainer.optimizer import OptimizerConfig
from dataengine.trainer.schedule import ScheduleConfig
from dataengine.trainer.text_to_image import ModelConfig

# Keys that may change between a checkpoint and its resumption: they decide where, with what and how long, not what is
# learned. Data may move; whether it is still the same data is the reader's to check. `steps` may grow to train longer.
FREE = ("name", "out", "steps", "device", "micro_batch", "execution.*", "launch.*", "checkpoint.*", "log.*", "sample.*")
FREE += ("held_out", "held_out.*")
FREE += ("data.path", "data.datasets.*.path", "data.workers", "data.readers", "data.cache", "curriculum.*.micro_batch")


class CheckpointConfig(Config):
    every: int = Field(200, ge=1)
    keep: int = Field(2, ge=1)  # the newest so many; and the best, where a held-out loss is measured


class LogConfig(Config):
    every: int = Field(10, ge=1)  # steps a line of metrics.jsonl stands for
    tensorboard: bool = False  # out/tensorboard; needs the package
    wandb: str | None = None  # a project of Weights & Biases; needs the package
    peak_tflops: float | None = Field(None, gt=0)  # of one device, in the run's dtype, where it is not a known one


class SampleConfig(Config):
    """Pictures drawn from the averaged weights while training goes on, as one grid each time."""

    prompts: tuple[str, ...] = ()
    every: int = Field(0, ge=0)  # 0: at the end only
    steps: int = Field(25, ge=1)
    guidance: float = Field(3.0, ge=1)


class HeldOutConfig(Config):
    """Pictures or latents that are not trained on. With each checkpoint goes the loss of the averaged weights on them, at
    fixed noise and noise levels; the checkpoint with the lowest is kept as the best."""

    data: DataConfig
    batch: int = Field(16, ge=1)  # pictures at once
    batches: int = Field(4, ge=1)


class LaunchConfig(Config):
    """Several processes by Ray Train. Under torchrun nothing is to be set: it has started them already."""

    workers: int = Field(1, ge=1)  # processes; with GPUs one each
    address: str | None = None  # of a Ray cluster, whose machines share `out`; None: this machine


class TrainConfig(Config):
    """A training run."""

    name: str
    out: str  # a local folder: metrics.jsonl, checkpoints/, samples/
    data: DataConfig
    seed: int = 0
    steps: int = Field(1000, ge=1)
    batch: Annotated[int, Field(ge=1)] | BatchConfig = 16  # pictures a step, all processes together; or `tokens`
    micro_batch: int | None = Field(None, ge=1)  # pictures that a process passes at once; the rest follow, and add up
    caption_dropout: float = Field(0.1, ge=0, le=1)  # share of captions replaced by the empty one, for guidance
    curriculum: tuple[PhaseConfig, ...] = ()
    model: ModelConfig = ModelConfig()
    flow: FlowConfig = FlowConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    execution: ExecutionConfig = ExecutionConfig()
    launch: LaunchConfig = LaunchConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    log: LogConfig = LogConfig()
    sample: SampleConfig = SampleConfig()
    held_out: HeldOutConfig | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"  # auto: the best that is there
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # of the arithmetic; auto: bfloat16 on CUDA, else float32

    @property
    def pictures(self) -> int:
        """The pictures of a step: those asked for, or as many as come to the tokens asked for."""
        if isinstance(self.batch, int):
            return self.batch
        side = self.data.resolution / self.model.patch
        lanes = self.data.lanes
        return max(lanes, int(self.batch.tokens / side**2) // lanes * lanes)

    def in_phase(self, number: int) -> "TrainConfig":
        """The configuration of a phase of the curriculum; itself where there is none."""
        if not self.curriculum:
            return self
        phase = self.curriculum[number]
        return build(type(self), phase.applied(self.model_dump()), f"curriculum.{phase.name}")

    @model_validator(mode="after")
    def _phases(self) -> "TrainConfig":
        names = [phase.name for phase in self.curriculum]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"curriculum: two phases are called {twice!r}")
        for number, phase in enumerate(self.curriculum):
            if (number < len(names) - 1) != (phase.steps is not None) or (phase.until and not phase.steps):
                raise ValueError(
                    f"curriculum.{phase.name}: every phase but the last needs `steps`; the last has neither `steps` "
                    "nor `until`, and goes on to the `steps` of the run"
                )
            self.in_phase(number)
        if self.curriculum and (taken := sum(phase.steps or 0 for phase in self.curriculum)) >= self.steps:
            raise ValueError(f"curriculum: {taken} steps may be taken before its last phase, which leaves it none")
        return self


def differences(saved: TrainConfig, current: TrainConfig, begun: int = 0) -> list[str]:
    """The keys that decide what is learned and differ between two configurations, each as `key: saved → current`.

    `begun` is the number of the curriculum's phase that was reached; what comes after it may be planned anew.
    """
    before, now = (_flat(config.model_dump(mode="json"), begun) for config in (saved, current))
    return [
        f"{key}: {before.get(key, 'absent')} → {now.get(key, 'absent')}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key) and not any(fnmatch(key, free) for free in FREE)
    ]


def _flat(config: dict[str, Any], begun: int) -> dict[str, Any]:
    """Keys with their path; an entry of a list is called by its name, where it has one."""
    return dict(_paths(config | {"curriculum": config["curriculum"][: begun + 1]}))


def _paths(config: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, list) and value and all(isinstance(entry, dict) and "name" in entry for entry in value):
            value = {entry["name"]: entry for entry in value}
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
