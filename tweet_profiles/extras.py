"""What only some installations have: the extras of pyproject.toml that are not needed to run, and asking for them.

What belongs here: which packages an extra brings, and the one sentence that says how to get it. What does not: using
them; whoever does, calls `require` first and imports them inside the function.
"""

from importlib.util import find_spec
from typing import Literal

from tweet_profiles.errors import TweetProfilesError

Extra = Literal["train", "notebooks", "notify"]

PACKAGES: dict[Extra, tuple[str, ...]] = {
    "train": (
        "tensorflow",
        "tensorflow_text",
        "tensorflow_hub",
        "keras",
        "keras_hub",
        "vaderSentiment",
        "textblob",
    ),
    "notebooks": ("nbclient", "nbconvert", "nbformat", "ipykernel"),
    "notify": ("apprise",),
}


class MissingExtraError(TweetProfilesError):
    """Something was asked for that this installation has no packages for."""


def is_installed(extra: Extra) -> bool:
    """Whether all packages of an extra are there."""
    return all(find_spec(package) is not None for package in PACKAGES[extra])


def require(extra: Extra, what: str) -> None:
    """Raise MissingExtraError, which says how to install it, unless all packages of an extra are there.

    Args:
        extra: its name in pyproject.toml.
        what: what needs it, as the subject of a sentence.
    """
    missing = [package for package in PACKAGES[extra] if find_spec(package) is None]
    if missing:
        raise MissingExtraError(
            f"{what} needs packages that are not installed ({', '.join(missing)}): "
            f"pip install 'tweet-profiles[{extra}]', or make setup-all in a checkout"
        )
