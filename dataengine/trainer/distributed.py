"""Several processes as one training: who is in it, what each holds, and how a step's arithmetic is carried out.

Nothing here changes what is learned, and the model knows nothing of it. From outside, its blocks are split by tensor
parallelism (heads and the MLPs' middle, the plan that diffusers ships for the model), told to keep less for the
backward pass, compiled, and sharded by FSDP2 block by block: each process holds its part of the weights, of their
average and of the optimizer's moments, and gathers a block in the arithmetic's precision just before it computes.
Gradients are summed in fp32.

A process is one of several when it was started as such: by `torchrun`, or by Ray Train (`launch.workers`), which both
say so in the environment. Alone, the model stays as it was made.

Weights are first made without memory (on the meta device), split, and then drawn with the run's seed, one parameter at
a time, of which each process keeps its part. So the start does not depend on the number of processes, and no process
ever holds the whole.
"""

import os
import warnings
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

import torch
import torch.distributed as dist
from pydantic import Field
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor._utils import compute_local_shape_and_global_offset
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from dataengine.config import Config
from dataengine.errors import ManifestError
from dataengine.trainer.text_to_image import TextToImage

# The model's output is a view, and so is what a block hands through; nobody writes into either.
warnings.filterwarnings("ignore", message="FSDP2-wrapped module .* returned a view tensor")

Item = TypeVar("Item")

COLUMNS = ("attn.to_q", "attn.to_k", "attn.to_v", "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj")
COLUMNS += ("img_mlp.net.0.proj", "txt_mlp.net.0.proj")
ROWS = ("attn.to_out.0", "attn.to_add_out", "img_mlp.net.2", "txt_mlp.net.2")
HEAD_NORMS = ("norm_q", "norm_k", "norm_added_q", "norm_added_k")
"""Whole everywhere, but each process's heads have a share in their gradient."""

aten = torch.ops.aten
PRODUCTS = {aten.mm.default, aten.addmm.default, aten.bmm.default}
PRODUCTS |= {
    getattr(aten, f"_scaled_dot_product_{kind}").default
    for kind in ("flash_attention", "efficient_attention", "cudnn_attention", "flash_attention_for_cpu")
}


class ExecutionConfig(Config):
    """How a step is carried out: on how many processes a layer, and what is kept for the backward pass."""

    tensor: int = Field(1, ge=1)  # processes that share each layer; the rest of them share the batch
    # What the backward pass works out again, to keep less: all within a block, or all there but matrix products and
    # attention.
    recompute: Literal["nothing", "elementwise", "blocks"] = "nothing"
    recompute_every: int = Field(1, ge=1)  # 2: in every second block only, and so on
    compile: bool = False  # each block by torch.compile


@dataclass(frozen=True)
class World:
    """The processes of a training, and which of them this is."""

    device: torch.device
    rank: int = 0
    size: int = 1
    mesh: DeviceMesh | None = None  # data × tensor; None of a process that is alone
    host_mesh: DeviceMesh | None = None  # the same of their CPUs, for what is kept there
    # Of all, on the CPU, and for the writer of checkpoints alone: its thread and training must not meet in one group.
    writers: dist.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and tells."""
        return self.rank == 0

    @property
    def data_rank(self) -> int:
        return self.mesh.get_local_rank("data") if self.mesh else 0

    @property
    def data_size(self) -> int:
        """How many ways a batch is shared."""
        return self.mesh["data"].size() if self.mesh else 1

    def total(self, shares: Sequence[float]) -> list[float]:
        """The processes' shares of a batch added up."""
        if self.host_mesh is None:
            return list(shares)
        summed = torch.tensor(shares, dtype=torch.float64)
        dist.all_reduce(summed, group=self.host_mesh.get_group("data"))
        return summed.tolist()

    def gathered(self, own: Item) -> list[Item]:
        """What each of those has that share a batch."""
        if self.host_mesh is None:
            return [own]
        found: list[Item] = [own] * self.data_size
        dist.all_gather_object(found, own, group=self.host_mesh.get_group("data"))
        return found


