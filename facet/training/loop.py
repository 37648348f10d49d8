"""The training loop of all systems: steps, logs, checkpoints and failures. Trainers contribute the mathematics."""

import dataclasses
import logging
import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from facet.base import images
from facet.base.errors import InputError
from facet.nets import ranks
from facet.training import warm_start
from facet.training.history import History, first_not_finite
from facet.training.resume import Resume

log = logging.getLogger(__name__)

SAVE_SECONDS = 60  # between checkpoints of an unfinished run
LOG_SECONDS = 10
LARGEST = 1e6  # of a trained weight; those of our networks stay below 100


@dataclasses.dataclass(frozen=True)
class Batch:
    """Images x (N, C, S, S) in [-1, 1] and descriptions y (N, K) in [-1, 1] on the device: -1 absent, +1 present, 0
    unknown; real-valued attributes take values in between."""

    x: Tensor
    y: Tensor


class Trainer(Protocol):
    """Networks and optimisers of one training run."""

    modules: dict[str, nn.Module]
    optimisers: dict[str, torch.optim.Optimizer]

    def step(self, step: int, batch: Batch) -> dict[str, Tensor]:
        """Make one update and return the terms of the losses by name. Randomness must depend on (seed, step) alone."""
        ...

    def check(self, step: int, *, last: bool = False) -> str | None:
        """Called before the first step (0), at every row of the history, and after the last step with `last`: an error
        message (collapse), or None."""
        ...


class TrainingError(InputError):
    """Training cannot continue, or what it ended with is not sound: a loss or weight is not finite or as large as no
    trained one is, nothing was learned, or the generator has collapsed."""


def train(
    trainer: Trainer,
    *,
    pixels: np.ndarray,
    labels: np.ndarray,
    rows: np.ndarray,
    steps: int,
    batch_size: int,
    flip: bool,
    seed: int,
    device: torch.device,
    history: History,
    resume: Resume,
    preview: Callable[[int], None],
    start: Path | None = None,
) -> dict[str, Any]:
    """Run steps 1..steps over random batches of `rows` and return the final state. Training starts from the checkpoint
    if there is one, else from the warm start in the file `start` (facet/training/warm_start.py) if one is given.

    `preview(step)` is called at every row of the history. TrainingError with advice if a term is not finite, the
    trainer's check finds a collapse, or the weights at the end are not sound; InputError if there would be no row.
    SIGTERM saves the state and ends the process, and the next run continues from it. Of several ranks
    (facet/nets/ranks.py) each trains on its part of every batch, and only the first writes."""
    if history.every > steps:
        raise InputError(f"log_every {history.every} exceeds the {steps} steps, so nothing would be logged; lower it")
    if batch_size % ranks.count():
        raise InputError(f"batch_size {batch_size} is not a multiple of the {ranks.count()} processes that share it")
    for optimiser in trainer.optimisers.values():
        ranks.average_gradients(optimiser)
    first = 1
    trainer.check(0)
    untrained = _fingerprints(trainer)
    state = resume.load()
    if state is not None:
        first = _restore(trainer, history, state) + 1
        log.info("resuming at step %d of %d", first, steps)
    elif start is not None and (state := warm_start.load(start)) is not None:
        first = warm_start.first_step(steps)
        _fill(trainer, state, start)
        untrained = _fingerprints(trainer)
        log.info("warm start at step %d of %d from %s", first, steps, start)
    batches = images.batch_rows(rows, batch_size=batch_size, seed=seed, start=first)
    targets, stop = torch.from_numpy(labels.copy()), ranks.Stop(device)
    started = logged = saved = time.monotonic()
    with _sigterm() as stopped:
        for step in range(first, steps + 1):
            chosen = ranks.part(next(batches))
            mirrored = ranks.part(images.flips(batch_size, seed, step)) if flip else None
            x = images.gather(pixels, chosen, mirrored).to(device, memory_format=torch.channels_last)
            terms = ranks.means(trainer.step(step, Batch(x, targets[chosen].to(device))))
            stopping = stop.agreed(stopped(), now=step == steps)
            if history.add(step, step * batch_size, terms):
                problem = diverged(history.rows[-1], trainer) or trainer.check(step)
                if problem is not None:
                    resume.clear()
                    raise TrainingError(f"step {step}: {problem}")
                if ranks.leads():
                    preview(step)
            now = time.monotonic()
            if ranks.leads() and (now - logged > LOG_SECONDS or step == steps):
                rate = (step - first + 1) / (now - started)
                log.info(
                    "step %d/%d, %.0f images/s, %.0f s left: %s",
                    step, steps, rate * batch_size, (steps - step) / rate, history.line(),
                )  # fmt: skip
                logged = now
            if stopping or now - saved > SAVE_SECONDS:
                if ranks.leads():
                    resume.save(_snapshot(trainer, history, step))
                saved = now
            if stopping:
                ranks.meet()
                log.info("stopped at step %d; the next run continues from there", step)
                sys.exit(143)
    problem = diverged(history.means(), trainer) or unsound(trainer, untrained) or trainer.check(steps, last=True)
    if problem is not None:
        resume.clear()
        raise TrainingError(f"step {steps}: {problem}")
    if ranks.leads():
        history.write()
    return _snapshot(trainer, history, steps)


