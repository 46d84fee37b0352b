"""The curriculum: phases that follow each other, each the run's configuration with some of it replaced.

A phase lasts so many steps, or until the loss has fallen so far, if that is sooner. The last one has no end of its own
and lasts as long as the run, so that what earlier phases save by ending early is its gain, and the learning rate's
schedule, which knows the run's steps only, ends where it should.

What may change is what is read, at which noise levels, and how much at once; the model and its optimizer go through.
The report's own curriculum is 256 → 640 → 1328, no text → words → paragraphs, raw → filtered, unbalanced → balanced.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from dataengine.config import Config
from dataengine.trainer.datasets import RowsConfig


class Until(Config):
    """A phase's end before its last step."""

    loss_below: float = Field(gt=0)  # of the mean over `over` steps
    over: int = Field(100, ge=1)  # steps; older ones count less and less


class BatchConfig(Config):
    """A batch by its size rather than its count of pictures."""

    tokens: int = Field(ge=1)  # of the pictures of a step, at the resolution of the data


class PhaseConfig(Config):
    """A phase. What stands under `data`, `flow` and `optimizer` replaces those keys of the run's configuration."""

    name: str = Field(min_length=1)
    steps: int | None = Field(None, ge=1)  # at most; the last phase has none
    until: Until | None = None
    data: dict[str, Any] = {}
    flow: dict[str, Any] = {}
    optimizer: dict[Literal["lr", "clip"], float] = {}
    batch: Annotated[int, Field(ge=1)] | BatchConfig | None = None
    micro_batch: int | None = Field(None, ge=1)
    caption_dropout: float | None = Field(None, ge=0, le=1)

    def applied(self, config: dict[str, Any]) -> dict[str, Any]:
        """A run's whole configuration as it is in this phase, without a curriculum."""
        given = self.model_dump(exclude_none=True, exclude={"name", "steps", "until", "data"})
        merged = {key: _over(config[key], value) for key, value in given.items()}
        return config | merged | {"data": self._data(config["data"]), "curriculum": ()}

    def _data(self, data: dict[str, Any]) -> dict[str, Any]:
        """What is said of all datasets goes before what each of them says; `path` and `datasets` replace each other."""
        shared = {key: value for key, value in self.data.items() if key in RowsConfig.model_fields}
        datasets = [entry | shared for entry in data["datasets"]]
        other = {"path": {"datasets": ()}, "datasets": {"path": None}}
        cleared = {key: value for given in self.data.keys() & other for key, value in other[given].items()}
        return data | {"datasets": datasets} | cleared | self.data


@dataclass(frozen=True)
class Progress:
    """Where a run stands in its curriculum."""

    phase: int = 0  # by its number
    steps: int = 0  # done in it
    loss: float | None = None  # the mean by which its end is told

    def after(self, loss: float, phases: Sequence[PhaseConfig]) -> "Progress":
        """One step later: in the same phase, or at the start of the next."""
        if not phases:
            return self
        phase, steps, mean = phases[self.phase], self.steps + 1, self.loss
        if phase.until and math.isfinite(loss):
            # Of the first steps a plain mean, later an exponential one that reaches as far back.
            weight = 1 / min(steps, phase.until.over)
            mean = loss if mean is None else mean + weight * (loss - mean)
        fallen = phase.until and mean is not None and steps >= phase.until.over and mean < phase.until.loss_below
        return Progress(self.phase + 1) if fallen or steps == phase.steps else Progress(self.phase, steps, mean)


def _over(given: Any, replacing: Any) -> Any:
    return {**given, **replacing} if isinstance(given, dict) and isinstance(replacing, dict) else replacing
