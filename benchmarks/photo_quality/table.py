"""Rows of the table: what became of the edits of one attribute, direction, set and way, each number with its interval.

`all` stands for every attribute or set; a row over several resamples people, because their photos come again."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.photo_quality.measures import kernel_distance, told_apart
from benchmarks.photo_quality.run import LEAST_AUC, OTHERS_SELF, USUAL, Card, Edit, IdentityCard
from facet.metrics.intervals import UNDEFINED, Estimate, bootstrap, bootstrap_mean, wilson

ALL = "all"
SELF = "all but " + ", ".join(OTHERS_SELF)
BLURRED = 0.75  # of the sharpness: a photo below it is blurred
SEED = 1
Rows = list[dict[str, Any]]


def rows(edits: Sequence[Edit], cards: Sequence[Card], identity: IdentityCard, judged: Iterable[str]) -> Rows:
    """A row per cell that has edits, then the rows over all sets and over all attributes."""
    visible = set(judged)
    cells: dict[tuple[str, str, str, str], list[Edit]] = {}
    for edit in edits:
        direction = "on" if edit.on else "off"
        places = [(edit.attribute, direction, name) for name in (edit.set, ALL)]
        places += [(name, ALL, place) for name in (ALL, SELF) for place in (edit.set, ALL)
                   if name == ALL or edit.attribute not in OTHERS_SELF]  # fmt: skip
        for place in places:
            cells.setdefault((*place, edit.way), []).append(edit)
    return [
        {"attribute": attribute, "direction": direction, "set": name, "way": way}
        | row(members, cards, identity, visible)
        for (attribute, direction, name, way), members in cells.items()
    ]


def row(edits: Sequence[Edit], cards: Sequence[Card], identity: IdentityCard, judged: set[str]) -> dict[str, Any]:
    """The numbers of one row, as `Estimate` or plain."""
    done = [edit for edit in edits if not edit.refused]
    numbers: dict[str, Any] = {
        "edited": share([not edit.refused for edit in edits], edits),
        "refused": dict(sorted(Counter(edit.refused for edit in edits if edit.refused).items())),
    }
    by_b = [edit for edit in done if edit.attribute in judged]
    numbers["b_before"] = share([(edit.b[0] >= 0.5) == edit.on for edit in by_b], by_b)
    numbers["b_after"] = share([(edit.b[1] >= 0.5) == edit.on for edit in by_b], by_b)
    by_other = [edit for edit in done if edit.other is not None]
    for when, index in (("before", 0), ("after", 1)):
        hits = [edit.other[index] == edit.on for edit in by_other if edit.other is not None]
        numbers[f"other_{when}"] = share(hits, by_other)
    numbers["outside"] = {
        f"{card.attribute} by {card.field}": seen
        for card in cards
        if card.judged and (seen := outside([edit for edit in done if edit.attribute == card.attribute], card))
    }
    distances = [edit.distance for edit in done]
    numbers["distance"] = of_median(distances, done)
    numbers["verified"] = share([distance < identity.threshold for distance in distances], done)
    numbers["verified_usual"] = share([distance < USUAL for distance in distances], done)
    damage = [edit.damage for edit in done if edit.damage is not None]
    sharpness = np.array([one.sharpness for one in damage])
    numbers["sharpness"] = of_median(sharpness, done)
    told = [(value < BLURRED, edit) for value, edit in zip(sharpness, done, strict=True) if np.isfinite(value)]
    numbers["blurred"] = share([blurred for blurred, _ in told], [edit for _, edit in told])
    numbers["seam_95"] = statistic([one.seam for one in damage], done, lambda values: float(np.quantile(values, 0.95)))
    numbers["changed"] = of_median([one.changed for one in damage], done)
    numbers["background_kept"] = share([one.background == 0 for one in damage], done)
    numbers["background_pixels"] = of_median([one.background for one in damage], done)
    numbers["background_levels"] = max((one.background_levels for one in damage), default=0)
    grey = [edit for edit in done if edit.set == "grey"]
    numbers["grey_kept"] = share([edit.damage is not None and edit.damage.grey for edit in grey], grey)
    before = np.array([edit.before.features for edit in done if edit.before is not None])
    after = np.array([edit.after.features for edit in done if edit.after is not None])
    people = np.array([edit.person for edit in done])
    numbers["told_apart"] = told_apart(before, after, people, seed=SEED) if len(done) else UNDEFINED
    numbers["kernel_distance"], numbers["kernel_floor"] = kernel_distance(before, after, people, seed=SEED)
    return numbers


def outside(edits: Sequence[Edit], card: Card) -> dict[str, Estimate] | None:
    """By one network from outside: the share that shows the wanted state before and after, and after among those that
    did not show it before."""
    pairs = [
        (card.present(edit.before) == edit.on, card.present(edit.after) == edit.on)
        for edit in edits
        if edit.before is not None and edit.after is not None
    ]
    if not pairs:
        return None
    lacked = [edit for edit, (before, _) in zip(edits, pairs, strict=True) if not before]
    return {
        "before": share([before for before, _ in pairs], edits),
        "after": share([after for _, after in pairs], edits),
        "turned": share([after for before, after in pairs if not before], lacked),
    }


def share(hits: Sequence[bool], edits: Sequence[Edit]) -> Estimate:
    """The share of edits that hit: Wilson's interval where each is of another person, else people are resampled."""
    people = np.array([edit.person for edit in edits])
    if len(np.unique(people)) == len(people):
        return wilson(int(np.sum(hits)), len(hits))
    return bootstrap_mean(np.array(hits, float), seed=SEED, clusters=people)


