"""What can go wrong with X, each by its name, with an exit code of its own.

What belongs here: the classes. What does not: how an answer of X is told to be one of them (`refusals`).

Exit codes: 2 a setting, the token or the query; 3 our own cap of the month; 4 X cannot be reached; 5 a search is left
unfinished; 10 out of credits; 11 X's spending limit; 12 X's cap of posts; 13 the plan; 14 too many rules; 15 no rule
left; 16 an operator that search lacks; 17 the clock; 18 TLS; 19 a proxy; 20 a web page instead of X; 21 a redirect;
22 a limit of 24 hours; 23 an answer that makes no sense. Starting again mends 4, 5, 15 and 18 to 23, sooner or later;
it does not mend the others.
"""

from tweet_profiles.errors import SettingError, TweetProfilesError


class XAccessError(SettingError):
    """X refuses the token; the message names the setting."""


class XPlanError(XAccessError):
    """The plan does not have what is asked for."""

    exit_code = 13


class XRequestError(SettingError):
    """X refuses the request, mostly the query or a rule; the message names the setting and what X says."""

    def __init__(self, message: str, parameters: frozenset[str] = frozenset()) -> None:
        super().__init__(message)
        self.parameters = parameters


class XOperatorError(XRequestError):
    """The query has an operator that only the stream knows."""

    exit_code = 16


class XRuleCapError(XRequestError):
    """The project has as many rules as its plan allows."""

    exit_code = 14


class XCapError(TweetProfilesError):
    """What may be pulled is used up, here by our own cap; what was pulled is kept, and searches go on there."""

    exit_code = 3


class XCreditsError(XCapError):
    """The credits of the project are used up."""

    exit_code = 10


class XSpendingLimitError(XCapError):
    """The spending limit of the billing cycle is reached."""

    exit_code = 11


class XUsageCapError(XCapError):
    """X's own cap of posts a month is reached."""

    exit_code = 12


class XUnavailableError(TweetProfilesError):
    """X cannot be reached, or has given no usable answer for longer than the patience."""

    exit_code = 4


class XUnfinishedError(TweetProfilesError):
    """A search cannot go on to its end; what it has pulled is kept, and it goes on from there."""

    exit_code = 5


class XRulesGoneError(XUnavailableError):
    """The stream has no rule, though ours were made."""

    exit_code = 15


class XTlsError(XUnavailableError):
    """The certificate of whoever answers cannot be trusted."""

    exit_code = 18


class XClockError(XTlsError):
    """The certificate is not valid at the time that this machine believes it to be."""

    exit_code = 17


class XProxyError(XUnavailableError):
    """A proxy stands between and refuses."""

    exit_code = 19


class XPortalError(XUnavailableError):
    """A web page comes where data should."""

    exit_code = 20


class XRedirectError(XUnavailableError):
    """We are sent to another address, where the token must not go."""

    exit_code = 21


class XDayLimitError(XUnavailableError):
    """A limit of 24 hours is reached."""

    exit_code = 22


class XAnswerError(XUnavailableError):
    """An answer of X makes no sense."""

    exit_code = 23


class StoppedError(Exception):
    """Told to stop while waiting; never leaves this room."""
