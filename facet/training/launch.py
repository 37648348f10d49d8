"""Start the ranks of one training (facet/nets/ranks.py). Their number comes from the environment, like that of workers
(facet/base/engines.py):

    FACET_PROCESSES   processes of a training (default: 1; 0: one per GPU)

`torchrun --nproc-per-node N -m stages.train_gan …` does the same."""

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

RANKS = "WORLD_SIZE"  # the number of ranks, in the environment that torchrun sets
SET_PARENT_DEATH_SIGNAL = 1  # linux/prctl.h


def launching(run: Callable[[P], None], module: str) -> Callable[[P], None]:
    """Wrap the `run` of the stage `module` so that it starts FACET_PROCESSES processes with the flags of this one."""

    def run_or_launch(params: P) -> None:
        processes = 1 if RANKS in os.environ else requested_ranks()
        if processes > 1:
            log.info("training on %d processes", processes)
            _launch(module, processes)
        try:
            run(params)
        except RuntimeError as error:
            if "gloo" in str(error) or isinstance(error, distributed.DistError):
                sys.exit(1)  # another rank ended and has reported why
            raise

    return run_or_launch


def requested_ranks() -> int:
    """The number of ranks by FACET_PROCESSES."""
    text = os.environ.get("FACET_PROCESSES") or "1"
    if not text.isdecimal():
        raise InputError(f"FACET_PROCESSES {text!r}: expected a number of processes, or 0 for one per GPU")
    most = max(os.cpu_count() or 1, torch.cuda.device_count())
    if int(text) > most:
        raise InputError(f"FACET_PROCESSES {text}: this machine supports at most {most}")
    return int(text) or max(torch.cuda.device_count(), 1)


@contextlib.contextmanager
def joined(device: torch.device) -> Iterator[None]:
    """Join the other ranks, if torchrun started any, and wait for all of them at the end."""
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
    """Send this rank SIGTERM, which saves a checkpoint, when its parent process is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_PARENT_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)


def _launch(module: str, processes: int) -> NoReturn:
    """Run the ranks and end with the exit code of the first that failed, which has reported why."""
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
                f"error: process {rank} of {processes} was ended by signal {-failure.exitcode}; run it again to "
                "continue from the last checkpoint"
            )
        sys.exit(failure.exitcode)
    sys.exit(0)
