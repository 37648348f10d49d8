"""What each section of the page shows, as plain values for the template."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from facet.reporting import charts
from facet.reporting.charts import Cell, Line
from facet.reporting.inputs import Hero, Inputs, Json, SystemInputs

Estimate = Mapping[str, Any]  # {value, low, high, n}
ON_OFF = {"add": "on", "remove": "off"}
MOST_CURVES = 12  # terms of one training history that are drawn
LATENT_SHEETS = (  # pictures of the section on latents: file, title
    ("interpolation", "Interpolation between test photos"),
    ("ian_figure", "The figure of the paper’s code: samples above interpolations"),
    ("variations", "Test photos, one attribute at a time"),
    ("generated", "Generated from z and a description, one attribute at a time"),
    ("swap", "Two photos exchange descriptions"),
)


def readable(name: str) -> str:
    """Mouth_Slightly_Open -> Mouth slightly open; file and set names the same way."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:].lower() if words.isascii() else words


def spec(text: str) -> str:
    """`Smiling=on, Blond_Hair=+1` for people."""
    return text.replace("_", " ").replace("=", " ")


def told(estimate: Estimate | float | None, kind: str = "number") -> Markup:
    """A value with its interval; hover for n. Kinds: number, percent, points, db, levels."""
    if estimate is None:
        return Markup('<span class="none">–</span>')
    if not isinstance(estimate, Mapping):
        return Markup("<b>{}</b>").format(plain(estimate, kind))
    if estimate["value"] is None:
        return Markup('<span class="none" title="not defined, n = {}">–</span>').format(estimate["n"])
    low, high = estimate["low"], estimate["high"]
    exact = low is None or (low == high == estimate["value"])
    interval = Markup("") if exact else Markup(" <small>{}</small>").format(span(low, high, kind))
    return Markup('<span class="num" title="n = {}"><b>{}</b>{}</span>').format(
        grouped(estimate["n"]), plain(estimate["value"], kind), interval
    )


def plain(value: float, kind: str) -> str:
    """A number in its unit, with a true minus sign."""
    return _plain(value, kind).replace("-", "\u2212")


def _plain(value: float, kind: str) -> str:
    if kind == "percent":
        return f"{_percent(value)} %"
    if kind == "points":
        return f"{100 * value:.2f} %"
    if kind == "db":
        return f"{value:.1f} dB"
    if kind == "levels":
        return f"{value:.1f}"
    if kind == "sum":
        return grouped(round(value))
    if kind == "share":
        return f"{value:.3f}"
    return f"{value:.3g}" if abs(value) < 1000 else grouped(round(value))


def span(low: float, high: float, kind: str) -> str:
    """An interval in the same unit, without repeating it."""
    ends = [plain(end, kind).removesuffix(" dB").removesuffix(" %") for end in (low, high)]
    return (" to " if low < 0 else " – ").join(ends)


def _percent(value: float) -> str:
    return f"{100 * value:.1f}" if abs(value) < 0.1 and value else f"{100 * value:.0f}"


def grouped(n: int) -> str:
    """12 345 with narrow spaces between the groups, at which no line breaks."""
    return f"{n:,}".replace(",", "\u202f")


def millions(n: int) -> str:
    """1.2 M, 0.31 M"""
    return f"{n / 1e6:.3g} M"


def grade(estimate: Estimate | None, goal: float, *, up: bool = True) -> str:
    """good: the value meets the goal; near: the goal lies in the interval; bad: it does not."""
    if not estimate or estimate["value"] is None:
        return "none"
    better = estimate["value"] >= goal if up else estimate["value"] <= goal
    if better:
        return "good"
    edge = estimate["high"] if up else estimate["low"]
    return "near" if edge is not None and ((edge >= goal) if up else (edge <= goal)) else "bad"


def rows(metrics: Json, section: str, **wanted: Any) -> list[Json]:
    """The rows of a section that have these values."""
    found: list[Json] = metrics.get(section, [])
    return [row for row in found if all(row.get(name) == value for name, value in wanted.items())]


def one(metrics: Json, section: str, **wanted: Any) -> Json | None:
    """The first such row, if any."""
    return next(iter(rows(metrics, section, **wanted)), None)


