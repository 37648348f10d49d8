"""Edit specs: the changes to make, in one text form everywhere: `Smiling=+1.5, Eyeglasses=off, Blond_Hair=on`.

A number adds that many calibrated strengths (1 succeeds on 80 % of judged faces; the sign chooses between adding and
removing). `on` and `off` set the attribute whatever it was. Hair colours and other groups exclude each other, as in
IcGAN, AttGAN and STGAN: turning one on turns the others off."""

import dataclasses
import difflib
import re
from collections.abc import Sequence

from facet.base.errors import InputError

EXCLUSIVE = (
    ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"),
    ("Bald", "Bangs", "Receding_Hairline"),
    ("Straight_Hair", "Wavy_Hair"),
    *(tuple(f"{place}_{digit}" for digit in range(10)) for place in ("Digit", "Left", "Right")),
)
MOST = 1_000_000  # strengths; 1 succeeds on most faces
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def exclusive_with(attribute: str) -> tuple[str, ...]:
    """The attributes that cannot be present together with this one."""
    return tuple(other for group in EXCLUSIVE if attribute in group for other in group if other != attribute)


@dataclasses.dataclass(frozen=True)
class Change:
    """One attribute's part of a spec: `add` is a signed number of calibrated strengths, or None for a target."""

    attribute: str
    add: float | None = None
    on: bool = True  # the target if `add` is None

    @property
    def towards(self) -> bool:
        """True if the change makes the attribute present."""
        return self.on if self.add is None else self.add > 0

    def __str__(self) -> str:
        if self.add is None:
            return f"{self.attribute}={'on' if self.on else 'off'}"
        number = repr(float(self.add)).removesuffix(".0")
        return f"{self.attribute}={'' if number.startswith('-') else '+'}{number}"


@dataclasses.dataclass(frozen=True)
class Spec:
    """Changes in the order they were written, at most one per attribute; without changes the photo stays as it is."""

    changes: tuple[Change, ...] = ()

    def __str__(self) -> str:
        return ", ".join(str(change) for change in self.changes)


def parse(text: str, attributes: Sequence[str]) -> Spec:
    """Parse a spec; InputError if it names an attribute not among `attributes`, repeats or contradicts itself."""
    changes: dict[str, Change] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        change = _change(part, text, attributes)
        if change.attribute in changes:
            raise InputError(f"edit {text!r} names {change.attribute} twice; keep one")
        changes[change.attribute] = change
    turned_on = [change.attribute for change in changes.values() if change.towards]
    for name in turned_on:
        clash = [other for other in exclusive_with(name) if other in turned_on]
        if clash:
            raise InputError(f"edit {text!r} turns on both {name} and {clash[0]}, which exclude each other; keep one")
    return Spec(tuple(changes.values()))


def _change(part: str, text: str, attributes: Sequence[str]) -> Change:
    name, equals, value = (word.strip() for word in part.partition("="))
    if not equals or not name or not value:
        raise InputError(
            f"edit {text!r}: {part!r} is not of the form Attribute=value; write for example Smiling=on, Smiling=+1.5"
        )
    if name not in attributes:
        raise InputError(f"edit {text!r}: attribute {name!r} is unknown; {nearest(name, attributes)}")
    if value.lower() in ("on", "off"):
        return Change(name, on=value.lower() == "on")
    if not _NUMBER.fullmatch(value) or not abs(float(value)) <= MOST:
        raise InputError(
            f"edit {text!r}: {value!r} is neither on, off nor a number of strengths such as +1.5 or -1 (at most {MOST})"
        )
    return Change(name, add=float(value))


def nearest(name: str, names: Sequence[str]) -> str:
    """Advice for a name that is not among `names`: the nearest one, or all of them."""
    by_lower = {known.lower(): known for known in names}
    close = difflib.get_close_matches(name.lower().replace(" ", "_"), by_lower, n=1, cutoff=0.5)
    return f"did you mean {by_lower[close[0]]!r}?" if close else f"choose among {', '.join(names)}"
