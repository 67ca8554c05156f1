import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweet_profiles.contracts import SCORED_TWEETS
from tweet_profiles.landing.frames import raw_frame
from tweet_profiles.privacy.generalise import client_kind, generalised, to_scored
from tweet_profiles.privacy.pseudonyms import author_key, topic_key, tweet_key
from tweet_profiles.sources.formats import convert
from tweet_profiles.sources.sample import pages

SECRET = b"s" * 32


def scored(tweets: int = 300, secret: bytes = SECRET) -> tuple[pd.DataFrame, pd.DataFrame]:
    raw = raw_frame(tweet for page in pages(5, tweets) for tweet in convert(page).tweets).frame
    scores = pd.DataFrame(
        {"sentiment": 0.5, "subjectivity": 0.5, "label": "neutral", "not_scored": None, "lang": raw["lang"]}
    )
    return raw, to_scored(raw, scores, secret, 5)


def test_scored_tweets_keep_their_contract() -> None:
    _, frame = scored()
    SCORED_TWEETS.validate(frame)


def test_nothing_in_a_scored_row_is_an_id_or_a_text() -> None:
    raw, frame = scored()
    stored = frame.astype(str).to_csv()
    for column in ("tweet_id", "author_id", "text"):
        assert not [value for value in raw[column] if value in stored]


def test_a_rare_hashtag_keeps_no_name() -> None:
    raw, frame = scored()
    raw_tags = {tag for tags in raw["hashtags"] for tag in tags}
    named = {name for names in frame["topic_names"] for name in names if name}
    authors = {tag: raw.loc[[tag in tags for tags in raw["hashtags"]], "author_id"].nunique() for tag in raw_tags}
    assert named == {tag for tag, count in authors.items() if count >= 5}


def test_pseudonyms_depend_on_the_secret_and_on_what_they_stand_for() -> None:
    values = {author_key(SECRET, "1"), tweet_key(SECRET, "1"), topic_key(SECRET, "1"), author_key(b"t" * 32, "1")}
    assert len(values) == 4
    assert all(len(value) == 32 and set(value) <= set("0123456789abcdef") for value in values)


def test_times_are_coarse() -> None:
    _, frame = scored()
    for column in ("created_hour", "observed_hour"):
        assert (frame[column] == frame[column].dt.floor("h")).all()
    months = frame["account_created_month"].dropna()
    assert ((months.dt.day == 1) & (months.dt.hour == 0)).all()


@given(st.lists(st.one_of(st.none(), st.integers(0, 10**9)), min_size=1))
def test_generalised_counts_are_close_coarse_and_in_the_same_order(values: list[int | None]) -> None:
    counts = pd.Series(values, dtype="Int64")
    coarse = generalised(counts)
    assert (coarse.isna() == counts.isna()).all()
    known = ~counts.isna()
    exact, kept = counts[known].to_numpy("float64"), coarse[known].to_numpy("float64")
    # Half a step of a tenth of a decade, and rounding to a whole number.
    assert (np.abs(kept - exact) <= exact * 0.13 + 0.5).all()
    order = np.argsort(exact, kind="stable")
    assert (np.diff(kept[order]) >= 0).all()


def test_generalisation_leaves_few_values_to_tell_authors_apart_by() -> None:
    assert generalised(pd.Series(range(1, 1_000_000, 7), dtype="Int64")).nunique() <= 62


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("Twitter for iPhone", "mobile"),
        ("Twitter for Android", "mobile"),
        ("Twitter Web App", "web"),
        ("TweetDeck", "professional"),
        ("Hootsuite Inc.", "professional"),
        ("IFTTT", "automated"),
        ("dealbot", "automated"),
        ("Something Else", "other"),
        (None, None),
        ("  ", None),
    ],
)
def test_clients_are_kept_as_broad_kinds(source: str | None, kind: str | None) -> None:
    assert client_kind(source) == kind