def of_median(values: Sequence[float] | np.ndarray, edits: Sequence[Edit]) -> Estimate:
    """The median of one number per edit; NaN is left out."""
    return statistic(values, edits, lambda kept: float(np.median(kept)))


def statistic(
    values: Sequence[float] | np.ndarray, edits: Sequence[Edit], of: Callable[[np.ndarray], float]
) -> Estimate:
    """A statistic of one number per edit, people resampled; NaN is left out."""
    kept = np.asarray(values, float)
    people = np.array([edit.person for edit in edits])[np.isfinite(kept)] if len(kept) else np.array([])
    kept = kept[np.isfinite(kept)]
    return bootstrap(lambda indices: of(kept[indices]), len(kept), seed=SEED, clusters=people, count=300)


def to_json(value: Any) -> Any:
    """Estimates, cards and rows as JSON."""
    if isinstance(value, Estimate):
        return value.to_json()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {name: to_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(one) for one in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value


COLUMNS = (
    "attribute", "set", "way", "n", "edited %", "B before → after %", "other judge %",
    "outside before → after (turned) %", "distance", "verified %", "sharpness", "blurred %", "seam p95",
    "background kept %", "levels", "grey %", "told apart", "MobileNetV2 KID (floor)",
)  # fmt: skip


def markdown(table: Rows) -> str:
    """The rows as a Markdown table; an interval stands behind its value in brackets."""
    lines = [" | ".join(COLUMNS), " | ".join("---" for _ in COLUMNS)]
    for one in sorted(table, key=_order):
        name = one["attribute"] if one["direction"] == ALL else f"{one['attribute']}={one['direction']}"
        seen = next(iter(one["outside"].values()), None) if one["direction"] != ALL else None
        reasons = ", ".join(f"{reason} {count}" for reason, count in one["refused"].items())
        cells = (
            name, one["set"], one["way"], str(one["edited"].n),
            percent(one["edited"]) + (f" ({reasons})" if reasons else ""),
            f"{percent(one['b_before'], bare=True)} → {percent(one['b_after'])}",
            f"{percent(one['other_before'], bare=True)} → {percent(one['other_after'])}",
            "-" if seen is None else f"{percent(seen['before'], bare=True)} → {percent(seen['after'])} "
                                     f"({percent(seen['turned'])})",
            number(one["distance"]), percent(one["verified"]), number(one["sharpness"]), percent(one["blurred"]),
            number(one["seam_95"]), percent(one["background_kept"]), str(one["background_levels"]),
            percent(one["grey_kept"]), number(one["told_apart"]),
            number(one["kernel_distance"]) + f" ({number(one['kernel_floor'], bare=True)})",
        )  # fmt: skip
        lines.append(" | ".join(cells))
    return "\n".join(f"| {line} |" for line in lines)


def summary(table: Rows) -> str:
    """The goals of a set and way in a table: one row each for every set, and for all."""
    heads = (
        "set", "way", "B, mean of edits %", "B, least %", "other judge, mean of edits %", "Smiling=on turned %",
        "verified %", "Male, Young verified %", "sharpness", "blurred %", "seam p95", "background kept %", "grey %",
        "told apart", "edited %",
    )  # fmt: skip
    lines = [" | ".join(heads), " | ".join("---" for _ in heads)]
    for every in sorted((one for one in table if one["attribute"] == ALL), key=_order):
        own = [one for one in table if (one["set"], one["way"]) == (every["set"], every["way"])]
        cells = [one for one in own if one["direction"] != ALL]
        success = {
            f"{one['attribute']}={one['direction']}": one["b_after"].value
            for one in cells
            if np.isfinite(one["b_after"].value)
        }
        least = min(success, key=lambda name: success[name], default=None)
        others_see = [one["other_after"].value for one in cells]
        smiling = next((one for one in cells if (one["attribute"], one["direction"]) == ("Smiling", "on")), None)
        turned = smiling and smiling["outside"].get("Smiling by happy")
        others = [one["verified"].value for one in cells if one["attribute"] in OTHERS_SELF]
        same = next((one["verified"] for one in own if one["attribute"] == SELF), UNDEFINED)
        values = (
            every["set"], every["way"],
            "-" if least is None else f"{100 * np.mean(list(success.values())):.0f}",
            "-" if least is None else f"{100 * success[least]:.0f} ({least})",
            f"{100 * np.nanmean(others_see):.0f}" if np.isfinite(others_see).any() else "-",
            percent(turned["turned"]) if turned else "-", percent(same),
            f"{100 * np.nanmean(others):.0f}" if np.isfinite(others).any() else "-",
            number(every["sharpness"]), percent(every["blurred"]), number(every["seam_95"]),
            percent(every["background_kept"]), percent(every["grey_kept"]), number(every["told_apart"]),
            percent(every["edited"]),
        )  # fmt: skip
        lines.append(" | ".join(values))
    return "\n".join(f"| {line} |" for line in lines)


def card_lines(cards: Sequence[Card], identity: IdentityCard, photos: int) -> str:
    """The cards of the networks from outside in words."""
    lines = [f"Networks from outside on {photos} untouched test photos:"]
    for card in cards:
        verdict = f"present from {card.sign * card.threshold:.3g}" if card.judged else f"not judged (AUC < {LEAST_AUC})"
        if card.judged and card.sign < 0:
            verdict = verdict.replace("from", "up to")
        lines.append(f"- {card.attribute} by {card.field}: AUC {number(card.auc)}, n {card.auc.n}; {verdict}")
    lines.append(
        f"- identity: AUC {number(identity.auc)}, n {identity.auc.n} pairs; 1 % false accepts at a distance of "
        f"{identity.threshold:.3f}, where {100 * identity.accepted:.1f} % of pairs of one person pass; at {USUAL}: "
        f"{100 * identity.false_usual:.2f} % false accepts, {100 * identity.accepted_usual:.1f} % pass"
    )
    return "\n".join(lines)


def percent(value: Estimate, *, bare: bool = False) -> str:
    """ "93 [88, 97]", in percent."""
    if not np.isfinite(value.value):
        return "-"
    return f"{100 * value.value:.0f}" + ("" if bare else f" [{100 * value.low:.0f}, {100 * value.high:.0f}]")


def number(value: Estimate, *, bare: bool = False) -> str:
    """ "0.52 [0.48, 0.55]"."""
    if not np.isfinite(value.value):
        return "-"
    return f"{value.value:.2f}" + ("" if bare else f" [{value.low:.2f}, {value.high:.2f}]")


def _order(one: Mapping[str, Any]) -> tuple[bool, bool, str, str, str, str]:
    return (one["attribute"] in (ALL, SELF), one["set"] != ALL, one["attribute"], one["direction"], one["set"],
            one["way"])  # fmt: skip