def launched() -> bool:
    """Whether this process was started as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def first_process() -> bool:
    """Whether this process is the one that writes and tells, or alone."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def world(config: ExecutionConfig, device: torch.device) -> Generator[World]:
    """This process's place among those that were started with it, and their connection while it lasts."""
    if not launched():
        if config.tensor > 1:
            raise ManifestError(
                f"execution.tensor: {config.tensor} processes are to share each layer, but there is one",
                "start several by torchrun, or set launch.workers",
            )
        yield World(device)
        return
    size = int(os.environ["WORLD_SIZE"])
    if size % config.tensor:
        raise ManifestError(
            f"execution.tensor: {size} processes are no multiple of {config.tensor}",
            "start as many as make whole groups",
        )
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    own = not dist.is_initialized()  # Ray Train has connected them already
    if own:
        dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    shape, names = (size // config.tensor, config.tensor), ("data", "tensor")
    try:
        mesh = init_device_mesh(device.type, shape, mesh_dim_names=names)
        host_mesh = mesh if device.type == "cpu" else init_device_mesh("cpu", shape, mesh_dim_names=names)
        yield World(device, dist.get_rank(), size, mesh, host_mesh, dist.new_group(backend="gloo"))
    finally:
        if own:
            dist.destroy_process_group()


def parallelize(model: TextToImage, config: ExecutionConfig, world: World, dtype: torch.dtype) -> None:
    """Make `model`, which may have no memory yet, a part of `world`, in place."""
    blocks = list(model.transformer.transformer_blocks)
    if config.tensor > 1:
        for block in blocks:
            _share_layers(block, world.mesh["tensor"])
    if config.recompute != "nothing":
        for block in blocks[:: config.recompute_every]:
            block.forward = partial(_recomputed, block.forward, config.recompute)
    if config.compile:
        for block in blocks:  # its forward alone: what gathers weights stays outside
            block.forward = torch.compile(block.forward, fullgraph=True, dynamic=True)
    if world.mesh is not None:
        # Inputs are not cast: noise levels and the residual stream stay fp32, and autocast casts where it is due.
        precision = MixedPrecisionPolicy(
            param_dtype=None if dtype == torch.float32 else dtype, reduce_dtype=torch.float32, cast_forward_inputs=False
        )
        for unit in (*blocks, *sharding_roots(model)):
            fully_shard(unit, mesh=world.mesh["data"], mp_policy=precision)


def sharding_roots(model: TextToImage) -> list[nn.Module]:
    """The modules that are called from outside: each gathers its own weights."""
    return [part for part in (model.text, model.transformer) if part is not None]


def materialize(model: TextToImage, world: World, seed: int) -> None:
    """Give a model that has no memory its first weights: the same whatever the processes, and whoever draws beside."""
    model.to_empty(device=world.device)
    with torch.random.fork_rng(devices=[]), _DrawnWhole():
        torch.manual_seed(seed)
        model.initialise()


def add_up_gradients(model: TextToImage, wanted: bool) -> None:
    """Whether the next backward pass adds up the processes' gradients; of the parts of a batch only the last need."""
    for root in sharding_roots(model):
        if isinstance(root, FSDPModule):
            root.set_requires_gradient_sync(wanted)


def complete_gradients(model: TextToImage, world: World) -> None:
    """Where a layer's heads are shared, add up what each process's heads have for the weights that all of them use."""
    if world.mesh is None or world.mesh["tensor"].size() == 1:
        return
    for block in model.transformer.transformer_blocks:
        for name in HEAD_NORMS:
            if (gradient := getattr(block.attn, name).weight.grad) is not None:
                dist.all_reduce(local(gradient), group=world.mesh.get_group("tensor"))


def clip(parameters: Iterable[nn.Parameter], limit: float) -> Tensor:
    """Scale gradients so that their common norm is at most `limit`; returns the norm before, on every process."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    shared: dict[tuple[dist.ProcessGroup, ...], list[Tensor]] = {}
    for gradient in gradients:
        shared.setdefault(_sharers(gradient), []).append(local(gradient))
    total = torch.zeros((), device=local(gradients[0]).device)
    for groups, pieces in shared.items():
        square = nn.utils.get_total_norm(pieces).square()
        for group in groups:
            dist.all_reduce(square, group=group)
        total += square
    norm = total.sqrt()
    torch._foreach_mul_([local(gradient) for gradient in gradients], (limit / (norm + 1e-6)).clamp(max=1.0))
    return norm


def local(tensor: Tensor) -> Tensor:
    """What this process holds of it."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def sharded_like(
    pieces: Mapping[str, Tensor], like: Mapping[str, Tensor], mesh: DeviceMesh | None
) -> dict[str, Tensor]:
    """This process's pieces as parts of wholes, which are laid out as in `like`, on its meshes or their twin `mesh`."""
    wholes = {}
    for name, piece in pieces.items():
        if not isinstance(whole := like[name], DTensor):
            wholes[name] = piece
            continue
        meeting = mesh[whole.device_mesh.mesh_dim_names] if mesh is not None else whole.device_mesh
        wholes[name] = DTensor.from_local(
            piece, meeting, whole.placements, run_check=False, shape=whole.shape, stride=whole.stride()
        )
    return wholes


def _sharers(tensor: Tensor) -> tuple[dist.ProcessGroup, ...]:
    """The groups over which a tensor's pieces lie; none of a whole one."""
    if not isinstance(tensor, DTensor):
        return ()
    mesh = tensor.device_mesh
    return tuple(mesh.get_group(at) for at, placed in enumerate(tensor.placements) if not placed.is_replicate())


def _share_layers(block: nn.Module, mesh: DeviceMesh) -> None:
    width, size = block.attn.to_q.out_features, mesh.size()
    if (heads := width // block.attn.head_channels) % size:
        raise ManifestError(
            f"execution.tensor: {heads} heads cannot be shared by {size} processes",
            "give a number that divides the heads",
        )
    plan = {name: ColwiseParallel() for name in COLUMNS} | {name: RowwiseParallel() for name in ROWS}
    parallelize_module(block, mesh, plan)


def _recomputed(forward: Any, what: str, *inputs: Any) -> Any:
    if what == "blocks":
        return checkpoint(forward, *inputs, use_reentrant=False, preserve_rng_state=False)
    context = partial(create_selective_checkpoint_contexts, _keep_products)
    return checkpoint(forward, *inputs, use_reentrant=False, preserve_rng_state=False, context_fn=context)


def _keep_products(context: Any, operation: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    return CheckpointPolicy.MUST_SAVE if operation in PRODUCTS else CheckpointPolicy.PREFER_RECOMPUTE


class _DrawnWhole(TorchDispatchMode):
    """Random numbers for a parameter of which this process holds a part: all are drawn, and its part is kept. One after
    another, as they would be drawn for a model that is whole."""

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        target = args[0] if args else None
        if function not in (aten.uniform_.default, aten.normal_.default) or not isinstance(target, Tensor):
            return function(*args, **(kwargs or {}))
        whole = function(torch.empty(target.shape, dtype=target.dtype), *args[1:], **(kwargs or {}))
        if isinstance(target, DTensor):
            shape, offset = compute_local_shape_and_global_offset(target.shape, target.device_mesh, target.placements)
            whole = whole[tuple(slice(start, start + size) for start, size in zip(offset, shape, strict=True))]
        local(target).copy_(whole)
        return target