def tiles(system: SystemInputs, success_goal: float, flips_goal: float) -> list[Json]:
    """The headline numbers, each with what to compare it with."""
    metrics = system.metrics
    summary = means(system)
    table = {row["name"]: row for row in metrics.get("reconstruction", [])}
    in_use = one(metrics, "reconstruction", note="in use")
    mean_face, nearest = table.get("mean training face"), table.get("nearest training face")
    found = []
    if "success" in summary:
        found.append(
            {
                "title": "edits that succeed",
                "value": told(summary["success"], "percent"),
                "grade": grade(summary["success"], success_goal),
                "note": f"on and off, {summary['success']['n']} edited faces, judge B. "
                f"Photos that have it: {_short(summary.get('ceiling'), 'percent')}; "
                f"random direction: {_short(summary.get('random'), 'percent')}",
            }
        )
        found.append(
            {
                "title": "other attributes changed",
                "value": told(summary["flips"], "percent"),
                "grade": grade(summary["flips"], flips_goal, up=False),
                "note": f"share of the judge's other answers that differ from those on the photo. At equal success "
                f"(80 %): {_short(summary.get('flips_matched'), 'percent')}",
            }
        )
    if in_use:
        note = "peak signal to noise"
        if mean_face and nearest:
            note += f". Mean face: {_short(mean_face['psnr'], 'db')}; nearest face: {_short(nearest['psnr'], 'db')}"
        better = nearest is None or in_use["psnr"]["value"] > nearest["psnr"]["value"]
        found.append(
            {
                "title": "reconstruction",
                "value": told(in_use["psnr"], "db"),
                "grade": "good" if better else "bad",
                "note": note,
            }
        )
    samples = {row["name"]: row for row in metrics.get("samples", [])}
    shown = samples.get("prior") or samples.get("posterior")
    if shown and "real photos" in samples:
        found.append(
            {
                "title": "samples, kernel distance",
                "value": told(shown["judge_kid"]),
                "grade": "plain",
                "note": f"in judge A's features, not FID or KID. Real against real: "
                f"{_short(samples['real photos']['judge_kid'], 'number')}; edits: "
                f"{_short(samples['edits']['judge_kid'], 'number') if 'edits' in samples else '–'}",
            }
        )
    return found


def _short(estimate: Estimate | None, kind: str) -> str:
    return "–" if not estimate or estimate["value"] is None else plain(estimate["value"], kind)


def side_by_side(systems: Sequence[SystemInputs]) -> list[Json]:
    """For each edit that all systems made: rows of the same faces, the photo first, then each system's result."""
    heroes: dict[str, Hero] = {system.name: system.hero for system in systems if system.hero is not None}
    if len(heroes) < 2:
        return []
    first = next(iter(heroes.values()))
    shared = [
        caption
        for caption in first.captions[1:]
        if all(caption in hero.captions and hero.titles == first.titles for hero in heroes.values())
    ]
    found = []
    for caption in shared:
        columns = {name: hero.captions.index(caption) for name, hero in heroes.items()}
        faces = [
            [first.faces[i][0], *(hero.faces[i][columns[name]] for name, hero in heroes.items())]
            for i in range(len(first.faces))
        ]
        found.append({"edit": caption, "captions": ["photo", *heroes], "faces": faces, "titles": first.titles})
    return found


def edit_table(system: SystemInputs, success_goal: float, flips_goal: float) -> list[Json]:
    """One row per attribute: on and off side by side."""
    metrics = system.metrics
    found = []
    for name in dict.fromkeys(row["attribute"] for row in rows(metrics, "edits")):
        sides = {}
        for direction in ("add", "remove"):
            target = one(metrics, "edits", attribute=name, direction=direction, setting="target")
            if target is None:
                continue
            main = one(metrics, "edits", attribute=name, direction=direction, setting="s80")
            matched = one(metrics, "matched", attribute=name, direction=direction)
            success = target["success"]
            sides[direction] = target | {
                "grade": grade(success, success_goal),
                "flips_grade": grade(target["flips"], flips_goal, up=False),
                "bar": charts.interval(
                    success["value"],
                    success["low"],
                    success["high"],
                    goal=success_goal,
                    style=grade(success, success_goal),
                    title=f"{readable(name)} {ON_OFF[direction]}; goal {plain(success_goal, 'percent')}",
                ),
                "s80": main,
                "matched": matched,
            }
        found.append({"name": readable(name), "sides": sides})
    return found


def curve_charts(system: SystemInputs) -> list[Json]:
    """Per attribute: success of adding and removing over the strength, and what else flips."""
    found = []
    metrics = system.metrics
    for name in dict.fromkeys(row["attribute"] for row in rows(metrics, "curves")):
        lines = []
        for direction, style in (("add", "one"), ("remove", "two")):
            points = rows(metrics, "curves", attribute=name, direction=direction)
            if not points:
                continue
            xs = [0.0] + [point["strength"] for point in points]
            for key, suffix, look in (("success", "", style), ("flips", ", others changed", f"{style} thin")):
                values = [point[key] for point in points]
                lines.append(
                    Line(
                        f"{ON_OFF[direction]}{suffix}",
                        look,
                        xs,
                        [0.0] + [value["value"] for value in values],
                        [0.0] + [value["low"] for value in values] if key == "success" else (),
                        [0.0] + [value["high"] for value in values] if key == "success" else (),
                        percent=True,
                    )
                )
        ticks = [0.0, 1.0, 2.0, 3.0]
        last = max((x for line in lines for x in line.xs), default=1.0)
        chart = charts.line_chart(
            f"{readable(name)}: success and other attributes changed, by strength",
            lines,
            low=0,
            high=1,
            ticks=(0, 0.5, 1),
            x_ticks=[tick for tick in ticks if tick <= last],
            percent=True,
            rule=0.8,
        )
        found.append({"name": readable(name), "chart": chart})
    return found


