"""The data card: counts, attribute balance per split, exclusions, correlations."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from facet.base.tables import SPLITS, FacesMeta, scaled

BLOCK = 8192  # rows of labels converted to floats at a time
PAIRS = 20  # attribute pairs listed by their correlation


def reason_words(reasons: pd.Series) -> pd.Series:
    """The kind of each reason, without what is particular to one picture."""
    copies = reasons.str.startswith("duplicate of")
    unlike = copies & reasons.str.contains(", with other labels: ", regex=False)
    return reasons.mask(copies, "duplicate").mask(unlike, "duplicate with other labels").str.split(":").str[0]


def data_card(table: pd.DataFrame, meta: FacesMeta) -> dict[str, Any]:
    """The card as JSON: counts, attribute balance per split, exclusions, the strongest correlations (phi)."""
    ok = table[table["status"] == "ok"]
    splits = {}
    for split in SPLITS:
        part = ok[ok["split"] == split]
        balance = {}
        for name in meta.attributes:
            signs = np.sign(scaled(part[name].to_numpy(np.float32), meta.ranges.get(name)))
            present, absent = int((signs > 0).sum()), int((signs < 0).sum())
            share = round(present / (present + absent), 6) if present + absent else None
            unknown = len(part) - present - absent
            balance[name] = {"present": present, "absent": absent, "unknown": unknown, "share": share}
        identities = int(part["identity"].dropna().nunique())
        splits[split] = {"images": len(part), "identities": identities, "attributes": balance}
    bad = table[table["status"] != "ok"]
    examples = bad.groupby(reason_words(bad["reason"]), sort=True)
    return {
        "source": meta.source,
        "crop": meta.crop,
        "size": meta.size,
        "large": meta.large,
        "split_hash": meta.split_hash,
        "ranges": {name: list(ends) for name, ends in meta.ranges.items()},
        "files": {"total": len(table)}
        | {s: int((table["status"] == s).sum()) for s in ("ok", "quarantined", "excluded")},
        "reasons": {str(word): len(rows) for word, rows in examples},
        "examples": {
            str(word): [f"{row.image_id}: {row.reason}" for row in rows.head(5).itertuples()] for word, rows in examples
        },
        "splits": splits,
        "correlations": _correlations(ok[ok["split"] == "train"], [n for n in meta.attributes if n not in meta.ranges]),
    }


def _correlations(table: pd.DataFrame, names: Sequence[str]) -> list[dict[str, Any]]:
    """The PAIRS attribute pairs with the largest |Pearson correlation| of their signs in the training split."""
    spread = [name for name in names if table[name].nunique() > 1]
    if len(spread) < 2:
        return []
    products, sums = np.zeros((len(spread), len(spread))), np.zeros(len(spread))
    for begin in range(0, len(table), BLOCK):
        signs = table[spread].iloc[begin : begin + BLOCK].to_numpy(np.float64)
        products += signs.T @ signs
        sums += signs.sum(0)
    covariance = products / len(table) - np.outer(sums, sums) / len(table) ** 2
    deviation = np.sqrt(np.diag(covariance))
    matrix = covariance / np.outer(deviation, deviation)
    pairs = [(i, j) for i in range(len(spread)) for j in range(i + 1, len(spread))]
    pairs.sort(key=lambda pair: (-abs(round(float(matrix[pair]), 6)), pair))
    return [{"a": spread[i], "b": spread[j], "phi": round(float(matrix[i, j]), 6)} for i, j in pairs[:PAIRS]]
