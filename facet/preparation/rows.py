"""The rows of faces.parquet while stage `prepare` fills them: splits, quarantine, exclusions."""

import difflib
import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from facet.base.errors import InputError
from facet.base.tables import SPLITS, FacesMeta, faces_schema
from facet.preparation.card import reason_words
from facet.preparation.pixels import Batch, GrowingNpy
from facet.sources.labels import FIXED, Listing
from facet.sources.tree import first

log = logging.getLogger(__name__)


class FaceRows:
    """One row per source file: ok, quarantined (a bad file) or excluded (a good file, but a duplicate or a leak)."""

    def __init__(self, labels: pd.DataFrame):
        self.labels = labels
        count = len(labels)
        self.ids = labels["image_id"].to_numpy(object)
        self.sha256 = labels["sha256"].to_numpy(object)
        self.identity = labels["identity"].to_numpy(np.float64, na_value=np.nan)
        self.split = np.full(count, "", object)
        self.status = np.full(count, "ok", object)
        self.reason = np.full(count, "", object)
        self.row = np.full(count, -1, np.int32)
        self.original: dict[int, int] = {}  # row -> the earlier row with the same bytes
        self.contradictions: dict[int, str] = {}  # row -> what it says otherwise than the picture with the same content
        self.keys = np.zeros(count, np.uint64)  # hashes of the prepared pixels, by row
        self.seen: set[int] = set()  # the same hashes

    def _set(self, index: int, status: str, reason: str) -> None:
        self.status[index], self.reason[index] = status, reason

    def quarantine_problems(self) -> None:
        """Quarantine the files with a problem that `source` listed."""
        for index, problem in enumerate(self.labels["problem"]):
            if problem:
                self._set(index, "quarantined", problem)

    def exclude_equal_bytes(self) -> None:
        """Exclude files with the bytes of an earlier one."""
        originals: dict[str, int] = {}
        for index in np.flatnonzero(self.status == "ok").tolist():
            digest = self.sha256[index]
            if digest and originals.setdefault(digest, index) != index:
                self.original[index] = originals[digest]
                self._exclude_duplicate(index, originals[digest])

    def _exclude_duplicate(self, index: int, original: int) -> None:
        """Exclude a copy, and keep in mind if its labels or its person contradict those of the original."""
        names = [name for name in self.labels.columns if name not in FIXED]
        one, other = (self.labels.iloc[row] for row in (original, index))
        unlike = [name for name in names if one[name] and other[name] and one[name] != other[name]]
        unlike = [name for name in unlike if not (pd.isna(one[name]) or pd.isna(other[name]))]
        people = self.identity[[original, index]]
        unlike += ["identity"] if not np.isnan(people).any() and people[0] != people[1] else []
        says = f", with other labels: {', '.join(unlike)}" if unlike else ""
        self._set(index, "excluded", f"duplicate of {self.ids[original]}{says}")
        if unlike:
            self.contradictions[index] = f"{self.ids[index]} is {self.ids[original]} ({', '.join(unlike)})"

    def split_officially(self) -> None:
        """Take the published split. An identity in several splits stays only in the one with most of its pictures."""
        ok = self.status == "ok"
        official = self.labels["official_split"].to_numpy(object)
        if not (official[ok] != "").any():
            raise InputError("split is `official`, and the source has no official split; use `identity` or `random`")
        for index in np.flatnonzero(ok & (official == "")).tolist():
            self._set(index, "excluded", "no official split")
        self.split[:] = official
        ok = self.status == "ok"
        part = pd.Series(official[ok]).map(SPLITS.index).to_numpy()
        known = pd.DataFrame({"identity": self.identity[ok], "part": part}).dropna()
        counts = known.groupby(["identity", "part"]).size().reset_index(name="n")
        home = counts.sort_values(["identity", "n", "part"], ascending=[True, False, True]).drop_duplicates("identity")
        homes = dict(zip(home["identity"], home["part"], strict=True))
        for index, here in zip(np.flatnonzero(ok).tolist(), part, strict=True):
            there = homes.get(self.identity[index], here)
            if there != here:
                self._set(index, "excluded", f"leak: identity {int(self.identity[index])} is in {SPLITS[there]}")

    def split_by_ratios(self, ratios: Sequence[float], seed: int, *, whole_identities: bool) -> None:
        """Shuffle the groups (identities, or single pictures) by `seed` and divide them by `ratios` of the pictures."""
        ok = np.flatnonzero(self.status == "ok")
        groups = np.arange(len(ok)) + 2.0**32  # a picture without identity is a group of its own
        if whole_identities:
            known = ~np.isnan(self.identity[ok])
            groups[known] = self.identity[ok][known]
            if not known.any():
                log.warning("the source knows no identities: every picture is split by itself")
        _, group, counts = np.unique(groups, return_inverse=True, return_counts=True)
        order = np.random.default_rng(seed).permutation(len(counts))
        middles = np.cumsum(counts[order]) - counts[order] / 2
        part = np.empty(len(counts), np.int64)
        part[order] = np.searchsorted(np.cumsum(ratios[:2]) * len(ok), middles, "right")
        self.split[ok] = np.array(SPLITS, object)[part[group]]

    def add(self, batch: Batch, images: GrowingNpy, large: GrowingNpy | None = None) -> None:
        """Add one batch; pictures that are not duplicates are appended to `images`, and at their larger size to
        `large`."""

        def append(first: int, stop: int) -> None:
            images.append(batch.pixels[first:stop])
            if large is not None:
                assert batch.large is not None
                large.append(batch.large[first:stop])

        for index, reason in batch.problems.items():
            self._set(index, "quarantined", reason)
        start = 0  # the first picture that is not yet appended
        for place, (index, key) in enumerate(zip(batch.rows, batch.keys, strict=True)):
            if key in self.seen:
                append(start, place)
                start = place
                face = batch.pixels[place].tobytes()
                like = np.flatnonzero((self.keys == key) & (self.row >= 0)).tolist()
                same = [other for other in like if images.read(int(self.row[other])) == face]
                if same:
                    self._exclude_duplicate(index, same[0])
                    start += 1
                    continue
            self.seen.add(key)
            self.keys[index] = key
            self.row[index] = images.count + place - start
        append(start, len(batch.rows))

    def finish(self, where: Path, needed: Sequence[str], crop: str) -> None:
        """Quarantine copies of bad files, clear the split of rows without an image, and check the splits: InputError if
        one of `needed` is empty, if two share a file, or if two share an identity and there are enough of them.
        Messages name the source `where` and `crop`."""
        for index, original in self.original.items():
            if self.status[original] == "quarantined":
                self._set(index, "quarantined", self.reason[original])
        self._warn_of_contradictions()
        ok = self.status == "ok"
        words = reason_words(pd.Series(self.reason))
        gone = {split: words[~ok & (self.split == split)].value_counts().to_dict() for split in needed}
        self.split[~ok] = ""
        advice = self._advice(crop)
        if not ok.any():
            why = ", ".join(f"{reason} {count}" for reason, count in words.value_counts().items())
            raise InputError(
                f"{where} has no picture that can be used ({why or 'there are no files'}); "
                + (advice or "see the crop, the files and their labels")
            )
        if advice:
            log.warning("%s", advice)
        people = len(np.unique(self.identity[ok & ~np.isnan(self.identity)]))
        for split in needed:
            if not (self.split[ok] == split).any():
                why = ", ".join(f"{count:,} {reason}" for reason, count in gone[split].items())
                why = f" (left out of it: {why})" if why else ""
                if "leak" in gone[split]:
                    why += ", because the people of the leaks have more pictures in another split"
                fix = (
                    f"they show too few people ({people}) to divide by identity: use split `random`"
                    if 0 < people < len(needed)
                    else "use split `identity`, other ratios, or more pictures"
                )
                raise InputError(
                    f"{where} has {int(ok.sum())} pictures that can be used and none of them is in the split {split!r},"
                    f" which later stages need{why}; {fix}"
                )
        for what, values in (("identity", self.identity), ("sha256", self.sha256)):
            held = pd.DataFrame({"value": values[ok], "split": self.split[ok]})
            held = held[held["value"].notna() & (held["value"] != "")]
            spread = held.groupby("value")["split"].nunique()
            if what == "identity" and 0 < people < len(needed):
                log.warning("fewer people (%d) than splits: tests see people that training saw, too", people)
                continue
            if (spread > 1).any():
                torn = spread.index[spread > 1][0]
                value = int(torn) if what == "identity" else torn
                raise InputError(
                    f"{what} {value} is in {spread.max()} splits ({int((spread > 1).sum())} such), so tests would see"
                    " training data; use split `identity`"
                )

    def _warn_of_contradictions(self) -> None:
        rows = [row for row in self.contradictions if self.status[row] == "excluded"]
        if rows:
            log.warning(
                "%d pictures are copies with other labels or another person, of which the first are kept: %s",
                len(rows),
                first(self.contradictions[row] for row in rows),
            )

    def _advice(self, crop: str) -> str:
        """What to do about pictures that do not fit the crop, "" if all fit."""
        unfit = [row for row, reason in enumerate(self.reason) if reason.startswith("aspect")]
        if not unfit:
            return ""
        size = self.reason[unfit[0]].removeprefix("aspect: ")
        return (
            f"{len(unfit):,} of {len(self.reason):,} pictures do not fit the crop {crop}, which is for faces aligned"
            f" like CelebA's ({self.ids[unfit[0]]}: {size}): set prepare.crop to whole for pictures that are cropped to"
            " the face, to lfw150 for LFW's; of photos in the wild take the aligned ones"
        )

    def check_classes(self, names: Sequence[str], real: Sequence[str]) -> None:
        """Warn of attributes that no picture of the train split has, or that all have: nothing learns them. InputError
        if that leaves none."""
        train = (self.status == "ok") & (self.split == "train")
        counts = {name: [int((self.labels[name].to_numpy()[train] == v).sum()) for v in (1, -1)] for name in names}
        single = {name: both for name, both in counts.items() if not all(both)}
        words = "; ".join(f"{name}: {has} with, {lacks} without" for name, (has, lacks) in list(single.items())[:10])
        if single and len(single) == len(names) and not real:
            raise InputError(
                f"every attribute has one class in the train split ({words}), so nothing can be learned; give the "
                "source pictures of both classes, or other labels"
            )
        if single:
            log.warning(
                "attributes of one class in the train split, which no model learns: %d (%s)", len(single), words
            )

    def split_hash(self) -> str:
        """sha256 over `image_id TAB split` lines of the rows that are ok."""
        ok = self.status == "ok"
        lines = (f"{name}\t{split}\n" for name, split in zip(self.ids[ok], self.split[ok], strict=True))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def range(self, name: str) -> tuple[float, float]:
        """The 1st and 99th percentile of a real-valued attribute in the train split."""
        known = self.labels[name].to_numpy(np.float64)[(self.status == "ok") & (self.split == "train")]
        known = known[~np.isnan(known)]
        if not len(known):
            return 0.0, 1.0
        low, high = np.percentile(known, [1, 99]).astype(np.float32).tolist()
        return low, high if high > low else low + 1

    def table(self, meta: FacesMeta) -> pa.Table:
        """The table of faces.parquet, with the columns of faces_schema."""
        schema = faces_schema(meta)
        columns: dict[str, Any] = {
            "image_id": self.ids,
            "row": self.row,
            "split": self.split,
            "identity": self.labels["identity"],
            "sha256": self.sha256,
            "status": self.status,
            "reason": self.reason,
        }
        columns |= {name: self.labels[name] for name in meta.attributes}
        arrays = [pa.array(columns[field.name], type=field.type, from_pandas=True) for field in schema]
        return pa.Table.from_arrays(arrays, schema=schema)


def selected_attributes(listing: Listing, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """The attributes to keep, and the real-valued ones among them."""
    known = list(listing.attributes) + list(listing.real)
    if tuple(wanted) == ("all",):
        return list(listing.attributes), list(listing.real)
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, 3) or known
            raise InputError(f"attribute {name!r} is none of {listing.source}'s {len(known)}; near: {', '.join(near)}")
    if len(set(wanted)) < len(wanted):
        raise InputError(f"attributes {', '.join(wanted)}: a name is repeated; name each once")
    return [name for name in wanted if name in listing.attributes], [name for name in wanted if name in listing.real]
