"""Which landed batches to run next: the decision of the landing sensor and of the command line.

What belongs here: pure functions over keys and counts. What does not: asking Dagster or the landing zone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Decision:
    """What to do about the batches that have landed.

    `new_partitions` are to be made known to Dagster; each entry of `runs` is one run over neighbouring partitions;
    `parked` batches have failed too often and wait for a person.
    """

    new_partitions: list[str]
    runs: list[list[str]]
    parked: list[str]


def contiguous(ordered: Sequence[str], wanted: Iterable[str]) -> list[list[str]]:
    """Split `wanted` into runs of neighbours in `ordered`, in that order.

    Dagster names the partitions of a single run by its first and last: a gap between two due batches would silently
    take the batches in the gap along.
    """
    due = set(wanted)
    groups: list[list[str]] = []
    is_open = False
    for key in ordered:
        if key not in due:
            is_open = False
        elif is_open:
            groups[-1].append(key)
        else:
            groups.append([key])
            is_open = True
    return groups


def decide(
    landed: Sequence[str],
    known_partitions: Sequence[str],
    *,
    in_progress: Collection[str] = (),
    done: Collection[str] = (),
    failed_attempts: Mapping[str, int] | None = None,
    max_batches: int = 50,
    max_attempts: int = 3,
) -> Decision:
    """Decide what to run.

    While a run is under way nothing is started: batches are folded in the order of their arrival, and a batch is
    never in two runs. When behind, one run takes up to `max_batches` neighbours, which loads the model once for all.
    A batch that has failed before runs alone, so that it cannot drag others down again; after `max_attempts` it is
    parked and the next ones go on.

    Args:
        landed: keys of the batches in the landing zone, in order of arrival.
        known_partitions: Dagster's partitions, in their order; new ones are added behind.
        in_progress: batches of unfinished runs.
        done: batches that are folded into the profiles.
        failed_attempts: failed runs a batch.
        max_batches: most batches a run.
        max_attempts: failures after which a batch is parked.
    """
    failures = failed_attempts or {}
    known = set(known_partitions)
    new = [key for key in landed if key not in known]
    pending = [key for key in landed if key not in done]
    parked = [key for key in pending if failures.get(key, 0) >= max_attempts]
    if in_progress:
        return Decision(new, [], parked)
    due = [key for key in pending if key not in parked]
    fresh = [key for key in due if not failures.get(key)]
    runs: list[list[str]] = []
    for group in contiguous([*known_partitions, *new], due):
        piece: list[str] = []
        for key in group:
            if key not in fresh:
                runs += [piece, [key]] if piece else [[key]]
                piece = []
            elif len(piece) == max_batches:
                runs.append(piece)
                piece = [key]
            else:
                piece.append(key)
        runs += [piece] if piece else []
    return Decision(new, runs, parked)
