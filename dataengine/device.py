"""Where and in which precision to compute, decided when a run starts."""

from contextlib import nullcontext
from pathlib import Path

import torch

from dataengine.errors import ManifestError


def choose_device(wanted: str) -> torch.device:
    """`auto` is CUDA, else Apple's MPS, else the CPU. Raises ManifestError when the one asked for is not there."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if wanted == "auto":
        return torch.device(next(name for name, available in there.items() if available))
    if not there[wanted]:
        available = ", ".join(name for name, is_there in there.items() if is_there)
        raise ManifestError(f"device {wanted} is not there", f"this machine has {available}; `auto` takes the best")
    return torch.device(wanted)


def choose_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """Of the arithmetic; weights stay fp32. `auto` is bfloat16 on CUDA and float32 elsewhere."""
    if wanted == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return {"float32": torch.float32, "bfloat16": torch.bfloat16}[wanted]


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast | nullcontext[None]:
    """Matrix products and attention in `dtype`, from weights that stay fp32."""
    return nullcontext() if dtype == torch.float32 else torch.autocast(device.type, dtype)


def free_memory(device: torch.device) -> int | None:
    """Bytes that can still be had on a device; None where that is not known."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)
