"""The errors a user can mend.

Whatever the user can put right (a setting, a file, a permission, a server that is down) is raised as a
`TweetProfilesError` whose message names the thing and says what to do. The command line prints it as one
line and exits with `exit_code`; Dagster shows it as the failure's text. Programming errors stay what they
are and keep their stack trace. Messages hold no personal data and no secret: they are stored in logs.
"""


class TweetProfilesError(Exception):
    """A fault that the user can mend; its text says where it lies and what to do."""

    exit_code = 1


class SettingError(TweetProfilesError):
    """A setting is missing or cannot be used; the message names it."""

    exit_code = 2


class InputError(TweetProfilesError):
    """A given file is not what it should be; the message names it and, if known, the line."""


class HomeError(TweetProfilesError):
    """The home folder cannot be made, read or written."""


class DatabaseError(TweetProfilesError):
    """MongoDB cannot be reached, refused us, or the local server died."""
