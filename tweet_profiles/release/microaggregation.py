"""Microaggregation: putting similar records into groups of at least k, fast for a million of them.

What belongs here: from numbers to group numbers. What does not: which columns count and what a group shows
(`anonymise`).

MDAV (Domingo-Ferrer and Torra 2005) takes the record farthest from the centre with its k - 1 nearest as a group, then
the one farthest from that, and so on. It loses little but takes time with the square of the records. So records are
first halved at the median of their widest dimension until a block holds a few hundred, as in a k-d tree, and MDAV runs
within the blocks: linear but for the halving.

Every group also holds at least l different values of a sensitive attribute (distinct l-diversity, Machanavajjhala et
al. 2007): the nearest records that bring a new value replace the farthest that do not. A group that gets none, because
its block has too few, joins the nearest one that has; where a whole stratum has too few, it is withheld.
"""

import numpy as np

BLOCK = 512
"""Records that MDAV sees at a time, at least; at least eight groups of them."""
WITHHELD = -1


def microaggregate(
    matrix: np.ndarray, strata: np.ndarray, sensitive: np.ndarray, *, k: int, diversity: int
) -> np.ndarray:
    """Groups of at least `k` similar records of one stratum with at least `diversity` sensitive values.

    Args:
        matrix: float (records, dimensions), finite, scaled so that distances mean something.
        strata: int (records,): no group crosses one.
        sensitive: int (records,).
        k: records a group, at least.
        diversity: different sensitive values a group, at least.

    Returns:
        int64 (records,): the group of each record, from 0; -1 where it is withheld because its stratum is too small.
    """
    groups = np.full(len(matrix), WITHHELD, np.int64)
    used = 0
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        if len(members) < k or len(np.unique(sensitive[members])) < diversity:
            continue
        own = np.empty(len(members), np.int64)
        count = 0
        for block in _blocks(matrix[members], max(BLOCK, 8 * k)):
            inside = members[block]
            labels, made = _mdav(matrix[inside], sensitive[inside], k, diversity)
            own[block] = labels + count
            count += made
        own = _merge_uniform(matrix[members], own, sensitive[members], diversity)
        groups[members] = own + used
        used += int(own.max()) + 1
    return groups


def _blocks(matrix: np.ndarray, size: int) -> list[np.ndarray]:
    """Places of the records of each block: halves at the median of the widest dimension, at most `size` each."""
    done, waiting = [], [np.arange(len(matrix))]
    while waiting:
        places = waiting.pop()
        if len(places) <= size:
            done.append(places)
            continue
        part = matrix[places]
        order = np.argpartition(part[:, int(part.var(axis=0).argmax())], len(places) // 2)
        waiting += [places[order[: len(places) // 2]], places[order[len(places) // 2 :]]]
    return done


def _mdav(matrix: np.ndarray, sensitive: np.ndarray, k: int, diversity: int) -> tuple[np.ndarray, int]:
    """MDAV on one block; group of each record and number of groups. Sizes are k to 2k - 1."""
    labels = np.zeros(len(matrix), np.int64)
    rest, made = np.arange(len(matrix)), 0
    start: np.ndarray | None = None
    while len(rest) >= 2 * k:
        part = matrix[rest]
        centre = part.mean(axis=0) if start is None else start
        farthest = part[_squared(part, centre).argmax()]
        chosen = _nearest(_squared(part, farthest), sensitive[rest], k, diversity)
        labels[rest[chosen]] = made
        keep = np.ones(len(rest), bool)
        keep[chosen] = False
        rest = rest[keep]
        made += 1
        # In turn: the farthest from the centre, then the farthest from that one.
        start = farthest if start is None else None
    labels[rest] = made
    return labels, made + 1


def _squared(part: np.ndarray, point: np.ndarray) -> np.ndarray:
    away = part - point
    return np.einsum("ij,ij->i", away, away)


def _nearest(distances: np.ndarray, sensitive: np.ndarray, k: int, diversity: int) -> np.ndarray:
    """The k nearest; where they lack diversity, the farthest repeated values give way to the nearest new ones."""
    chosen = np.argpartition(distances, k - 1)[:k]
    if len(set(sensitive[chosen].tolist())) >= diversity:
        return chosen
    order = np.argsort(distances, kind="stable")
    seen: set[int] = set()
    firsts: list[int] = []
    for place in order.tolist():
        if sensitive[place] not in seen:
            seen.add(int(sensitive[place]))
            firsts.append(place)
        if len(firsts) == diversity:
            break
    others = [place for place in order[: k + len(firsts)].tolist() if place not in firsts]
    return np.array((firsts + others)[:k])


def _merge_uniform(matrix: np.ndarray, groups: np.ndarray, sensitive: np.ndarray, diversity: int) -> np.ndarray:
    """Join groups with too few sensitive values to the nearest group that has enough; all into one if none has."""
    count = int(groups.max()) + 1
    pairs = np.unique(np.stack([groups, sensitive]), axis=1)
    fine = np.bincount(pairs[0], minlength=count) >= diversity
    if fine.all():
        return groups
    if not fine.any():
        return np.zeros(len(groups), np.int64)
    from scipy.spatial import cKDTree

    sizes = np.bincount(groups, minlength=count)
    centres = np.stack([np.bincount(groups, weights=column, minlength=count) / sizes for column in matrix.T], axis=1)
    target = np.arange(count)
    good = np.flatnonzero(fine)
    target[~fine] = good[cKDTree(centres[good]).query(centres[~fine])[1]]
    _, merged = np.unique(target[groups], return_inverse=True)
    return merged.astype(np.int64)
