"""A stand-in for the X API: real HTTP on loopback, shaped by X's OpenAPI document 2.167, with faults on demand."""

from tweet_profiles_tests.fake_x.server import FakeX
from tweet_profiles_tests.fake_x.tweets import snowflake, tweet_of

__all__ = ["FakeX", "snowflake", "tweet_of"]