def graded(system: SystemInputs, judges: Json) -> list[Json]:
    """Per real-valued attribute: the judged value over the value that was set, its summary, and how judge B reads
    photos."""
    found = []
    for row in rows(system.metrics, "graded_summary"):
        points = rows(system.metrics, "graded", attribute=row["attribute"])
        lines = [
            Line(
                label,
                style,
                [point["value"] for point in points],
                [point[key]["value"] for point in points],
                [point[key]["low"] for point in points],
                [point[key]["high"] for point in points],
            )
            for key, label, style in (("judged", "judged", "one"), ("floor", "another entry walks", "two thin"))
        ]
        name = readable(row["attribute"])
        chart = charts.line_chart(
            f"{name}: judged value over the value set", lines, low=-1, high=1, ticks=(-1, 0, 1), x_ticks=(-1, 0, 1)
        )
        card = judges["attributes"].get(row["attribute"], {}).get("b", {})
        photos = dict.fromkeys(("spearman", "absolute_error", "constant_error")) | card
        found.append(row | {"name": name, "chart": chart, "photos": photos})
    return found


def heat(system: SystemInputs) -> list[Json]:
    """The two entanglement matrices."""
    cells = rows(system.metrics, "entanglement")
    if not cells:
        return []
    names = list(dict.fromkeys(cell["attribute"] for cell in cells))
    columns = list(dict.fromkeys(cell["other"] for cell in cells))
    by_place = {(cell["attribute"], cell["other"]): cell for cell in cells}
    found = []
    for key, title, kind, full in (
        ("shift", "Shift of the judge's logit, in standard deviations of real photos", "number", 1.5),
        ("flips", "Share of faces whose answer changes", "percent", 1.0),
    ):
        matrix = []
        for name in names:
            line = []
            for other in columns:
                cell = by_place.get((name, other))
                line.append(_heat_cell(name, other, cell, key, kind, full))
            matrix.append(line)
        chart = charts.heat_map(title, [readable(name) for name in names], [readable(name) for name in columns], matrix)
        found.append({"title": title, "chart": chart, "starred": key == "shift"})
    return found


def _heat_cell(name: str, other: str, cell: Json | None, key: str, kind: str, full: float) -> Cell:
    if cell is None or cell[key]["value"] is None:
        return Cell(None, f"{readable(name)} on {readable(other)}: not measured")
    number = cell[key]
    title = f"{readable(name)} edit, {readable(other)}: {plain(number['value'], kind)}"
    if number["low"] is not None:
        title += f" ({span(number['low'], number['high'], kind)}), n = {number['n']}"
    if name != other and not cell["off_target"]:
        title += "; meant to change together"
    mark = "•" if key == "shift" and cell["sure"] else ""
    return Cell(number["value"] / full, title, mark, own=name == other)


def entanglement_summary(system: SystemInputs) -> list[Json]:
    """The largest off-target shifts."""
    cells = [
        cell for cell in rows(system.metrics, "entanglement", off_target=True) if cell["shift"]["value"] is not None
    ]
    cells.sort(key=lambda cell: (-abs(cell["shift"]["value"]), cell["attribute"], cell["other"]))
    return cells[:8]


def training_charts(histories: Mapping[str, pd.DataFrame]) -> list[Json]:
    """Small curves of every term of every run."""
    found = []
    for run, table in histories.items():
        if table.empty or "step" not in table:
            continue
        terms = [name for name in table.columns if name not in ("step", "images_seen")]
        small = []
        for term in terms[:MOST_CURVES]:
            ys = [None if not math.isfinite(y) else float(y) for y in table[term]]
            known = [y for y in ys if y is not None]
            if not known:
                continue
            low, high = min(known), max(known)
            if low == high:
                low, high = low - 0.5, high + 0.5
            chart = charts.line_chart(
                f"{run}: {term}",
                [Line(term, "one", [float(x) for x in table["step"]], ys)],
                low=low,
                high=high,
                width=200,
                height=100,
                ticks=charts.nice_ticks(low, high, 3),
                x_ticks=[float(table["step"].iloc[0]), float(table["step"].iloc[-1])],
                marks=len(table) <= 80,
            )
            small.append({"name": term.replace("_", " "), "chart": chart})
        steps, seen = int(table["step"].iloc[-1]), table.get("images_seen")
        found.append(
            {
                "name": run.replace("_", " "),
                "steps": grouped(steps),
                "images": grouped(int(seen.iloc[-1])) if seen is not None else "",
                "charts": small,
            }
        )
    return found


