from collections import Counter
from pathlib import Path

from tweet_profiles.sources.formats import convert
from tweet_profiles.sources.sample import KINDS, generate, pages


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first = generate(tmp_path / "a", seed=1, tweets=300).read_bytes()
    assert generate(tmp_path / "b", seed=1, tweets=300).read_bytes() == first
    assert generate(tmp_path / "c", seed=2, tweets=300).read_bytes() != first


def test_the_demo_has_what_real_pages_have() -> None:
    tweets = []
    partial_errors = 0
    for page in pages(7, 4000):
        converted = convert(page)
        assert converted.errors == []
        tweets += converted.tweets
        partial_errors += converted.partial_errors
    unique = {tweet["id"]: tweet for tweet in tweets}
    authors = {tweet["author_id"]: tweet["author"] for tweet in tweets}
    assert len(unique) < len(tweets) and len(unique) > 3900
    assert 1400 <= len(authors) <= 1600
    assert partial_errors > 0
    assert sum(tweet["is_retweet"] for tweet in unique.values()) > 300
    assert sum(tweet["is_reply"] for tweet in unique.values()) > 300
    assert any(author.get("protected") for author in authors.values())
    assert any("public_metrics" not in author for author in authors.values())
    assert any("source" not in tweet for tweet in unique.values())
    assert len(Counter(tweet["text"] for tweet in unique.values())) > 1500
    assert abs(sum(kind.share for kind in KINDS) - 1) < 1e-9
