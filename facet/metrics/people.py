"""People in sets of pictures: numbers instead of names, and disjoint halves.

A set without names (None) has another person on every picture, whom no other set shows."""

import numpy as np

People = np.ndarray | None  # (n,) a name or number for the person on each picture


def numbered(people: People, other_people: People, n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """The person on each of n and of m pictures as a number from 0 without gaps, the same in both sets."""
    for one, size in ((people, n), (other_people, m)):
        if one is not None and len(one) != size:
            raise ValueError(f"{size} pictures need the person on each, not {len(one)}")
    known = [np.asarray(one) for one in (people, other_people) if one is not None]
    names, codes = np.unique(np.concatenate(known), return_inverse=True) if known else (np.zeros(0), np.zeros(0, int))
    count, used, sides = len(names), 0, []
    for one, size in ((people, n), (other_people, m)):
        if one is None:
            sides.append(np.arange(count, count + size))
            count += size
        else:
            sides.append(codes[used : used + size])
            used += size
    return sides[0], sides[1]


def halves(count: int, rng: np.random.Generator) -> np.ndarray:
    """(count,) bool: the people of a random half, of an odd number the smaller one."""
    half = np.zeros(count, bool)
    half[rng.permutation(count)[: count // 2]] = True
    return half


def half_of_each(people: np.ndarray, other_people: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As `halves`, for two sets with numbers from `numbered`: half of the people of each kind (in the first set only,
    in the second only, in both), so that each set is halved."""
    count = 1 + max(people.max(initial=-1), other_people.max(initial=-1))
    kind = (np.bincount(people, minlength=count) > 0) + 2 * (np.bincount(other_people, minlength=count) > 0)
    half = np.zeros(count, bool)
    for one in (1, 2, 3):
        members = np.flatnonzero(kind == one)
        half[members] = halves(len(members), rng)
    return half