def judge_table(judges: Json, systems: Sequence[SystemInputs]) -> list[Json]:
    """One row per attribute: both judges on photos, and judge B on reconstructions of the first system."""
    on_reconstructions = {row["attribute"]: row for row in rows(systems[0].metrics, "judge_card")}
    return [
        {"attribute": name, "name": readable(name), "card": card, "reconstruction": on_reconstructions.get(name)}
        for name, card in judges["attributes"].items()
    ]


def not_judged(inputs: Inputs) -> list[Json]:
    """What was left out of the numbers, and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for system in inputs.systems:
        for row in rows(system.metrics, "judge_card"):
            if not row["judged"]:
                card = inputs.judges["attributes"].get(row["attribute"], {})
                reason = card.get("reason") or row["reason"]
                found.setdefault((row["attribute"], reason), []).append(system.name)
            elif not row["judged_on_reconstructions"]:
                reason = f"judged on photos, but not on reconstructions: {row['reconstruction_reason']}"
                found.setdefault((row["attribute"], reason), []).append(system.name)
    return [
        {"name": readable(name), "reason": reason, "systems": ", ".join(systems)}
        for (name, reason), systems in found.items()
    ]


def picture_title(name: str, systems: Sequence[SystemInputs]) -> str:
    """What a picture of data/samples shows."""
    if any(system.name == name for system in systems):
        return f"{name}: draws from the prior"
    return f"{name}: validation faces above their reconstructions"


def means(system: SystemInputs) -> Json:
    """Means over attributes and directions, by name."""
    return {row["name"]: row["value"] for row in rows(system.metrics, "summary")}


def estimator_table(system: SystemInputs) -> Json | None:
    """The comparison of estimators on the valid split."""
    if system.attributes is None or "estimators" not in system.attributes:
        return None
    each = system.attributes["estimators"]["each"]
    last = max([number["off_target"]["high"] or 0 for number in each.values()] or [0]) or 0.1
    table = []
    for name, numbers in each.items():
        off = numbers["off_target"]
        table.append(
            numbers
            | {
                "name": readable(name),
                "bar": charts.interval(
                    off["value"],
                    off["low"],
                    off["high"],
                    last=last * 1.05,
                    title=f"{readable(name)}: {_short(off, 'percent')}",
                ),
            }
        )
    return {"table": table, "differences": system.attributes["estimators"].get("differences", [])}


def balance(card: Json) -> list[Json]:
    """Share of faces with each attribute, per split, and a bar for the training split."""
    splits = card["splits"]
    names = splits["train"]["attributes"]
    return [
        {
            "name": readable(name),
            "share": splits["train"]["attributes"][name]["share"],
            "present": {split: splits[split]["attributes"][name]["present"] for split in splits},
            "unknown": sum(splits[split]["attributes"][name]["unknown"] for split in splits),
        }
        for name in names
    ]


def strength_rows(system: SystemInputs) -> list[tuple[str, str, Json]]:
    """Attribute, direction, and the rows of its calibrated strengths."""
    grouped_rows: dict[tuple[str, str], Json] = {}
    for row in rows(system.metrics, "edits"):
        grouped_rows.setdefault((row["attribute"], row["direction"]), {})[row["setting"]] = row
    return [(readable(name), ON_OFF[direction], settings) for (name, direction), settings in grouped_rows.items()]


def control_table(system: SystemInputs) -> list[Json]:
    """The controls, each beside the edit that they control for."""
    found = []
    for row in rows(system.metrics, "controls"):
        main = one(system.metrics, "edits", attribute=row["attribute"], direction=row["direction"], setting="s80")
        found.append(row | {"edit": main["success"] if main else None})
    return found


def subgroup_table(system: SystemInputs) -> list[Json]:
    """One row per measure, its groups side by side, the gap last."""
    found: dict[str, list[Json]] = {}
    for row in rows(system.metrics, "subgroups"):
        found.setdefault(row["measure"], []).append({"name": row["group"], "value": row["value"], "p": row.get("p")})
    kinds = {"psnr": ("PSNR", "db"), "success": ("success", "percent")}
    return [{"measure": kinds[name][0], "kind": kinds[name][1], "groups": groups} for name, groups in found.items()]


def flipped(estimate: Estimate) -> Json:
    """1 - share."""
    ends = [None if estimate[end] is None else 1 - estimate[end] for end in ("value", "high", "low")]
    return dict(zip(("value", "low", "high"), ends, strict=True)) | {"n": estimate["n"]}


def signed(value: float) -> str:
    """+0.25, −1.30"""
    return f"{value:+.2f}".replace("-", "\u2212")
