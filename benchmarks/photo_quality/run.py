"""Edit photos in several ways and let the networks from outside, judge B and the measures look at every result."""

import ast
import dataclasses
import inspect
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from benchmarks.photo_quality import measures
from benchmarks.photo_quality.outside import Outside, Seen, cut_head
from benchmarks.photo_quality.sets import Sample
from facet.base import images
from facet.base.errors import InputError
from facet.base.tables import read_faces
from facet.judges.judge import Judge
from facet.metrics.classification import auroc
from facet.metrics.intervals import Estimate
from facet.photos.batch import FaceCrop
from facet.photos.editor import PhotoEditor
from facet.photos.faces import align
from facet.photos.faces.align import Placement
from facet.photos.faces.detect import landmarks_of
from facet.photos.file.photo import Photo
from facet.photos.options import Options
from facet.pictures.crops import crop
from facet.pictures.decode import BadImage, decode

QUALITY = 95  # of the JPEGs that all judges look at, edited and untouched alike
FALSE_ACCEPTS = 0.01  # rate at which the identity threshold stands
LANDMARKS = 100  # pictures of another project in which eyes and mouths are searched
USUAL = 0.6  # dlib's own threshold
LEAST_AUC = 0.9  # of a network from outside on untouched photos, else it does not judge
UNCHANGED = "unchanged"  # the reason where the editor returned the photo as it was
# Networks from outside that see an attribute: the field of `Seen`, and whether more of it means present.
SEES = {
    "Smiling": (("happy", 1), ("width", 1)),
    "Mouth_Slightly_Open": (("gap", 1),),
    "Male": (("male", 1),),
    "Young": (("age", -1),),
}
OTHERS_SELF = ("Male", "Young")  # edits after which a person need not be the same


@dataclasses.dataclass(frozen=True)
class Way:
    """A named set of options of `PhotoEditor.edit`."""

    name: str
    options: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Card:
    """How well a network from outside sees an attribute on untouched photos."""

    attribute: str
    field: str  # of Seen
    sign: int
    auc: Estimate
    threshold: float  # on sign * value

    @property
    def judged(self) -> bool:
        """True if the network sees well enough to judge."""
        return self.auc.value >= LEAST_AUC

    def present(self, seen: Seen) -> bool:
        """The network's answer about one head."""
        return bool(self.sign * getattr(seen, self.field) >= self.threshold)


@dataclasses.dataclass(frozen=True)
class IdentityCard:
    """How well identity distances tell people apart on untouched photos."""

    auc: Estimate  # over pairs
    threshold: float  # distance below which FALSE_ACCEPTS of the pairs of different people would pass
    accepted: float  # share of pairs of one person below it
    accepted_usual: float  # and below USUAL
    false_usual: float  # share of pairs of different people below USUAL


@dataclasses.dataclass(frozen=True)
class Edit:
    """One photo after one edit in one way, or the reason why there is none."""

    set: str
    attribute: str
    on: bool
    way: str
    name: str  # of the photo
    person: int
    refused: str  # a reason of BadImage or UNCHANGED; "" if the photo was edited
    b: tuple[float, float] = (np.nan, np.nan)  # judge B's probability before and after
    other: tuple[bool, bool] | None = None  # whether judge B of another project sees the attribute before and after
    before: Seen | None = None
    after: Seen | None = None
    damage: measures.Damage | None = None

    @property
    def distance(self) -> float:
        """Identity distance between before and after."""
        if self.before is None or self.after is None:
            return np.nan
        return float(np.linalg.norm(self.before.identity - self.after.identity))


def way_of(text: str) -> Way:
    """A way from NAME or NAME:KEY=VALUE,...; a bare name is a mode. InputError if `edit` has no such option."""
    name, colon, rest = text.partition(":")
    known = set(inspect.signature(PhotoEditor.edit).parameters) - {"self", "picture", "spec", "mask"}
    options: dict[str, Any] = {}
    for part in rest.split(",") if colon else [f"mode={name}"]:
        key, equals, value = part.strip().partition("=")
        if not equals or key not in known:
            raise InputError(f"way {text!r}: {part!r} is no option=value of {', '.join(sorted(known))}")
        try:
            options[key] = ast.literal_eval(value.capitalize() if value in ("true", "false") else value)
        except (ValueError, SyntaxError):
            options[key] = value
    return Way(name, options)


