"""The contents of the page's sections, as plain values for the template."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from facet.reporting import charts
from facet.reporting.charts import Cell, Line
from facet.reporting.inputs import Hero, Inputs, Json, SystemInputs, first_row, means, rows
from facet.reporting.values import ON_OFF, formatted, grade, grouped, plain, readable, short, span

MOST_CURVES = 12  # most terms drawn of one training history
LATENT_SHEETS = (  # file and title of the pictures in the section on latents
    ("interpolation", "Interpolation between test photos"),
    ("ian_figure", "The figure of the paper’s code: samples above interpolations"),
    ("variations", "Test photos, one attribute at a time"),
    ("generated", "Generated from z and a description, one attribute at a time"),
    ("swap", "Two photos exchange descriptions"),
)


def tiles(system: SystemInputs, success_goal: float, side_effects_goal: float) -> list[Json]:
    """The headline numbers, each with numbers to compare it with."""
    metrics = system.metrics
    summary = means(system)
    table = {row["name"]: row for row in metrics.get("reconstruction", [])}
    in_use = first_row(metrics, "reconstruction", note="in use")
    mean_face, nearest = table.get("mean training face"), table.get("nearest training face")
    tiles = []
    if "success" in summary:
        tiles.append(
            {
                "title": "success",
                "value": formatted(summary["success"], "percent"),
                "grade": grade(summary["success"], success_goal),
                "note": f"share of edits that succeed, on and off, {summary['success']['n']} edited faces, judge B. "
                f"Photos that have it: {short(summary.get('ceiling'), 'percent')}; "
                f"random direction: {short(summary.get('random'), 'percent')}",
            }
        )
        tiles.append(
            {
                "title": "side effects",
                "value": formatted(summary["side_effects"], "percent"),
                "grade": grade(summary["side_effects"], side_effects_goal, up=False),
                "note": f"share of the judge's other answers that differ from those on the photo. At equal success "
                f"(80 %): {short(summary.get('side_effects_matched'), 'percent')}{_unmatched(summary)}",
            }
        )
    if in_use:
        note = "peak signal to noise"
        if mean_face and nearest:
            note += f". Mean face: {short(mean_face['psnr'], 'db')}; nearest face: {short(nearest['psnr'], 'db')}"
        better = nearest is None or in_use["psnr"]["value"] > nearest["psnr"]["value"]
        tiles.append(
            {
                "title": "reconstruction",
                "value": formatted(in_use["psnr"], "db"),
                "grade": "good" if better else "bad",
                "note": note,
            }
        )
    samples = {row["name"]: row for row in metrics.get("samples", [])}
    shown = samples.get("prior") or samples.get("posterior")
    if shown and "real photos" in samples:
        tiles.append(
            {
                "title": "samples, kernel distance",
                "value": formatted(shown["judge_kid"]),
                "grade": "plain",
                "note": f"in judge A's features, not FID or KID; {shown.get('note', '')}. Real against real: "
                f"{short(samples['real photos']['judge_kid'], 'number')}; edits: "
                f"{short(samples['edits']['judge_kid'], 'number') if 'edits' in samples else '–'}",
            }
        )
    return tiles


def _unmatched(summary: Json) -> str:
    """The edits that never reach equal success, in words; none in older records."""
    share = summary.get("unmatched")
    return f"; {short(share, 'percent')} of edits never get there and count at their strongest" if share else ""


def side_by_side(systems: Sequence[SystemInputs]) -> list[Json]:
    """For each edit that all systems made, rows of the same faces: the photo, then each system's result."""
    heroes: dict[str, Hero] = {system.name: system.hero for system in systems if system.hero is not None}
    if len(heroes) < 2:
        return []
    first = next(iter(heroes.values()))
    shared = [
        caption
        for caption in first.captions[1:]
        if all(caption in hero.captions and hero.titles == first.titles for hero in heroes.values())
    ]
    sheets = []
    for caption in shared:
        columns = {name: hero.captions.index(caption) for name, hero in heroes.items()}
        faces = [
            [first.faces[i][0], *(hero.faces[i][columns[name]] for name, hero in heroes.items())]
            for i in range(len(first.faces))
        ]
        sheets.append({"edit": caption, "captions": ["photo", *heroes], "faces": faces, "titles": first.titles})
    return sheets