def collapsed(samples: Tensor, step: int, advice: str, *, untrained: float = -1.0) -> str | None:
    """An error message if the samples (N, C, S, S) are not finite, or those of different codes hardly differ: after the
    first steps, or by a tenth of what those of the untrained generator do, whose `spread` is `untrained`."""
    if not samples.isfinite().all():
        return f"the generator draws values that are not finite. {advice}, or choose another seed in params.yaml"
    deviation = spread(samples)
    if deviation < 0.02 and (step > 200 or deviation <= untrained / 10):
        return (
            f"the generator has collapsed: {len(samples)} samples deviate by {deviation:.4f} on average, of a range of "
            f"2. {advice}, or choose another seed in params.yaml"
        )
    return None


def spread(samples: Tensor) -> float:
    """The deviation of samples (N, C, S, S) over N, on average."""
    return float(samples.std(dim=0).mean())


def unsound(trainer: Trainer, untrained: dict[str, float]) -> str | None:
    """An error message with advice if weights are not finite or too large to be trained ones, or if those of an
    optimiser that made steps are still as `untrained`, else None."""
    for name, module in trainer.modules.items():
        for key, value in module.state_dict().items():
            if value.is_floating_point() and not value.isfinite().all():
                return f"weights `{key}` of {name} are not finite; training diverged. {_advice(trainer)}"
        for key, weight in module.named_parameters():
            if float(weight.detach().abs().max()) > LARGEST:
                return f"weights `{key}` of {name} exceed {LARGEST:g}; training diverged. {_advice(trainer)}"
    for name, value in _fingerprints(trainer).items():
        if trainer.optimisers[name].state and value == untrained[name]:
            rates = " or ".join(_rates(trainer)) or "learning rate"
            return f"the weights of optimiser `{name}` have not changed; raise {rates} in params.yaml"
    return None


def _fingerprints(trainer: Trainer) -> dict[str, float]:
    """A number for the weights of each optimiser, which changes with any of them."""
    return {
        name: sum(float(p.detach().double().square().sum()) for group in one.param_groups for p in group["params"])
        for name, one in trainer.optimisers.items()
    }


def _rates(trainer: Trainer) -> list[str]:
    """The learning rates among the settings of a trainer."""
    return [name for name in vars(getattr(trainer, "settings", object)) if name.startswith("learning_rate")]


def _advice(trainer: Trainer) -> str:
    """What to change in params.yaml if training diverged: settings that this trainer has."""
    penalty = " or raise r1_gamma" if hasattr(getattr(trainer, "settings", None), "r1_gamma") else ""
    return f"Lower {' and '.join(_rates(trainer)) or 'the learning rate'}{penalty} in params.yaml"


def half_cosine(done: float, *, final: float) -> float:
    """Half a cosine from 1 to `final` as `done`, the share of the steps, goes from 0 to 1."""
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all weights of an optimiser."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def diverged(means: dict[str, float], trainer: Trainer) -> str | None:
    """An error message with advice if a mean is not finite, else None."""
    name = first_not_finite(means)
    if name is None:
        return None
    return f"the loss term `{name}` is {means[name]}; training diverged. {_advice(trainer)}"


def _snapshot(trainer: Trainer, history: History, step: int) -> dict[str, Any]:
    return {
        "step": step,
        "modules": {name: module.state_dict() for name, module in trainer.modules.items()},
        "optimisers": {name: optimiser.state_dict() for name, optimiser in trainer.optimisers.items()},
        "history": history.state(),
    }


def _restore(trainer: Trainer, history: History, state: dict[str, Any]) -> int:
    _fill(trainer, state)
    history.load_state(state["history"])
    step: int = state["step"]
    return step


def _fill(trainer: Trainer, state: dict[str, Any], source: Path | None = None) -> None:
    """Load networks and optimisers from a state; InputError if their shapes differ from those in `source`."""
    try:
        for name, module in trainer.modules.items():
            module.load_state_dict(state["modules"][name])
        for name, optimiser in trainer.optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])
            _check_moments(optimiser)
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        if source is None:
            raise
        raise InputError(
            f"{source} belongs to other networks than those of params.yaml ({error}); train once from the beginning "
            "(nightly.start: scratch)"
        ) from None


def _check_moments(optimiser: torch.optim.Optimizer) -> None:
    """Raise ValueError if an optimiser's state has another shape than its weight, beyond whose end torch would
    write."""
    for weight, kept in optimiser.state.items():
        for name, value in kept.items():
            if isinstance(value, Tensor) and value.ndim and value.shape != weight.shape:
                raise ValueError(f"{name} is of shape {tuple(value.shape)}, its weight of {tuple(weight.shape)}")


@contextmanager
def _sigterm() -> Iterator[Callable[[], bool]]:
    """A function that returns True after SIGTERM; the previous handler is restored at the end."""
    received = False

    def handler(signum: int, frame: FrameType | None) -> None:
        nonlocal received
        received = True

    previous = signal.signal(signal.SIGTERM, handler)
    try:
        yield lambda: received
    finally:
        signal.signal(signal.SIGTERM, previous)