def written(pixels: np.ndarray) -> np.ndarray:
    """The photo as a JPEG shows it."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY, subsampling=0)
    return decode(file.getvalue())


@dataclasses.dataclass(frozen=True)
class Eye:
    """A judge, and where its crop lies in the unit square of judge B's."""

    judge: Judge
    inside: Placement = dataclasses.field(default_factory=lambda: align.from_box((0, 0, 1, 1)))

    @classmethod
    def of_other(cls, root: Path, landmarks: Sequence[float]) -> "Eye":
        """Judge B of another project, whose pictures may be framed in another way; `landmarks` are those of this
        project's crops. InputError if its pictures show no faces."""
        faces, pixels = read_faces(root / "data" / "prepared"), images.open_images(root / "data" / "prepared")
        own = landmarks_of(np.asarray(pixels[faces.rows("train")[:LANDMARKS]]))
        if own is None:
            raise InputError(f"{root}/data/prepared shows no faces; --other-judge takes a project of faces")
        judge = Judge.load(root / "data" / "judges", "b", "cpu")
        return cls(judge, align.from_landmarks(own, np.reshape(landmarks, (5, 2))))

    def probabilities(self, pixels: np.ndarray, face: Placement) -> np.ndarray:
        """What the judge sees (K,) on a face cut anew from a photo; `face` is the place of judge B's crop."""
        turn = face.matrix[:, :2]
        shift = turn @ self.inside.matrix[:, 2] + face.matrix[:, 2]
        place = Placement(np.hstack([turn @ self.inside.matrix[:, :2], shift[:, None]]))
        cut = align.cut(pixels, place, crop(self.judge.crop), self.judge.size)
        x = images.to_tensor((images.luma(cut) if self.judge.channels == 1 else cut)[None])
        return np.asarray(self.judge.probabilities(x)[0].cpu().numpy())

    def present(self, probabilities: np.ndarray, attribute: str) -> bool | None:
        """Whether it sees an attribute; None if it cannot judge it."""
        if attribute not in self.judge.attributes:
            return None
        k = self.judge.attributes.index(attribute)
        return bool(probabilities[k] >= self.judge.thresholds[k]) if self.judge.judged[k] else None


class Viewer:
    """The networks from outside and judges, looking at samples and what became of them."""

    def __init__(self, outside: Outside, judge: Judge, other: Eye | None = None):
        self.outside, self.judge = outside, judge
        self.eyes = [Eye(judge)] + ([] if other is None else [other])

    def see(self, sample: Sample, pixels: np.ndarray) -> tuple[Seen, list[np.ndarray]]:
        """What the networks from outside see, and each judge's probabilities (K,), on a face cut anew from a JPEG."""
        pixels = written(pixels)
        seen = [eye.probabilities(pixels, sample.face) for eye in self.eyes]
        return self.outside.see(cut_head(pixels, sample.head)), seen


def cards(seen: Sequence[Seen], labels: pd.DataFrame) -> list[Card]:
    """A card of each network of SEES from what it sees on untouched photos and their labels, one row a photo."""
    made = []
    for attribute, networks in SEES.items():
        if attribute not in labels:
            continue
        present = labels[attribute].to_numpy()
        for field, sign in networks:
            scores = sign * np.array([getattr(one, field) for one in seen])
            known = present != 0
            threshold = measures.best_threshold(scores[known], present[known])
            made.append(Card(attribute, field, sign, auroc(scores, present), threshold))
    return made


def identity_card(seen: Sequence[Seen], people: np.ndarray) -> IdentityCard:
    """The identity network's card from untouched photos and the person of each."""
    vectors = np.array([one.identity for one in seen])
    first, second = np.triu_indices(len(vectors), 1)
    distances = np.linalg.norm(vectors[first] - vectors[second], axis=1)
    same = people[first] == people[second]
    threshold = measures.distance_at(distances[~same], FALSE_ACCEPTS)

    def below(which: np.ndarray, limit: float) -> float:
        return float((distances[which] < limit).mean()) if which.any() else np.nan

    return IdentityCard(
        auc=auroc(-distances, np.where(same, 1, -1)),
        threshold=threshold,
        accepted=below(same, threshold),
        accepted_usual=below(same, USUAL),
        false_usual=below(~same, USUAL),
    )


