"""The errors of the sentiment package that a user can mend."""

from tweet_profiles.errors import InputError, TweetProfilesError


class ModelError(TweetProfilesError):
    """The model's files are missing, damaged or of another version."""


class TrainingDataError(InputError):
    """A source of training data cannot be read as what its configuration says."""
