"""The direction of each attribute in latent space: estimators over labelled latents, behind one interface.

All give one direction per attribute, scaled so that strength 1 is the gap between the class means along it
(`least_squares`: the attribute's own share of that gap; `conditional`: from absent to present). Standard errors are per
component; for the normals they are those of the unit normal times the gap, the gap itself taken as known."""

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.special import expit

Array = np.ndarray

MIN_SAMPLED = 5  # faces of either side in the sample, for a classifier to mean anything


@dataclasses.dataclass
class LatentStatistics:
    """Sufficient statistics of latents Z (n, d) with labels A (n, k) of -1, 0 (unknown), +1, constant in memory.

    P is 1 where an attribute is present, K is 1 where it is known; pz is P'Z, kz2 is K'(Z*Z), and so on (float64).
    The statistics of shards add up to those of the whole."""

    n: int
    pp: Array  # (k, k)
    pk: Array  # (k, k)
    kk: Array  # (k, k)
    pz: Array  # (k, d)
    kz: Array  # (k, d)
    pz2: Array  # (k, d)
    kz2: Array  # (k, d)
    z: Array  # (d,)
    zz: Array  # (d, d)

    @classmethod
    def empty(cls, attributes: int, dims: int) -> "LatentStatistics":
        k, d = attributes, dims
        square, wide = (lambda: np.zeros((k, k))), (lambda: np.zeros((k, d)))
        return cls(0, square(), square(), square(), wide(), wide(), wide(), wide(), np.zeros(d), np.zeros((d, d)))

    def __add__(self, other: "LatentStatistics") -> "LatentStatistics":
        return LatentStatistics(
            *(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True))
        )

    def add(self, latents: Array, labels: Array) -> None:
        """Add latents (m, d) with labels (m, k)."""
        z = latents.astype(np.float64)
        p, k = (labels > 0).astype(np.float64), (labels != 0).astype(np.float64)
        self.n += len(z)
        self.pp += p.T @ p
        self.pk += p.T @ k
        self.kk += k.T @ k
        self.pz += p.T @ z
        self.kz += k.T @ z
        self.pz2 += p.T @ z**2
        self.kz2 += k.T @ z**2
        self.z += z.sum(0)
        self.zz += z.T @ z

    @property
    def positives(self) -> Array:
        """Faces known to have each attribute (k,)."""
        return np.diag(self.pp)

    @property
    def negatives(self) -> Array:
        """Faces known to lack each attribute (k,)."""
        return np.diag(self.kk) - np.diag(self.pp)

    @property
    def mean(self) -> Array:
        """(d,)"""
        return self.z / self.n

    @property
    def covariance(self) -> Array:
        """(d, d), of all latents together."""
        return self.zz / self.n - np.outer(self.mean, self.mean)

    def gaps(self) -> tuple[Array, Array]:
        """Mean latent with each attribute minus mean latent without it (k, d), and its standard errors (Welch)."""
        has, lacks = self.positives[:, None], self.negatives[:, None]
        mean_has, mean_lacks = self.pz / has, (self.kz - self.pz) / lacks
        var_has = self.pz2 / has - mean_has**2
        var_lacks = (self.kz2 - self.pz2) / lacks - mean_lacks**2
        return mean_has - mean_lacks, np.sqrt(np.clip(var_has / has + var_lacks / lacks, 0, None))

    def only(self, attributes: Array) -> "LatentStatistics":
        """The statistics of these attributes (indices) alone."""
        i = attributes
        pp, pk, kk = (m[np.ix_(i, i)] for m in (self.pp, self.pk, self.kk))
        pz, kz, pz2, kz2 = (m[i] for m in (self.pz, self.kz, self.pz2, self.kz2))
        return LatentStatistics(self.n, pp, pk, kk, pz, kz, pz2, kz2, self.z, self.zz)


@dataclasses.dataclass(frozen=True)
class Sample:
    """Some training faces for the estimators that need rows: latents (m, d), labels (m, k) of -1, 0, +1."""

    latents: Array
    labels: Array


@dataclasses.dataclass(frozen=True)
class EstimatorSettings:
    """Settings of the estimators."""

    ridge: float  # of least_squares, as a share of the mean diagonal of A'A
    entries: Array | None = None  # (k,) position in a latent of each attribute's own entry of y; None without y


VectorsAndErrors = tuple[Array, Array]  # directions (k, d) and their standard errors (k, d)


def mean_difference(statistics: LatentStatistics, sample: Sample, settings: EstimatorSettings) -> VectorsAndErrors:
    """Mean latent with the attribute minus mean latent without it: the Photoshop 2.0 report and DIGITS."""
    return statistics.gaps()