def edit_table(system: SystemInputs, success_goal: float, side_effects_goal: float) -> list[Json]:
    """One row per attribute, on and off side by side."""
    metrics = system.metrics
    table = []
    for name in dict.fromkeys(row["attribute"] for row in rows(metrics, "edits")):
        sides = {}
        for direction in ("add", "remove"):
            target = first_row(metrics, "edits", attribute=name, direction=direction, setting="target")
            if target is None:
                continue
            main = first_row(metrics, "edits", attribute=name, direction=direction, setting="s80")
            matched = first_row(metrics, "matched", attribute=name, direction=direction)
            success = target["success"]
            sides[direction] = target | {
                "grade": grade(success, success_goal),
                "side_effects": target["flips"],
                "side_effects_grade": grade(target["flips"], side_effects_goal, up=False),
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
        table.append({"name": readable(name), "sides": sides})
    return table


def curve_charts(system: SystemInputs) -> list[Json]:
    """Per attribute: success and side effects of on and off, by strength."""
    plots = []
    metrics = system.metrics
    for name in dict.fromkeys(row["attribute"] for row in rows(metrics, "curves")):
        lines = []
        for direction, style in (("add", "one"), ("remove", "two")):
            points = rows(metrics, "curves", attribute=name, direction=direction)
            if not points:
                continue
            xs = [0.0] + [point["strength"] for point in points]
            for key, suffix, look in (("success", "", style), ("flips", ", side effects", f"{style} thin")):
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
            f"{readable(name)}: success and side effects, by strength",
            lines,
            low=0,
            high=1,
            ticks=(0, 0.5, 1),
            x_ticks=[tick for tick in ticks if tick <= last],
            percent=True,
            rule=0.8,
        )
        plots.append({"name": readable(name), "chart": chart})
    return plots


def graded(system: SystemInputs, judges: Json) -> list[Json]:
    """Per real-valued attribute: a chart of judged values over set values, its summary, and judge B's errors on
    photos."""
    plots = []
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
            for key, label, style in (("judged", "judged", "one"), ("floor", "another entry varied", "two thin"))
        ]
        name = readable(row["attribute"])
        chart = charts.line_chart(
            f"{name}: judged value over the value set", lines, low=-1, high=1, ticks=(-1, 0, 1), x_ticks=(-1, 0, 1)
        )
        card = judges["attributes"].get(row["attribute"], {}).get("b", {})
        photos = dict.fromkeys(("spearman", "absolute_error", "constant_error")) | card
        plots.append(row | {"name": name, "chart": chart, "photos": photos})
    return plots


def heat(system: SystemInputs) -> list[Json]:
    """The two matrices of what an edit of one attribute does to each other one."""
    cells = rows(system.metrics, "entanglement")
    if not cells:
        return []
    names = list(dict.fromkeys(cell["attribute"] for cell in cells))
    columns = list(dict.fromkeys(cell["other"] for cell in cells))
    by_place = {(cell["attribute"], cell["other"]): cell for cell in cells}
    maps = []
    for key, title, kind, full in (
        ("shift", "Shift of the judge's logit, in standard deviations of real photos", "number", 1.5),
        ("flips", "Side effects: share of faces whose answer changes", "percent", 1.0),
    ):
        matrix = []
        for name in names:
            line = []
            for other in columns:
                cell = by_place.get((name, other))
                line.append(_heat_cell(name, other, cell, key, kind, full))
            matrix.append(line)
        chart = charts.heat_map(title, [readable(name) for name in names], [readable(name) for name in columns], matrix)
        maps.append({"title": title, "chart": chart, "starred": key == "shift"})
    return maps


def _heat_cell(name: str, other: str, cell: Json | None, key: str, kind: str, full: float) -> Cell:
    if cell is None or cell[key]["value"] is None:
        return Cell(None, f"{readable(name)} edit, {readable(other)}: not measured")
    number = cell[key]
    title = f"{readable(name)} edit, {readable(other)}: {plain(number['value'], kind)}"
    if number["low"] is not None:
        title += f" ({span(number['low'], number['high'], kind)}), n = {number['n']}"
    if name != other and not cell["off_target"]:
        title += "; meant to change together"
    mark = "•" if key == "shift" and cell["sure"] else ""
    return Cell(number["value"] / full, title, mark, own=name == other)


