"""How often intervals of distances and shares hold the truth, on planted people with several photos each.

    python -m benchmarks.distance_coverage [--draws 1000]

Goal: 95 %, and a mean of 0 where both sets are of one population. Features are normal, with a correlation of .8 between
photos of one person. `even`: 60 people with 5 photos each. `uneven`: a geometric number of photos, and the more photos,
the further the person from the others in one dimension. The second set has a shift of 0 or .25 in every dimension. Ways
to estimate the kernel distance: of photos, with intervals from overlapping subsets, as KID is commonly computed; of
people, with a bootstrap over people; of people with a jackknife over people, which Facet uses (facet/metrics/kid.py).
The truth of a shift is the mean estimate of people, of the other measures their own mean. Prints a Markdown table of
means and of the share of intervals that hold the truth."""

import argparse
from collections.abc import Callable

import numpy as np

from facet.metrics.frechet import frechet
from facet.metrics.intervals import Estimate, normal, percentile, share, wilson
from facet.metrics.kid import distance, kernel, kid

PEOPLE, PHOTOS, DIMENSIONS, LIKENESS, SHIFT = 60, 5, 8, 0.8, 0.25
SUBSETS, DRAWS = 50, 100

Side = tuple[np.ndarray, np.ndarray]  # features (n, d), and the person on each picture (n,)


def photos(rng: np.random.Generator, *, uneven: bool, shift: float = 0.0) -> Side:
    """One set of photos."""
    sizes = rng.geometric(1 / PHOTOS, PEOPLE) if uneven else np.full(PEOPLE, PHOTOS)
    own = rng.normal(size=(PEOPLE, DIMENSIONS))
    own[:, 0] += 0.3 * np.log(sizes / PHOTOS)
    who = np.repeat(np.arange(PEOPLE), sizes)
    noise = rng.normal(size=(len(who), DIMENSIONS))
    return LIKENESS**0.5 * own[who] + (1 - LIKENESS) ** 0.5 * noise + shift, who


def by_photo(x: Side, y: Side, rng: np.random.Generator) -> Estimate:
    """KID over subsets of photos, with its interval by the spread over subsets."""
    size, draws = min(len(x[0]), len(y[0])) // 2, []
    for _ in range(SUBSETS):
        a, b = (side[0][rng.choice(len(side[0]), size, replace=False)] for side in (x, y))
        within = [(k.sum() - np.trace(k)) / (size * (size - 1)) for k in (kernel(a, a), kernel(b, b))]
        draws.append(sum(within) - 2 * kernel(a, b).mean())
    return normal(float(np.mean(draws)), float(np.std(draws, ddof=1)) * (size / min(len(x[0]), len(y[0]))) ** 0.5, size)


def by_bootstrap(x: Side, y: Side, rng: np.random.Generator) -> Estimate:
    """Kernel distance of people, with a percentile bootstrap over the people of either set."""
    terms = []
    for (a, of_a), (b, of_b) in ((x, x), (y, y), (x, y)):
        mean_a, mean_b = (np.eye(PEOPLE)[:, one] / np.bincount(one)[:, None] for one in (of_a, of_b))
        terms.append(mean_a @ kernel(a, b) @ mean_b.T)
    for term in terms[:2]:
        np.fill_diagonal(term, 0)
    draws = []
    for _ in range(DRAWS):
        s, t = (np.bincount(rng.integers(PEOPLE, size=PEOPLE), minlength=PEOPLE).astype(float) for _ in range(2))
        within = [u @ term @ u / (PEOPLE**2 - u @ u) for u, term in ((s, terms[0]), (t, terms[1]))]
        draws.append(sum(within) - 2 * (s @ terms[2] @ t) / PEOPLE**2)
    return percentile(distance(x[0], y[0], people=x[1], other_people=y[1] + PEOPLE).value, np.array(draws), PEOPLE)


def by_jackknife(x: Side, y: Side, rng: np.random.Generator) -> Estimate:
    return kid(x[0], y[0], people=x[1], other_people=y[1] + PEOPLE)


def frechet_by_photo(x: Side, y: Side, rng: np.random.Generator) -> Estimate:
    return frechet(x[0], y[0], seed=1)


def frechet_by_person(x: Side, y: Side, rng: np.random.Generator) -> Estimate:
    return frechet(x[0], y[0], people=x[1], other_people=y[1] + PEOPLE, seed=1)


def share_by_photo(x: Side, y: Side, rng: np.random.Generator) -> Estimate:
    return wilson(int((y[0][:, 1] > 1).sum()), len(y[0]))


def share_by_person(x: Side, y: Side, rng: np.random.Generator) -> Estimate:
    return share(y[0][:, 1] > 1, y[1])


WAYS: dict[str, tuple[Callable[[Side, Side, np.random.Generator], Estimate], str]] = {
    "kernel distance of photos, subsets": (by_photo, "kernel"),
    "kernel distance of people, bootstrap": (by_bootstrap, "kernel"),
    "kernel distance of people, jackknife": (by_jackknife, "kernel"),
    "Fréchet distance, jackknife over photos": (frechet_by_photo, "own mean"),
    "Fréchet distance, jackknife over people": (frechet_by_person, "own mean"),
    "share, Wilson of photos": (share_by_photo, "own mean"),
    "share, Wilson by person": (share_by_person, "own mean"),
}


def cells(way: str, found: dict[str, list[Estimate]], shift: float) -> str:
    """Mean estimate and share of intervals that hold the truth."""
    estimates = found[way]
    mean = float(np.mean([one.value for one in estimates]))
    people = float(np.mean([one.value for one in found["kernel distance of people, jackknife"]]))
    truth = (people if shift else 0.0) if WAYS[way][1] == "kernel" else mean
    held = np.mean([one.low <= truth <= one.high for one in estimates])
    return f"{abs(mean):.3f}, {100 * held:.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1_000)
    options = parser.parse_args()
    columns: list[dict[str, str]] = []
    for uneven in (False, True):
        for shift in (0.0, SHIFT):
            found: dict[str, list[Estimate]] = {name: [] for name in WAYS}
            for seed in range(options.draws):
                rng = np.random.default_rng(seed)
                x, y = photos(rng, uneven=uneven), photos(rng, uneven=uneven, shift=shift)
                for name, (way, _) in WAYS.items():
                    found[name].append(way(x, y, rng))
            columns.append({name: cells(name, found, shift) for name in WAYS})
    print(f"| estimate | even, 0 | even, {SHIFT:g} | uneven, 0 | uneven, {SHIFT:g} |\n|---|---|---|---|---|")
    for name in WAYS:
        print(f"| {name} | {' | '.join(column[name] for column in columns)} |")


if __name__ == "__main__":
    main()