def least_squares(statistics: LatentStatistics, sample: Sample, settings: EstimatorSettings) -> VectorsAndErrors:
    """Joint effects B = (A'A + l I)^-1 A'Z of presence (0/1, centred) on latents: the change with one attribute while
    the others stay, `ridge` being l. Unknown labels count as average."""
    share = statistics.positives / np.diag(statistics.kk)  # (k,)
    gram = (
        statistics.pp - statistics.pk * share - (statistics.pk * share).T + np.outer(share, share) * statistics.kk
    )  # A'A
    cross = statistics.pz - share[:, None] * statistics.kz  # A'Z; the columns of A sum to 0, so Z need not be centred
    inverse = np.linalg.inv(gram + settings.ridge * np.trace(gram) / len(gram) * np.eye(len(gram)))
    effects = inverse @ cross
    total = np.diag(statistics.zz) - statistics.n * statistics.mean**2  # (d,)
    residual = total - 2 * (effects * cross).sum(0) + (effects * (gram @ effects)).sum(0)
    variance = np.clip(residual, 0, None) / max(statistics.n - len(gram) - 1, 1)
    return effects, np.sqrt(np.outer(np.diag(inverse @ gram @ inverse), variance))


def svm(statistics: LatentStatistics, sample: Sample, settings: EstimatorSettings) -> VectorsAndErrors:
    """Normal of a linear SVM with classes weighted equally: InterFaceGAN. Standard errors by the sandwich formula."""
    from sklearn.svm import LinearSVC  # takes seconds to import; only this estimator needs it

    scale = np.sqrt(
        np.trace(statistics.covariance) / len(statistics.mean)
    )  # one number, so that the normal keeps its direction
    z = (sample.latents - statistics.mean) / scale

    def normal(known: Array, present: Array) -> tuple[Array, Array]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fit that has not converged is close enough
            model = LinearSVC(class_weight="balanced", dual=False, max_iter=200).fit(z[known], present)
        weight = np.where(present, len(present) / (2 * present.sum()), len(present) / (2 * (~present).sum()))
        slack = np.clip(1 - np.where(present, 1, -1) * model.decision_function(z[known]), 0, None)
        return model.coef_[0], _sandwich(z[known], weight * (slack > 0), weight * slack)

    return _scaled(statistics, _each(sample, normal))


def logistic(statistics: LatentStatistics, sample: Sample, settings: EstimatorSettings) -> VectorsAndErrors:
    """Normal of a logistic regression. It is fitted in whitened latents (ZCA), where the penalty weighs every direction
    alike, and expressed in the latents' own coordinates. Standard errors by the sandwich formula.

    (Brought back as a displacement instead, it would be the mean difference again: the two agree for normal classes of
    equal covariance.)"""
    white, _ = whitening(statistics)
    z = (sample.latents - statistics.mean) @ white

    def normal(known: Array, present: Array) -> tuple[Array, Array]:
        weights, _, error = _fit_logistic(z[known], present)
        return white @ weights, np.sqrt(white**2 @ error**2)

    return _scaled(statistics, _each(sample, normal))


def projection(statistics: LatentStatistics, sample: Sample, settings: EstimatorSettings) -> VectorsAndErrors:
    """Mean difference projected off the normals (of linear discriminants) of all other attributes, so that a linear
    classifier of those sees no change: the conditional manipulation of InterFaceGAN. If less than a tenth would be left
    (No_Beard beside Mustache and Goatee), the mean difference stays as it is."""
    gaps, errors = statistics.gaps()
    covariance = statistics.covariance
    dims = len(covariance)
    normals = gaps @ np.linalg.inv(covariance + 0.01 * np.trace(covariance) / dims * np.eye(dims))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    projected, projected_errors = gaps.copy(), errors.copy()
    for k in range(len(gaps)):
        _, sizes, basis = np.linalg.svd(np.delete(normals, k, axis=0), full_matrices=False)
        basis = basis[sizes > 0.05 * sizes.max(initial=0)]  # directions that hardly differ from 0 are noise
        keep = np.eye(dims) - basis.T @ basis
        if np.linalg.norm(keep @ gaps[k]) >= 0.1 * np.linalg.norm(gaps[k]):
            projected[k] = keep @ gaps[k]  # its length is the gap along it already
            projected_errors[k] = np.sqrt(keep**2 @ errors[k] ** 2)
    return projected, projected_errors


def conditional(statistics: LatentStatistics, sample: Sample, settings: EstimatorSettings) -> VectorsAndErrors:
    """From -1 to +1 in the attribute's own entry of y and nothing else, as IcGAN and ViGAN edit. Exact: no error."""
    if settings.entries is None:
        raise ValueError("`conditional` needs latents that hold y")
    vectors = np.zeros_like(statistics.pz)
    vectors[np.arange(len(vectors)), settings.entries] = 2
    return vectors, np.zeros_like(vectors)