def largest_side_effects(system: SystemInputs) -> list[Json]:
    """The cells of the entanglement matrix with the largest shifts that an edit was not meant to cause."""
    cells = [
        cell for cell in rows(system.metrics, "entanglement", off_target=True) if cell["shift"]["value"] is not None
    ]
    cells.sort(key=lambda cell: (-abs(cell["shift"]["value"]), cell["attribute"], cell["other"]))
    return cells[:8]


def training_charts(histories: Mapping[str, pd.DataFrame]) -> list[Json]:
    """Small curves of the terms of every run."""
    runs = []
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
        runs.append(
            {
                "name": run.replace("_", " "),
                "steps": grouped(steps),
                "images": grouped(int(seen.iloc[-1])) if seen is not None else "",
                "charts": small,
            }
        )
    return runs


def judge_table(judges: Json, systems: Sequence[SystemInputs]) -> list[Json]:
    """One row per attribute: both judges on photos, and judge B on reconstructions by the first system."""
    on_reconstructions = {row["attribute"]: row for row in rows(systems[0].metrics, "judge_card")}
    return [
        {"attribute": name, "name": readable(name), "card": card, "reconstruction": on_reconstructions.get(name)}
        for name, card in judges["attributes"].items()
    ]


def not_judged(inputs: Inputs) -> list[Json]:
    """Attributes left out of the numbers, each with the reason and the systems concerned."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for system in inputs.systems:
        for row in rows(system.metrics, "judge_card"):
            if not row["judged"]:
                card = inputs.judges["attributes"].get(row["attribute"], {})
                reason = card.get("reason") or row["reason"]
                reasons.setdefault((row["attribute"], reason), []).append(system.name)
            elif not row["judged_on_reconstructions"]:
                reason = f"judged on photos, but not on reconstructions: {row['reconstruction_reason']}"
                reasons.setdefault((row["attribute"], reason), []).append(system.name)
    return [
        {"name": readable(name), "reason": reason, "systems": ", ".join(systems)}
        for (name, reason), systems in reasons.items()
    ]


def picture_title(name: str, systems: Sequence[SystemInputs]) -> str:
    """The title of a picture of data/samples."""
    if any(system.name == name for system in systems):
        return f"{name}: draws from the prior"
    if name.endswith("_refiner"):
        return f"{name}: composites of validation faces, the same refined, and the photos"
    return f"{name}: validation faces above their reconstructions"


def estimator_table(system: SystemInputs) -> Json | None:
    """The comparison of estimators of directions on the valid split; None if there was none."""
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
                "side_effects": off,
                "bar": charts.interval(
                    off["value"],
                    off["low"],
                    off["high"],
                    last=last * 1.05,
                    title=f"{readable(name)}: {short(off, 'percent')}",
                ),
            }
        )
    differences = [
        row | {"side_effects": row["off_target"]} for row in system.attributes["estimators"].get("differences", [])
    ]
    return {"table": table, "differences": differences}


def balance(card: Json) -> list[Json]:
    """Per attribute: its share in the training split, its count in every split, and its unknown labels."""
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
    """Attribute, direction, and the rows of their calibrated strengths by name."""
    grouped_rows: dict[tuple[str, str], Json] = {}
    for row in rows(system.metrics, "edits"):
        grouped_rows.setdefault((row["attribute"], row["direction"]), {})[row["setting"]] = row
    return [(readable(name), ON_OFF[direction], settings) for (name, direction), settings in grouped_rows.items()]


def control_table(system: SystemInputs) -> list[Json]:
    """The controls, each beside the edit that they control for."""
    table = []
    for row in rows(system.metrics, "controls"):
        main = first_row(system.metrics, "edits", attribute=row["attribute"], direction=row["direction"], setting="s80")
        table.append(row | {"edit": main["success"] if main else None})
    return table


def subgroup_table(system: SystemInputs) -> list[Json]:
    """One row per measure, its groups side by side, the gap between them last."""
    measures: dict[str, list[Json]] = {}
    for row in rows(system.metrics, "subgroups"):
        measures.setdefault(row["measure"], []).append({"name": row["group"], "value": row["value"], "p": row.get("p")})
    kinds = {"psnr": ("PSNR", "db"), "success": ("success, adjusted", "percent")}
    return [{"measure": kinds[name][0], "kind": kinds[name][1], "groups": groups} for name, groups in measures.items()]
