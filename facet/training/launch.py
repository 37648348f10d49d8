"""Start the ranks of one training (facet/nets/ranks.py). Their number comes from the environment, as that of workers
does (facet/base/engines.py):

    FACET_PROCESSES   processes of a training (default: 1; 0: one a GPU)

`torchrun --nproc-per-node N -m stages.train_gan ...` by hand does the same."""

import contextlib
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

import torch
from torch import distributed

from facet.base.errors import InputError
from facet.nets import ranks

log = logging.getLogger(__name__)

P = TypeVar("P")

RANKS = "WORLD_SIZE"  # in the environment of each, by torchrun
SET_PARENT_DEATH_SIGNAL = 1  # linux/prctl.h


def launching(run: Callable[[P], None], module: str) -> Callable[[P], None]:
    """`run` of the stage `module`; on several processes with this one's flags, where FACET_PROCESSES says so."""

    def run_or_launch(params: P) -> None:
        processes = 1 if RANKS in os.environ else wanted()
        if processes > 1:
            log.info("training on %d processes", processes)
            _launch(module, processes)
        try:
            run(params)
        except RuntimeError as error:
            if "gloo" in str(error) or isinstance(error, distributed.DistError):
                sys.exit(1)  # another rank went away, and said why
            raise

    return run_or_launch


def wanted() -> int:
    """FACET_PROCESSES as a number of ranks."""
    text = os.environ.get("FACET_PROCESSES") or "1"
    if not text.isdecimal():
        raise InputError(f"FACET_PROCESSES {text!r}: expected a number of processes, or 0 for one a GPU")
    most = max(os.cpu_count() or 1, torch.cuda.device_count())
    if int(text) > most:
        raise InputError(f"FACET_PROCESSES {text}: this machine has room for {most}")
    return int(text) or max(torch.cuda.device_count(), 1)


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """With the other ranks, where torchrun started some, until all are done."""
    starts = int(os.environ.get(RANKS, "1")) > 1 and not distributed.is_initialized()
    if starts:
        _end_with_parent()
        gpu = device if device.type == "cuda" else None
        distributed.init_process_group("nccl" if gpu else "gloo", device_id=gpu)
    try:
        yield
        ranks.meet()
    finally:
        if starts:
            distributed.destroy_process_group()


def _end_with_parent() -> None:
    """SIGTERM, and with it a checkpoint, for this rank where what launched it is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)


def _launch(module: str, processes: int) -> NoReturn:
    """End with the exit code of the first rank that failed, which said why."""
    from torch.distributed import run as torchrun
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    logging.getLogger("torch.distributed").setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # compute.threads decides
    flags = ["--standalone", "--nproc-per-node", str(processes), "--module", module, *sys.argv[1:]]
    try:
        torchrun.run(torchrun.parse_args(flags))
    except SignalException as error:
        sys.exit(128 + error.sigval)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode < 0:
            sys.exit(
                f"error: process {rank} of {processes} was ended by signal {-failure.exitcode}; run it again to go on "
                "from the last checkpoint"
            )
        sys.exit(failure.exitcode)
    sys.exit(0)