Estimator = Callable[[LatentStatistics, Sample, EstimatorSettings], VectorsAndErrors]

ESTIMATORS: Mapping[str, Estimator] = {
    "mean_difference": mean_difference,
    "least_squares": least_squares,
    "svm": svm,
    "logistic": logistic,
    "projection": projection,
    "conditional": conditional,
}


@dataclasses.dataclass(frozen=True)
class Readout:
    """A logistic regression that reads an attribute off a latent: logit = latent . weights + bias, classes weighted
    equally. `present` and `absent` are the median logits of training faces with and without it."""

    weights: Array  # (d,) float32
    bias: float
    present: float
    absent: float


def readouts(statistics: LatentStatistics, sample: Sample) -> list[Readout]:
    """One read-out for each attribute of the sample."""
    white, _ = whitening(statistics)
    z = (sample.latents - statistics.mean) @ white
    fitted = []
    for k in range(sample.labels.shape[1]):
        known = sample.labels[:, k] != 0
        present = sample.labels[known, k] > 0
        weights, bias, _ = _fit_logistic(z[known], present)
        logits = z[known] @ weights + bias
        plain = white @ weights
        fitted.append(
            Readout(
                plain.astype(np.float32),
                float(bias - statistics.mean @ plain),
                float(np.median(logits[present])),
                float(np.median(logits[~present])),
            )
        )
    return fitted


def whitening(statistics: LatentStatistics) -> tuple[Array, Array]:
    """Covariance^(-1/2) and covariance^(1/2) (d, d); directions with almost no variance are not amplified."""
    values, vectors = np.linalg.eigh(statistics.covariance)
    deviations = np.sqrt(np.clip(values, 1e-4 * values.max(), None))
    return vectors / deviations @ vectors.T, vectors * deviations @ vectors.T


def _each(sample: Sample, normal: Callable[[Array, Array], tuple[Array, Array]]) -> VectorsAndErrors:
    fits = []
    for k in range(sample.labels.shape[1]):
        known = sample.labels[:, k] != 0
        fits.append(normal(known, sample.labels[known, k] > 0))
    return np.stack([n for n, _ in fits]), np.stack([e for _, e in fits])


def _scaled(statistics: LatentStatistics, normals: VectorsAndErrors) -> VectorsAndErrors:
    length = np.linalg.norm(normals[0], axis=1, keepdims=True)
    units, errors = normals[0] / length, normals[1] / length
    gap = (statistics.gaps()[0] * units).sum(1, keepdims=True)  # (k, 1)
    return gap * units, np.abs(gap) * errors


def _fit_logistic(z: Array, present: Array) -> tuple[Array, float, Array]:
    """Weights (d,), bias and sandwich standard errors of the weights; classes weighted equally, penalty |w|^2 / 2."""
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(class_weight="balanced", max_iter=200, tol=1e-5).fit(z, present)
    weight = np.where(present, len(present) / (2 * present.sum()), len(present) / (2 * (~present).sum()))
    p = expit(model.decision_function(z))
    error = _sandwich(z, weight * p * (1 - p), weight * np.abs(present - p), penalty=1.0)
    return model.coef_[0], float(model.intercept_[0]), error


def _sandwich(z: Array, curvature: Array, score: Array, penalty: float = 1.0) -> Array:
    """Standard errors (d,) of the weights of a penalised linear M-estimate: H^-1 J H^-1 with H = Z' diag(curvature) Z
    + penalty I and J = Z' diag(score^2) Z; the intercept is left out."""
    inverse = np.linalg.inv((z * curvature[:, None]).T @ z + penalty * np.eye(z.shape[1]))
    middle = (z * (score**2)[:, None]).T @ z
    return np.sqrt(np.diag(inverse @ middle @ inverse))


def choose_rows(count: int, total: int, seed: int) -> Array:
    """`count` of `total` row numbers, ascending, all of them if there are fewer."""
    if total <= count:
        return np.arange(total)
    return np.sort(np.random.default_rng(seed).choice(total, count, replace=False))


def refusals(attributes: Sequence[str], statistics: LatentStatistics, sample: Sample, min_count: int) -> dict[str, str]:
    """The attributes with too few faces on one side, each with the reason."""
    refused = {}
    sampled = np.minimum((sample.labels > 0).sum(0), (sample.labels < 0).sum(0))
    for name, has, lacks, seen in zip(attributes, statistics.positives, statistics.negatives, sampled, strict=True):
        if min(has, lacks) < min_count:
            refused[name] = f"{int(has)} training faces with it, {int(lacks)} without; {min_count} of each are needed"
        elif seen < MIN_SAMPLED:
            refused[name] = f"{int(seen)} of either side in a sample of {len(sample.labels)}; {MIN_SAMPLED} are needed"
    return refused
