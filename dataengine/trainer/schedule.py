"""The learning rate over a run's steps: a linear rise, then one of three ways on.

`cosine` falls along half a cosine to its floor, and must know beforehand how long the run is. `constant` stays. `wsd`
(warm-up, stable, decay) stays and falls only over the last share of the steps, along 1 − √, which Hägele et al. 2024
(arXiv 2405.18392) found as good as a cosine; so a run may be prolonged from any checkpoint before its fall, and one
long run serves for several lengths. All of it is arithmetic of the step's number: there is nothing to save.
"""

import math
from typing import Literal

from pydantic import Field

from dataengine.config import Config


class ScheduleConfig(Config):
    """The learning rate over steps, as a share of `optimizer.lr`."""

    kind: Literal["cosine", "constant", "wsd"] = "cosine"
    warmup: int = Field(20, ge=0)  # steps of linear rise
    floor: float = Field(0.05, ge=0, le=1)  # where cosine and wsd end
    decay: float = Field(0.2, gt=0, le=1)  # wsd: the share of the run, at its end, over which it falls


def learning_rate(step: int, steps: int, schedule: ScheduleConfig) -> float:
    """The share of the full rate at a step, counted from 0, of a run of `steps`."""
    if step < schedule.warmup:
        return (step + 1) / schedule.warmup
    if schedule.kind == "constant":
        return 1.0
    if schedule.kind == "wsd":
        fall = max(1.0, schedule.decay * steps)
        return schedule.floor + (1 - schedule.floor) * (1 - math.sqrt(max(0.0, 1 - (steps - step) / fall)))
    progress = (step - schedule.warmup) / max(1, steps - schedule.warmup)
    return schedule.floor + (1 - schedule.floor) * (1 + math.cos(math.pi * progress)) / 2
