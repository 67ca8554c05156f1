"""What leaves the system: groups that nobody is found in, whole versions, files that are safe to open, an attack."""

import csv
import io
import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pymongo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from pymongo.database import Database

from tweet_profiles.contracts import LABELS, RELEASED_PROFILES
from tweet_profiles.errors import DatabaseError
from tweet_profiles.release.anonymise import GRID, Anonymised, anonymise, facts_of, smallest_class, summarise, typed
from tweet_profiles.release.attack import attack
from tweet_profiles.release.counts import beside, in_words, roughly, told
from tweet_profiles.release.files import export, safe_cell
from tweet_profiles.release.make import make_release
from tweet_profiles.release.shown import read_snapshot
from tweet_profiles.release.store import VIEWS, ReleaseStore
from tweet_profiles_tests.conftest import Command
from tweet_profiles_tests.segments.made import made_profiles, night, save

Store = Database[dict[str, Any]]
PROFILES = made_profiles(1_000, 3)


def parts_of(authors: int, segments: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Some authors, and a segment for each, of very unequal sizes."""
    random = np.random.default_rng(seed)
    chosen = PROFILES.iloc[random.choice(len(PROFILES), authors, replace=False)].reset_index(drop=True)
    return chosen, (segments * random.random(authors) ** 2).astype(int) + 1


def released(database: Store, profiles: pd.DataFrame, k: int = 5) -> str:
    """A night of clustering and a release of it, switched to; its version."""
    clustering, _ = night(database, profiles, k_max=4)
    version, _ = make_release(database, clustering, model_version="m1", k=k)
    ReleaseStore(database).switch(version)
    return version


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 300), st.integers(1, 6), st.integers(2, 9), st.integers(0, 10**6))
def test_every_row_equals_k_others_in_every_column_and_moods_differ_behind_them(
    authors: int, segments: int, k: int, seed: int
) -> None:
    profiles, segment = parts_of(authors, segments, seed)
    facts = facts_of(profiles, segment, np.full(authors, 0.8))
    made = anonymise(facts, k=k, seed=seed)
    RELEASED_PROFILES.validate(made.frame)
    assert len(made.frame) + made.withheld == authors == len(made.row_of)
    if made.frame.empty:
        return
    assert smallest_class(made.frame) >= k
    shown = made.row_of >= 0
    group = made.frame["group"].to_numpy()[made.row_of[shown]]
    mood = np.rint(profiles["sentiment_mean"].to_numpy()[shown] / GRID)
    behind = pd.DataFrame({"group": group, "mood": mood, "segment": segment[shown]}).groupby("group")
    shown_mood = made.frame.groupby("group")["sentiment_mean"].first().notna()
    assert (behind["mood"].nunique()[shown_mood] >= min(3, k)).all()
    # No group mixes two segments, and a row tells the segment of everybody behind it.
    assert (behind["segment"].nunique() == 1).all()


def test_who_lacks_the_secrets_of_a_home_cannot_make_its_groups_again() -> None:
    profiles, segment = parts_of(600, 3, 4)
    facts = facts_of(profiles, segment, np.full(600, 0.8))

    def pairs(secrets: int) -> set[tuple[int, ...]]:
        numbers = np.random.default_rng(secrets).integers(0, 2**63, 600, dtype=np.uint64)
        made = anonymise(facts, k=5, secrets=numbers)
        assert made.withheld == 0 and smallest_class(made.frame) >= 5
        group = made.frame["group"].to_numpy()[made.row_of]
        return {tuple(np.flatnonzero(group == number)) for number in range(made.groups)}

    mine = pairs(1)
    assert pairs(1) == mine
    assert len(pairs(2) & mine) < len(mine) / 4


def test_a_segment_too_small_to_hide_in_is_withheld() -> None:
    profiles, _ = parts_of(100, 1, 4)
    segment = np.array([1] * 96 + [2] * 4)
    made = anonymise(facts_of(profiles, segment, np.full(100, 0.8)), k=5)
    assert made.withheld == 4 and set(made.frame["segment"]) == {1}


def test_the_rows_of_authors_who_all_feel_the_same_do_not_show_it() -> None:
    profiles, _ = parts_of(100, 1, 5)
    segment = np.array([1] * 60 + [2] * 40)
    profiles.loc[:59, "sentiment_mean"] = 0.9
    made = grouped(profiles, segment)
    RELEASED_PROFILES.validate(made.frame)
    alike = made.frame["segment"] == 1
    assert made.withheld == 0 and smallest_class(made.frame) >= 5
    assert made.frame.loc[alike, ["sentiment_mean", "sentiment_label"]].isna().all(axis=None)
    assert made.frame.loc[~alike, ["sentiment_mean", "sentiment_label"]].notna().all(axis=None)


@pytest.mark.parametrize("untold", [["verified"], ["verified_kind"], ["verified", "verified_kind"], ["protected"]])
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_authors_whose_account_facts_nobody_told_are_released_with_the_facts_missing(
    untold: list[str], share: float
) -> None:
    profiles, segment = parts_of(200, 2, 8)
    for name in untold:
        profiles.loc[: int(share * len(profiles)) - 1, name] = pd.NA
    made = anonymise(facts_of(profiles, segment, np.full(200, 0.8)), k=5)
    RELEASED_PROFILES.validate(made.frame)
    if share == 1.0 and "verified_kind" in untold and "verified" in untold:
        assert made.frame["verified_kind"].isna().all()


def without_mood(profiles: pd.DataFrame, rows: Any) -> pd.DataFrame:
    """The profiles as they are where nothing that these authors wrote could be scored."""
    names = [*(f"{label}_share" for label in LABELS), *(f"{name}_{what}" for name in ("sentiment", "subjectivity")
             for what in ("mean", "std"))]  # fmt: skip
    changed = profiles.copy()
    changed.loc[rows, names] = np.nan
    changed.loc[rows, "tweets_scored"] = 0
    return changed


def grouped(profiles: pd.DataFrame, segment: np.ndarray, k: int = 5) -> Anonymised:
    return anonymise(facts_of(profiles, segment, np.full(len(profiles), 0.8)), k=k, seed=1)


def test_enough_authors_without_a_known_mood_form_groups_of_their_own() -> None:
    profiles, segment = parts_of(100, 1, 9)
    made = grouped(without_mood(profiles, range(12)), segment)
    RELEASED_PROFILES.validate(made.frame)
    assert made.withheld == 0 and made.frame["sentiment_mean"].isna().sum() == 12
    assert made.frame["sentiment_mean"].isna().equals(made.frame["sentiment_label"].isna())
    unknown = made.frame["group"].to_numpy()[made.row_of[:12]]
    assert not set(unknown) & set(made.frame["group"].to_numpy()[made.row_of[12:]])


def test_too_few_authors_without_a_known_mood_are_grouped_with_the_others() -> None:
    profiles, segment = parts_of(60, 1, 10)
    made = grouped(without_mood(profiles, range(3)), segment)
    assert made.withheld == 0 and smallest_class(made.frame) >= 5
    assert made.frame["sentiment_mean"].notna().all()


def test_a_mood_that_could_not_be_shown_alone_is_grouped_with_the_unknown_ones_or_not_shown() -> None:
    profiles, segment = parts_of(20, 1, 11)
    profiles.loc[[18, 19], "sentiment_mean"] = [0.1, 0.9]
    together = grouped(without_mood(profiles, range(18)), segment)
    assert together.withheld == 0 and len(together.frame) == 20
    profiles.loc[[18, 19], "sentiment_mean"] = 0.9
    apart = grouped(without_mood(profiles, range(18)), segment)
    assert apart.withheld == 0 and apart.frame["sentiment_mean"].isna().all()


def test_a_release_in_which_no_mood_and_no_hour_is_known_shows_neither() -> None:
    profiles, segment = parts_of(80, 2, 12)
    profiles["hours"] = [[0] * 24 for _ in range(80)]
    made = grouped(without_mood(profiles, slice(None)), segment)
    RELEASED_PROFILES.validate(made.frame)
    assert len(made.frame) > 70
    for name in ("sentiment_mean", "sentiment_label", "subjectivity_mean", "active_part"):
        assert made.frame[name].isna().all(), name


def test_the_part_of_the_day_is_that_of_most_or_of_nobody() -> None:
    profiles, segment = parts_of(10, 1, 13)
    profiles["hours"] = [[0] * 24 for _ in range(10)]
    profiles.at[0, "hours"] = [0] * 9 + [5] + [0] * 14
    made = grouped(profiles, segment, k=10)
    assert made.frame["active_part"].isna().all()


def test_a_release_of_nobody_is_written_read_and_exported(database: Store, tmp_path: Path) -> None:
    some = PROFILES.head(150)
    save(database, some)
    released(database, some, k=151)
    done = export(database, tmp_path)
    assert done.rows == 0
    assert done.files[0].read_text(encoding="utf-8-sig").startswith("group,segment,segment_name,")
    table = pd.read_parquet(done.files[1])
    assert len(table) == 0 and list(table.columns)[2] == "segment_name"
    snapshot = read_snapshot(database)
    assert snapshot is not None and snapshot.segments == []


def test_types_of_an_exported_column_do_not_depend_on_what_is_missing(database: Store, tmp_path: Path) -> None:
    some = PROFILES.head(150)
    untold = without_mood(some, slice(None))
    for name in ("protected", "followers", "verified", "verified_kind", "retweet_share"):
        untold[name] = pd.NA if name in ("protected", "verified", "verified_kind") else np.nan
    schemas = []
    for profiles in (some, untold):
        database.client.drop_database(database.name)
        save(database, profiles)
        released(database, profiles)
        schemas.append(parquet.read_schema(export(database, tmp_path, ("parquet",)).files[0]))
    assert schemas[0].equals(schemas[1])


@pytest.mark.parametrize(("withheld", "shown"), [(0, 0), (1, None), (4, None), (5, 5), (60, 60)])
def test_a_number_of_withheld_authors_below_k_is_nowhere_told(withheld: int, shown: int | None) -> None:
    assert told(withheld, 5) == shown
    assert in_words(told(withheld, 5), 5) == ("fewer than 5" if shown is None else str(shown))


@given(st.integers(5, 10**6), st.integers(2, 9))
def test_a_count_of_all_authors_beside_the_rows_is_the_same_for_every_few_that_are_in_none(rows: int, k: int) -> None:
    assert len({beside(rows + withheld, rows, k) for withheld in range(k)}) == 1
    assert beside(rows + k, rows, k) == f"{rows + k:,}"


@pytest.mark.parametrize(
    ("count", "shown"), [(0, 0), (1, 5), (7, 10), (57, 60), (997, 1000), (1_234, 1200), (12_345, 12_000)]
)
def test_a_rough_count_has_two_digits_and_steps_of_twice_k(count: int, shown: int) -> None:
    assert roughly(count, 5) == shown


def test_the_release_and_its_status_do_not_tell_how_few_were_withheld(
    own_database: str, database: Store, command: Command
) -> None:
    mine = database.client[own_database]
    some = PROFILES.head(200)
    save(mine, some)
    clustering, _ = night(mine, some, k_max=4)
    mine.profiles.update_many(
        {"_id": {"$in": some["author_key"][:3].tolist()}}, {"$unset": {f"assignments.{clustering}": ""}}
    )
    version, _ = make_release(mine, clustering, model_version="m1", k=5)
    release = ReleaseStore(mine).switch(version)
    assert release.authors == 197 and release.withheld is None
    shown = command("db", "status").stdout
    assert (
        "fewer than 5 withheld" in shown
        and "197 or more" in shown
        and " 200 " not in shown
        and " 3 withheld" not in shown
    )


def test_an_attacker_with_the_exact_values_does_no_better_than_chance_within_a_group() -> None:
    profiles, segment = parts_of(1_000, 4, 6)
    facts, alone = facts_of(profiles, segment, np.full(1_000, 0.8)), np.arange(1_000)
    own, exact = typed(summarise(facts, alone, 1_000)), summarise(facts, alone, 1_000, rounded=False)
    made = anonymise(facts, k=5, seed=1)
    found = attack(made.frame, own, exact, made.row_of)
    assert found.smallest_group >= 5
    assert found.success_rate <= found.chance <= 1 / 5
    # The same attack finds everybody where nothing is done about it, so it is no straw man.
    bare = own.assign(group=alone)[made.frame.columns]
    assert attack(bare, own, exact, alone).success_rate > 0.95


def test_readers_see_one_whole_release_or_the_one_before(database: Store) -> None:
    save(database, PROFILES)
    store = ReleaseStore(database)
    assert store.current() is None
    first = released(database, PROFILES)
    current = store.current()
    assert current is not None and current.version == first and current.authors == len(list(store.rows(current)))
    clustering, _ = night(database, PROFILES, k_max=4)
    second, _ = make_release(database, clustering, model_version="m1", k=5)
    assert store.current() == current
    store.switch(second)
    switched = store.current()
    assert switched is not None and switched.version == second
    # Who has begun to read the one before can end.
    assert len(list(store.rows(current))) == current.authors


def _write_until_killed(uri: str, name: str, clustering: str) -> None:
    with pymongo.MongoClient(uri, tz_aware=True) as client:  # type: ignore[var-annotated]
        real = ReleaseStore.switch

        def die(*_: Any) -> Any:
            os.kill(os.getpid(), signal.SIGKILL)

        ReleaseStore.switch = die  # type: ignore[method-assign]
        version, _ = make_release(client[name], clustering, model_version="m1", k=5)
        ReleaseStore(client[name]).switch(version)
        ReleaseStore.switch = real  # type: ignore[method-assign]


def test_a_kill_before_the_switch_leaves_readers_on_the_old_release_and_the_next_cleans_up(
    database: Store, mongodb_server: str
) -> None:
    save(database, PROFILES)
    first = released(database, PROFILES)
    clustering, _ = night(database, PROFILES, k_max=4)
    process = multiprocessing.get_context("spawn").Process(
        target=_write_until_killed, args=(mongodb_server, database.name, clustering)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    store = ReleaseStore(database)
    current = store.current()
    assert current is not None and current.version == first
    assert len(list(store.rows(current))) == current.authors
    assert database.releases.count_documents({}) == 2
    third = released(database, PROFILES)
    assert {release["_id"] for release in database.releases.find()} == {first, third}
    with pytest.raises(DatabaseError, match="is not complete"):
        store.switch("r0")


def test_no_pseudonym_or_hour_or_hashtag_is_in_a_release_or_its_files(database: Store, tmp_path: Path) -> None:
    save(database, PROFILES)
    released(database, PROFILES)
    done = export(database, tmp_path)
    stored = json.dumps([*database.released_profiles.find(), *database.timelines.find()], default=str)
    files = done.files[0].read_text() + pd.read_parquet(done.files[1]).to_csv()
    for author in PROFILES["author_key"]:
        assert author not in stored and author not in files
    assert set(pd.read_parquet(done.files[1]).columns) == {*RELEASED_PROFILES.columns, "segment_name"}


def test_both_files_hold_the_rows_of_the_release_with_the_segments_names(database: Store, tmp_path: Path) -> None:
    save(database, PROFILES)
    released(database, PROFILES)
    done = export(database, tmp_path)
    rows = list(csv.DictReader(io.StringIO(done.files[0].read_text(encoding="utf-8-sig"))))
    table = pd.read_parquet(done.files[1])
    assert len(rows) == len(table) == done.rows == done.release.authors
    assert [row["segment_name"] for row in rows] == table["segment_name"].tolist()
    assert [float(row["sentiment_mean"]) for row in rows] == table["sentiment_mean"].tolist()
    assert table.groupby([name for name in table if name != "group"], dropna=False).size().min() >= 5


def test_a_name_that_is_a_formula_is_text_in_a_spreadsheet(database: Store, tmp_path: Path) -> None:
    save(database, PROFILES)
    released(database, PROFILES)
    (view,) = database[VIEWS].find()
    named = [{**segment, "name": '=HYPERLINK("http://x","y")'} for segment in view["segments"]]
    database[VIEWS].update_one({"_id": view["_id"]}, {"$set": {"segments": named}})
    done = export(database, tmp_path, ("csv",))
    rows = list(csv.DictReader(io.StringIO(done.files[0].read_text(encoding="utf-8-sig"))))
    assert {row["segment_name"] for row in rows} == {'\'=HYPERLINK("http://x","y")'}


@given(st.text(max_size=12), st.sampled_from(["=", "+", "-", "@", "\t", "\r", "\n", " =", ""]))
def test_no_cell_begins_as_a_formula_and_none_loses_a_character(text: str, begin: str) -> None:
    cell = safe_cell(begin + text)
    assert cell.lstrip(" ")[:1] not in tuple("=+-@\t\r\n") or not cell.lstrip(" ")
    assert cell.removeprefix("'") == (begin + text).removeprefix("'") or cell == begin + text


def test_the_commands_tell_what_there_is_and_write_it_where_asked(
    own_database: str, database: Store, command: Command, tmp_path: Path
) -> None:
    mine = database.client[own_database]
    nothing = command("export")
    assert nothing.returncode == 1 and "there is no release yet" in nothing.stderr and "Traceback" not in nothing.stderr
    save(mine, PROFILES)
    version = released(mine, PROFILES)
    done = command("export", tmp_path / "out", "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["released_profiles.csv"]
    status = command("db", "status").stdout
    assert version in status and "profiles" in status and "1,000" in status
    unwritable = command("export", "/proc/nowhere")
    assert unwritable.returncode == 1 and "/proc/nowhere" in unwritable.stderr
