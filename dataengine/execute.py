"""Drives workers over tasks on Ray Data: an actor pool per stage, and what it reports as it comes.

Ray moves task references (small pickles) and reports; images never enter the object store. An actor that dies is
replaced and its task done again; since a part is committed by renaming, doing it twice is harmless. What goes wrong
inside an actor travels back as a value, so that a stage that cannot be set up ends the run at once with its reason
instead of being tried for ever.
"""

import logging
import os
import pickle
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataengine.errors import DataEngineError, RunError, StageError
from dataengine.stage import Resources
from dataengine.work import Report, Task, Worker

_TRIES = 3
_OBJECT_STORE = 256 << 20  # references only
_BLOCKS = 1000


@dataclass(frozen=True)
class Broken:
    """What an actor reports when it cannot go on."""

    error: DataEngineError


class Actor:
    """The Ray side of a worker: builds it once, unpickles tasks, retries what a filesystem refuses for a moment."""

    def __init__(self, build: Callable[[], Worker], threads: int) -> None:
        _limit_threads(threads)
        self.worker: Worker | None = None
        self.broken: Broken | None = None
        try:
            self.worker = build()
        except Exception as error:
            self.broken = Broken(_as_stage_error(error))

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"report": [pickle.dumps(self._do(pickle.loads(task))) for task in batch["task"]]}

    def _do(self, task: Task) -> Report | Broken:
        if self.worker is None:
            assert self.broken
            return self.broken
        for attempt in range(_TRIES):
            try:
                return self.worker(task)
            except OSError as error:
                if attempt == _TRIES - 1:
                    return Broken(RunError(f"part {task.index}: {error}", "mend the cause, then run the same command"))
                time.sleep(2**attempt)
            except Exception as error:
                return Broken(_as_stage_error(error))
        raise AssertionError("unreachable")


def _as_stage_error(error: Exception) -> DataEngineError:
    if isinstance(error, DataEngineError):
        return error
    trace = "".join(traceback.format_exception(error))
    return StageError(f"a stage failed with an error of its own:\n{trace}", "this is a bug in the stage")


def _limit_threads(threads: int) -> None:
    """Libraries that would each start a thread a core get as many as the actor declared."""
    import cv2
    import pyarrow as pa

    cv2.setNumThreads(threads)
    pa.set_cpu_count(threads)


def start_ray(address: str | None = None) -> None:
    """Connect to a cluster (`address`, or the one that this process was submitted to), or start one on this machine."""
    import ray

    if ray.is_initialized():
        return
    address = address or os.environ.get("RAY_ADDRESS")
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what matters comes back as a report or an exception
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False, "configure_logging": True}
    if not address:
        options |= {"include_dashboard": False, "object_store_memory": _OBJECT_STORE}
    with _native_stderr_hidden():
        try:
            ray.init(address=address, **options)
        except (ConnectionError, RuntimeError, ValueError) as error:
            where = f"the cluster at {address}" if address else "a cluster on this machine"
            raise RunError(
                f"Ray cannot reach {where}: {error}", "check the address, or leave it out to run here"
            ) from None


def stop_ray(address: str | None = None) -> None:
    """End a cluster that was started on this machine, so that what comes next has its memory. Others are left alone."""
    if address or os.environ.get("RAY_ADDRESS") or "ray" not in sys.modules:
        return
    import ray

    ray.shutdown()


@contextmanager
def _native_stderr_hidden() -> Iterator[None]:
    """Ray's core announces on the process's stderr that its log level was set; exceptions come through all the same."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def run_tasks(
    build: Callable[[], Worker], tasks: Sequence[Task], resources: Resources, workers: int | None = None
) -> Iterator[Report]:
    """Reports of all tasks, in the order in which they finish. `workers` caps the actors in the pool.

    Raises the DataEngineError of the first actor that cannot go on.
    """
    import ray

    if not tasks:
        return
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    size = _pool_size(len(tasks), resources, workers)
    rows = ray.data.from_items(
        [{"task": pickle.dumps(task)} for task in tasks], override_num_blocks=min(len(tasks), _BLOCKS)
    )
    reports = rows.map_batches(
        Actor,
        fn_constructor_args=(build, max(1, round(resources.cpus))),
        batch_size=1,
        batch_format="numpy",
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=size, initial_size=size),
        num_cpus=resources.cpus,
        num_gpus=resources.gpus or None,
        memory=resources.memory,
    )
    for row in reports.iter_rows():
        report = pickle.loads(row["report"])
        if isinstance(report, Broken):
            raise report.error
        yield report


def _pool_size(tasks: int, resources: Resources, workers: int | None) -> int:
    import ray

    total = ray.cluster_resources()
    fits = [int(total.get("CPU", 0) // resources.cpus), int(total.get("memory", 0) // max(1, resources.memory))]
    if resources.gpus:
        fits.append(int(total.get("GPU", 0) // resources.gpus))
    if min(fits) < 1:
        raise RunError(
            f"the cluster has {total.get('CPU', 0):g} CPUs, {total.get('GPU', 0):g} GPUs and "
            f"{total.get('memory', 0) / 2**30:.1f} GiB; the stage asks for {resources.cpus:g}, {resources.gpus:g} and "
            f"{resources.memory / 2**30:.1f} an actor",
            "give the entry smaller `resources`, or run on a larger cluster",
        )
    return max(1, min(tasks, workers or tasks, *fits))
