from hypothesis import given
from hypothesis import strategies as st

from tweet_profiles.orchestration.due import contiguous, decide

KEYS = [f"b{number:02d}" for number in range(12)]
SUBSET = st.sets(st.sampled_from(KEYS))


def test_new_batches_become_partitions_and_one_run() -> None:
    decision = decide(["a", "b", "c"], ["a"], done={"a"})
    assert decision.new_partitions == ["b", "c"]
    assert decision.runs == [["b", "c"]]


def test_nothing_is_started_while_a_run_is_under_way() -> None:
    assert decide(["a", "b"], ["a"], in_progress={"a"}).runs == []


def test_a_gap_between_due_batches_splits_the_run() -> None:
    assert decide(KEYS[:4], KEYS[:4], done={KEYS[1]}).runs == [[KEYS[0]], [KEYS[2], KEYS[3]]]


def test_a_batch_that_failed_before_runs_alone() -> None:
    decision = decide(KEYS[:3], KEYS[:3], failed_attempts={KEYS[1]: 1})
    assert decision.runs == [[KEYS[0]], [KEYS[1]], [KEYS[2]]]


def test_a_batch_that_failed_too_often_is_parked_and_the_next_go_on() -> None:
    decision = decide(KEYS[:3], KEYS[:3], failed_attempts={KEYS[0]: 3}, max_attempts=3)
    assert decision.parked == [KEYS[0]]
    assert decision.runs == [KEYS[1:3]]


def test_a_long_backlog_is_taken_in_runs_of_bounded_size() -> None:
    assert [len(run) for run in decide(KEYS, KEYS, max_batches=5).runs] == [5, 5, 2]


@given(landed=SUBSET, known=SUBSET, done=SUBSET, failed=st.dictionaries(st.sampled_from(KEYS), st.integers(0, 4)))
def test_every_due_batch_is_in_exactly_one_run_and_no_run_takes_another_along(
    landed: set[str], known: set[str], done: set[str], failed: dict[str, int]
) -> None:
    ordered = sorted(known)
    decision = decide(sorted(landed), ordered, done=done, failed_attempts=failed, max_attempts=3, max_batches=4)
    started = [key for run in decision.runs for key in run]
    assert len(started) == len(set(started))
    assert set(started) | set(decision.parked) == landed - done
    partitions = [*ordered, *decision.new_partitions]
    for run in decision.runs:
        # What Dagster makes of a run's first and last partition is just that run.
        assert partitions[partitions.index(run[0]) : partitions.index(run[-1]) + 1] == run


@given(wanted=SUBSET)
def test_groups_of_neighbours_cover_what_was_wanted_in_order(wanted: set[str]) -> None:
    assert [key for group in contiguous(KEYS, wanted) for key in group] == sorted(wanted)