class Bench:
    """One set of photos, ready to be edited: each is looked at once before."""

    def __init__(self, name: str, samples: Sequence[Sample], viewer: Viewer):
        self.name, self.samples, self.viewer = name, samples, viewer
        self.seen = [viewer.see(sample, sample.pixels) for sample in samples]
        self.person = [viewer.outside.person(sample.pixels) for sample in samples]
        self._found: dict[tuple[object, ...], list[FaceCrop] | str] = {}

    def edits(
        self, editor: PhotoEditor, attribute: str, on: bool, ways: Sequence[Way], *, most: int | None = None
    ) -> Iterator[tuple[Sample, list[Edit], list[np.ndarray | None]]]:
        """Every photo whose label says that it lacks (`on`) or has the attribute, edited in every way, and the edited
        pixels, None where there are none; `most` photos at most."""
        column = self.viewer.judge.attributes.index(attribute) if attribute in self.viewer.judge.attributes else None
        state = -1 if on else 1
        fitting = [i for i, sample in enumerate(self.samples) if sample.labels[attribute] == state][:most]
        made = []
        for way in ways:
            options = Options(spec=f"{attribute}={'on' if on else 'off'}", **way.options)
            faces = [self._faces(editor, i, options) for i in fitting]
            made.append(edited(editor, [self.samples[i].pixels for i in fitting], faces, options))
        for i, results in zip(fitting, zip(*made, strict=True), strict=True):
            sample, (before, judged_before) = self.samples[i], self.seen[i]
            edits = []
            for way, (pixels, reason) in zip(ways, results, strict=True):
                edit = Edit(self.name, attribute, on, way.name, sample.name, sample.person, reason)
                if pixels is not None:
                    after, judged_after = self.viewer.see(sample, pixels)
                    both = list(zip(judged_before, judged_after, strict=True))
                    face = sample.head.side / 2
                    edit = dataclasses.replace(
                        edit,
                        b=(np.nan, np.nan) if column is None else tuple(float(one[column]) for one in both[0]),
                        other=self._other(attribute, both[1:]),
                        before=before,
                        after=after,
                        damage=measures.damage(sample.pixels, pixels, self.person[i], face),
                    )
                edits.append(edit)
            yield sample, edits, [pixels for pixels, _ in results]

    def _other(self, attribute: str, both: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[bool, bool] | None:
        """What the other project's judge sees of an attribute before and after."""
        for eye, (before, after) in zip(self.viewer.eyes[1:], both, strict=True):
            first, second = eye.present(before, attribute), eye.present(after, attribute)
            if first is not None and second is not None:
                return first, second
        return None

    def _faces(self, editor: PhotoEditor, i: int, options: Options) -> list[FaceCrop] | str:
        """The faces of a photo, which are searched once, or the reason why there are none."""
        key = (i, options.faces, options.aligned, options.least, options.away)
        if key not in self._found:
            try:
                self._found[key] = editor.face_crops(photo_of(self.samples[i].pixels), options)
            except BadImage as bad:
                self._found[key] = bad.reason
        return self._found[key]


def edited(
    editor: PhotoEditor, photos: Sequence[np.ndarray], faces: Sequence[list[FaceCrop] | str], options: Options
) -> list[tuple[np.ndarray | None, str]]:
    """The edited photos, or None and the reason, from the faces of each or the reason why there are none."""
    spec = editor.parse(options.spec)
    crops = [crop for found in faces if not isinstance(found, str) for crop in found]
    edits = iter(editor.all_edits(crops, spec, options))
    results: list[tuple[np.ndarray | None, str]] = []
    for pixels, found in zip(photos, faces, strict=True):
        if isinstance(found, str):
            results.append((None, found))
            continue
        photo = photo_of(pixels)
        editor.paste(photo, [next(edits) for _ in found])
        same = np.array_equal(photo.pixels, pixels)
        results.append((None, UNCHANGED) if same else (photo.pixels, ""))
    return results


def photo_of(pixels: np.ndarray) -> Photo:
    """A photo of its own with these pixels (H, W, 3)."""
    return Photo(pixels.copy(), "RGB", "PNG")
