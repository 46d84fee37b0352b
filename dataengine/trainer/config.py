"""What a training run is asked to do: the models of `manifests/train/*.yaml`.

Everything here has a value that works, save where to read and where to write. `dataengine.config.load(TrainConfig, …)`
reads a file, and refuses unknown keys by name.
"""

from fnmatch import fnmatch
from typing import Any, Literal

from pydantic import Field

from dataengine.config import Config
from dataengine.trainer.datasets import DataConfig
from dataengine.trainer.flow import FlowConfig
from dataengine.trainer.optimizer import OptimizerConfig
from dataengine.trainer.schedule import ScheduleConfig
from dataengine.trainer.text_to_image import ModelConfig

# Keys that may change between a checkpoint and its resumption: they decide where and how long, not what is learned.
# Data may move; whether it is still the same data is the reader's to check. `steps` may grow to train longer.
FREE = ("name", "out", "steps", "device", "checkpoint.*", "log.*", "sample.*", "data.path", "data.datasets.*.path")
FREE += ("data.workers", "data.readers", "data.cache")


class CheckpointConfig(Config):
    every: int = Field(200, ge=1)
    keep: int = Field(2, ge=1)


class LogConfig(Config):
    every: int = Field(10, ge=1)  # steps a line of metrics.jsonl stands for


class SampleConfig(Config):
    """Pictures drawn from the averaged weights while training goes on, as one grid each time."""

    prompts: tuple[str, ...] = ()
    every: int = Field(0, ge=0)  # 0: at the end only
    steps: int = Field(25, ge=1)
    guidance: float = Field(3.0, ge=1)


class TrainConfig(Config):
    """A training run."""

    name: str
    out: str  # a local folder: metrics.jsonl, checkpoints/, samples/
    data: DataConfig
    seed: int = 0
    steps: int = Field(1000, ge=1)
    batch: int = Field(16, ge=1)  # pictures a step
    caption_dropout: float = Field(0.1, ge=0, le=1)  # share of captions replaced by the empty one, for guidance
    model: ModelConfig = ModelConfig()
    flow: FlowConfig = FlowConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    log: LogConfig = LogConfig()
    sample: SampleConfig = SampleConfig()
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"  # auto: the best that is there
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"  # of the arithmetic; auto: bfloat16 on CUDA, else float32


def differences(saved: dict[str, Any], current: dict[str, Any]) -> list[str]:
    """The keys that decide what is learned and differ between two dumped configs, each as `key: saved → current`."""
    before, now = _flat(saved), _flat(current)
    return [
        f"{key}: {before.get(key, 'absent')} → {now.get(key, 'absent')}"
        for key in sorted(before.keys() | now.keys())
        if before.get(key) != now.get(key) and not any(fnmatch(key, free) for free in FREE)
    ]


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Keys with their path; an entry of a list is called by its name, where it has one."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, list) and value and all(isinstance(entry, dict) and "name" in entry for entry in value):
            value = {entry["name"]: entry for entry in value}
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
