"""Telling people that something failed: by mail, chat or a web hook, wherever their addresses point.

What belongs here: sending a few words. What does not: when, and which words (`orchestration.sensors`).
"""

from tweet_profiles.errors import SettingError, TweetProfilesError
from tweet_profiles.extras import require

SETTING = "TWEET_PROFILES_NOTIFY_URLS"


class NotifyError(TweetProfilesError):
    """A message did not reach every address."""


def send(addresses: str, title: str, text: str) -> None:
    """Send a message to each of the addresses. They may hold passwords: no error tells them.

    Args:
        addresses: URLs as apprise takes them, with spaces between.
        title: subject line.
        text: plain text without personal data.

    Raises:
        MissingExtraError: if the extra `notify` is not installed.
        SettingError: if apprise does not know an address.
        NotifyError: if an address did not take the message.
    """
    require("notify", f"telling of failures ({SETTING})")
    import apprise

    people = apprise.Apprise()
    for number, address in enumerate(addresses.split(), 1):
        if not people.add(address):
            raise SettingError(f"{SETTING}: address {number} is none that apprise knows: see its list of services")
    if not people.notify(title=title, body=text, body_format=apprise.NotifyFormat.TEXT):
        raise NotifyError(f"{SETTING}: not every address took the message: try it with the `apprise` command")
