"""Labels of photos that the data set has already with other labels. They are not taken over, but none is lost."""

import numpy as np
import pandas as pd

from facet.sources.shards import Schema

COLUMNS = ("origin", "image_id", "column", "data_set", "delivered")


def corrections(schema: Schema, stored: pd.DataFrame, delivered: pd.DataFrame) -> pd.DataFrame:
    """One row for each label that says something else than the data set, with COLUMNS.

    Both tables have a row for each photo, in the same order, with the columns of a Listing; `delivered` has the column
    origin, too. What a delivery leaves open (0, NaN, no person) contradicts nothing."""
    parts = []
    for column in (*schema.attributes, *schema.real, "identity"):
        old, new = stored[column].reset_index(drop=True), delivered[column].reset_index(drop=True)
        if column in schema.attributes:
            differs = (new != 0) & (new != old)
        elif column in schema.real:
            differs = new.notna() & ~np.isclose(new.astype(float), old.astype(float), rtol=1e-6, atol=0.0)
        else:
            differs = new.notna() & ~(new == old).fillna(False)
        rows = np.flatnonzero(differs.to_numpy(bool))
        if len(rows):
            parts.append(
                pd.DataFrame(
                    {
                        "origin": delivered["origin"].to_numpy()[rows],
                        "image_id": stored["image_id"].to_numpy()[rows],
                        "column": column,
                        "data_set": [_word(value) for value in old.iloc[rows]],
                        "delivered": [_word(value) for value in new.iloc[rows]],
                    }
                )
            )
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))


def _word(value: object) -> str:
    return "" if pd.isna(value) else f"{value:g}" if isinstance(value, float) else str(value)
