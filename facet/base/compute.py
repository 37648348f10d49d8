"""Device, precision and threads, decided by the hardware and the params, never by a timing."""

import contextlib
import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facet.base.errors import InputError

log = logging.getLogger(__name__)


def start(*, device: str, threads: int) -> torch.device:
    """Set threads and determinism for the whole process and return the device; `auto` is CUDA if available, else the
    CPU. InputError if `cuda` is not available."""
    torch.set_num_threads(threads)
    # torch.use_deterministic_algorithms without its import of Inductor, which costs every stage seconds
    torch._C._set_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # a debugging aid that fills every new tensor
    torch.backends.cudnn.benchmark = False
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda: torch finds no GPU; set compute.device to auto or cpu")
    if device.startswith("cuda"):
        torch.backends.cuda.matmul.allow_tf32 = True
        torch.backends.cudnn.allow_tf32 = True
        if "LOCAL_RANK" in os.environ:
            return _own_gpu(int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"]))
    return torch.device(device)


def _own_gpu(rank: int, ranks: int) -> torch.device:
    """This rank's GPU, one for each rank that torchrun started on this machine."""
    if ranks > torch.cuda.device_count():
        raise InputError(f"{ranks} processes for {torch.cuda.device_count()} GPUs: lower FACET_PROCESSES")
    torch.cuda.set_device(rank)
    return torch.device("cuda", rank)


def has_bf16(device: torch.device) -> bool:
    """Return True for hardware with bf16 units: CUDA from compute capability 8, or a CPU with avx512_bf16 or
    amx_bf16."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= 8
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text() if cpuinfo.exists() else ""
    return "avx512_bf16" in flags or "amx_bf16" in flags


def autocast(device: torch.device, precision: str) -> contextlib.AbstractContextManager[Any]:
    """bf16 autocast for `bf16`, and for `auto` if the hardware has bf16 units; no autocast for `fp32`."""
    if precision not in ("auto", "bf16", "fp32"):
        raise ValueError(f"precision {precision!r} is none of auto, bf16, fp32")
    if precision == "bf16" or (precision == "auto" and has_bf16(device)):
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def generator(*key: int) -> torch.Generator:
    """A CPU generator whose numbers depend on `key` (seed, step, …) alone, so that a resumed run draws the same
    ones."""
    seed = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(seed) % (1 << 63))
