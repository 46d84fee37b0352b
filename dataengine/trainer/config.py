"""What a training run is asked to do: the models of `manifests/train/*.yaml`.

Everything here has a value that works, save where to read and where to write. `dataengine.config.load(TrainConfig, …)`
reads a file, and refuses unknown keys by name.
"""

import math
from typing import Any, Literal

from pydantic import Field, field_validator

from dataengine.config import Config, parse_size
from dataengine.trainer.flow import FlowConfig
from dataengine.trainer.optimizer import OptimizerConfig
from dataengine.trainer.patchify import parse_aspect
from dataengine.trainer.schedule import ScheduleConfig
from dataengine.trainer.text_to_image import ModelConfig

ASPECTS = ("1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9", "1:3", "3:1")

# Keys that may change between a checkpoint and its resumption: they decide where and how long, not what is learned.
# Data may move; whether it is still the same data is the reader's to check. `steps` may grow to train longer.
FREE = ("name", "out", "steps", "device", "checkpoint", "log", "sample", "data.path", "data.workers", "data.cache")


class DataConfig(Config):
    """Which Parquet rows are read, and at which size."""

    path: str  # a file, a folder (with all below it), a glob, or a URL of any of these
    phase: int | None = None  # only rows whose `phase` column says so; files without that column are taken whole
    limit: int | None = Field(None, ge=1)  # only so many rows, the first in the order of the files' names
    resolution: int = Field(256, ge=1)  # pictures are brought to about resolution² pixels
    aspects: tuple[str, ...] = ASPECTS  # the buckets, width:height
    image: str = "image"  # the column of encoded images: struct{bytes, …} or plain binary
    caption: str | dict[str, float] = "caption"  # a column; or several, of which each use of a picture takes one by lot
    uncaptioned: Literal["skip", "empty"] = "skip"  # rows without a caption: passed over, or trained unconditionally
    shuffle: int = Field(1024, ge=1)  # rows held, encoded, to be shuffled among each other
    workers: int = Field(1, ge=1)  # decoding threads
    cache: int = Field(64_000_000, ge=0)  # bytes of resized pictures kept, so that a small set is decoded once

    @property
    def captions(self) -> dict[str, float]:
        """The columns of captions with their weights."""
        return {self.caption: 1.0} if isinstance(self.caption, str) else self.caption

    @field_validator("caption")
    @classmethod
    def _weights(cls, caption: str | dict[str, float]) -> str | dict[str, float]:
        if isinstance(caption, dict) and (not caption or not all(0 < w < math.inf for w in caption.values())):
            raise ValueError("weights of captions must be above 0; leave out a column that is not wanted")
        return caption

    @field_validator("cache", mode="before")
    @classmethod
    def _size(cls, value: int | str) -> int:
        return parse_size(value)

    @field_validator("aspects")
    @classmethod
    def _aspects(cls, aspects: tuple[str, ...]) -> tuple[str, ...]:
        bad = [aspect for aspect in aspects if parse_aspect(aspect) is None]
        if bad or not aspects:
            raise ValueError(f"each must be width:height such as 3:2, which {', '.join(bad) or 'an empty list'} is not")
        return aspects


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
        if before.get(key) != now.get(key) and not any(key == free or key.startswith(f"{free}.") for free in FREE)
    ]


def _flat(config: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
