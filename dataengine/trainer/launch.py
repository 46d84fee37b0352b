"""Several processes by Ray Train, on this machine or on a cluster whose machines share the run's folder.

Each worker runs the same `train` as under torchrun, and finds the others by what Ray Train puts into its environment.
When a worker or a machine dies, all are started again, and go on from the last checkpoint.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from dataengine.config import build
from dataengine.device import choose_device
from dataengine.errors import DataEngineError, StageError
from dataengine.trainer.config import TrainConfig

if TYPE_CHECKING:
    from dataengine.trainer.loop import OnStep, TrainResult

RESTARTS = 3  # after failures, in a training


def train_by_ray(config: TrainConfig, on_step: "OnStep | None") -> "TrainResult":
    """What `loop.train` does, by `config.launch.workers` processes. Raises what one of them raises."""
    try:
        import ray
        from ray.train import FailureConfig, RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer
        from ray.util.queue import Queue
    except ImportError as error:
        message = f"launch.workers: Ray Train cannot be loaded: {error}"
        raise StageError(message, "pip install 'ray[train]', or start the processes by torchrun") from None
    gpus = config.device == "cuda" or (config.device == "auto" and choose_device("auto").type == "cuda")
    ray.init(address=config.launch.address, ignore_reinit_error=True, log_to_driver=False)
    said = Queue()
    trainer = TorchTrainer(
        work,
        train_loop_config={"config": config.model_dump(mode="json"), "said": said},
        torch_config=TorchConfig(backend="cpu:gloo,cuda:nccl" if gpus else "gloo"),
        scaling_config=ScalingConfig(num_workers=config.launch.workers, use_gpu=gpus),
        run_config=RunConfig(
            name="ray", storage_path=str(Path(config.out).absolute()), failure_config=FailureConfig(RESTARTS)
        ),
    )
    result: TrainResult | None = None
    error: DataEngineError | None = None
    with ThreadPoolExecutor(1, thread_name_prefix="launch") as pool:
        running = pool.submit(trainer.fit)
        while not running.done() or not said.empty():
            try:
                kind, value = said.get(timeout=0.5)
            except Empty:
                continue
            if kind == "step" and on_step is not None:
                on_step(value)
            elif kind == "result":
                result = value
            elif kind == "error":
                error = value
    if error is not None:
        raise error
    running.result()
    if result is None:
        raise StageError("the workers ended without a result", f"their logs are below {config.out}/ray")
    return result


def work(given: dict[str, Any]) -> None:
    """One worker."""
    from dataengine.trainer.distributed import first_process
    from dataengine.trainer.loop import train

    said = given["said"]
    try:
        config = build(TrainConfig, given["config"], "launch")
        result = train(config, lambda report: said.put(("step", report)))
        if first_process():
            said.put(("result", result))
    except DataEngineError as error:
        said.put(("error", error))
        raise
