"""The versions that a candidate is compared with beside the live champion, so that champions cannot creep down by a
tolerance each night: the best so far, and a fixed reference, the first."""

from facet.nights.champions import Champions

BEST, REFERENCE = "best", "reference"
TITLES = {BEST: "the best champion so far", REFERENCE: "the first champion"}


def standards(store: Champions, system: str, *, judges: str, frozen: str) -> dict[str, str]:
    """BEST and REFERENCE -> version. The best has the highest success at its own gate, by the judges and on the frozen
    faces of these hashes, and was not rolled back; missing without such a version. The reference is the oldest version
    in the store."""
    versions = store.versions(system)
    found = {REFERENCE: versions[0]} if versions else {}
    best = _best(store, system).get((judges, frozen))
    return found | ({BEST: best} if best else {})


def spared(store: Champions, system: str) -> set[str]:
    """The versions that some gate may compare with: the oldest, and the best by any judges."""
    return {*store.versions(system)[:1], *_best(store, system).values()}


def _best(store: Champions, system: str) -> dict[tuple[str, str], str]:
    """Hashes of judges and frozen faces -> the version with the highest success by them, the newest of equals."""
    best: dict[tuple[str, str], tuple[float, str]] = {}
    left = rolled_back(store, system)
    for version in store.versions(system):
        card = store.card(system, version)
        verdict, success = card.get("verdict") or {}, (card.get("scores") or {}).get("success")
        by = (str(verdict.get("judges")), str(verdict.get("frozen")))
        if success is not None and version not in left:
            best[by] = max(best.get(by, (-1.0, "")), (float(success), version))
    return {by: version for by, (_, version) in best.items()}


def rolled_back(store: Champions, system: str) -> set[str]:
    """Versions that an older one replaced, and that are not live again."""
    left: set[str] = set()
    for change in store.changes():
        if change.system != system:
            continue
        if change.before is not None and change.version < change.before:
            left.add(change.before)
        left.discard(change.version)
    return left
