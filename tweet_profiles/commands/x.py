"""`tweet-profiles check`, `search`, `stream`, `purge`, `forget`: the X API from the command line.

What belongs here: arguments and what is printed. What does not: any work.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from tweet_profiles.errors import InputError, SettingError, TweetProfilesError
from tweet_profiles.home import Home
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.settings import env_files, load_settings
from tweet_profiles.sources.x.config import XSettings
from tweet_profiles.sources.x.search import SearchReport

if TYPE_CHECKING:
    from tweet_profiles.sources.x.client import XClient

x_app = typer.Typer(help="Tweets from X.", no_args_is_help=True, pretty_exceptions_enable=False)
console = Console()
CHECK_PATIENCE_S = 10.0
CLOCK_TOLERANCE_S = 60.0
_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


def _zone() -> LandingZone:
    settings = load_settings()
    return LandingZone(Home.open(settings.home), batch_size=settings.batch_size, batch_age_s=settings.batch_age_s)


@x_app.command()
def search(
    start: Annotated[datetime | None, typer.Option("--from", formats=_DATES, help="beginning of a range, UTC")] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=_DATES, help="end of the range; default: now")] = None,
    old: Annotated[
        Literal["ask", "finish", "drop"],
        typer.Option(help="what becomes of an interrupted pull of another query: finish it and pay for it, or drop it"),
    ] = "ask",
) -> None:
    """Pull what is new since the last pull, or the tweets of a range of time."""
    from tweet_profiles.sources.x.config import load_x_settings, require
    from tweet_profiles.sources.x.search import backfill, pull

    if end is not None and start is None:
        raise typer.BadParameter("needs --from as well", param_hint="--to")
    config = load_x_settings()
    require(config)
    zone = _zone()
    if start is None:
        _show(pull(zone, config, old=old), config)
    else:
        until = None if end is None else end.replace(tzinfo=UTC)
        _show(backfill(zone, config, start.replace(tzinfo=UTC), until), config)


def _show(report: SearchReport, config: XSettings) -> None:
    from tweet_profiles.sources.x.prices import dollars
    from tweet_profiles.sources.x.search import make_usage

    hidden = ("newest_id", "cost")
    counts = {name: value for name, value in asdict(report).items() if isinstance(value, int) and name not in hidden}
    console.print("Search: " + ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in counts.items()) + ".")
    month = make_usage(config, Home.open(load_settings().home)).this_month()
    console.print(
        f"It costs up to {dollars(report.cost)} ({report.posts + report.referenced} posts, {report.users} users); this "
        f"month so far up to {dollars(month.cost)} for {month.posts + month.referenced} posts, {month.users} users, "
        f"{month.counts} counts.",
        soft_wrap=True,
    )
    if report.unreachable_before:
        console.print(f"What came before {report.unreachable_before} is out of reach of recent search.")
    if report.stopped:
        console.print(f"Stopped early: {report.stopped}.")
    if report.cause is not None:
        raise typer.Exit(report.cause.exit_code)


@x_app.command()
def stream() -> None:
    """Collect the filtered stream until stopped (Ctrl-C, SIGTERM), reconnecting and filling gaps by itself."""
    import signal
    import threading

    from tweet_profiles.sources.x.collector import Collector
    from tweet_profiles.sources.x.config import load_x_settings, require
    from tweet_profiles.sources.x.deadman import Deadman

    config = load_x_settings()
    require(config)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    zone = _zone()
    collector = Collector(zone, config, stop)
    deadman = Deadman(stop, lambda: collector.heartbeat)
    try:
        with zone.home.in_use("stream"):
            health = collector.run()
    finally:
        deadman.leave()
    console.print(
        f"Collected {health.received} tweets: {health.landed} landed in {health.batches} batches, {health.duplicates} "
        f"duplicates; {health.reconnects} reconnects, {health.gap_fills} gaps filled with {health.gap_landed} tweets, "
        f"{health.gaps_pending} gaps left for the next start."
    )


@x_app.command()
def check() -> None:
    """Check token, query, rules, MongoDB and model, and tell what would be pulled and what it costs of the cap."""
    from tweet_profiles.sources.x.config import load_x_settings

    config = load_x_settings()
    # Whoever sits at the terminal wants an answer, not an hour's patience.
    config = config.model_copy(update={"patience_s": min(config.patience_s, CHECK_PATIENCE_S)})
    faults: dict[str, str] = {}
    files = ", ".join(str(path) for path in env_files()) or "none was found"
    console.print(f"     settings: the environment, then .env files: {files}", highlight=False, soft_wrap=True)

    def tell(what: str, test: Callable[[], str]) -> None:
        try:
            found, mark = test(), "[green]ok[/]  "
        except TweetProfilesError as error:
            same = next((name for name, text in faults.items() if text == str(error)), None)
            found, mark = f"as {same}" if same else str(error), "[red]FAIL[/]"
            faults[what] = str(error)
        console.print(f"{mark} {what}: ", end="", highlight=False)
        console.print(found, markup=False, highlight=False, soft_wrap=True)

    tell("token", lambda: f"{len(config.token)} characters")
    tell("query", lambda: config.search_query)
    tell("rules", lambda: "; ".join(config.stream_rules))
    if not faults:
        tell("search", lambda: _check_search(config))
        tell("stream", lambda: _check_stream(config))
        tell("clock", lambda: _check_clock(config))
        tell("cap", lambda: _check_cap(config))
    else:
        console.print("     search, stream, clock, cap: X is asked when the above is mended", highlight=False)
    tell("MongoDB", _check_database)
    tell("model", _check_model)
    if faults:
        raise SettingError(f"not ready: {', '.join(faults)}; what to do stands above")


def _client(config: XSettings) -> "XClient":
    from tweet_profiles.sources.x.search import make_client

    return make_client(config, Home.open(load_settings().home))


def _check_search(config: XSettings) -> str:
    from tweet_profiles.sources.x.prices import cost, dollars
    from tweet_profiles.sources.x.search import make_usage

    matching = _client(config).count(config.search_query)
    usage = make_usage(config, Home.open(load_settings().home))
    usage.add(counts=1)
    price = dollars(cost(usage.prices, posts=matching, users=matching))
    return (
        f"X accepts the query; {matching} tweets of the last 7 days match, each costs a post of the cap; to pull them "
        f"costs up to {price}, with an author each (authors and posts of one day are charged once)"
    )


def _check_stream(config: XSettings) -> str:
    from tweet_profiles.sources.x.rules import TAG, same_rule

    client = _client(config)
    client.change_rules({"add": [{"value": rule, "tag": TAG} for rule in config.stream_rules]}, dry_run=True)
    present = {same_rule(rule["value"]) for rule in client.rules()}
    missing = sum(same_rule(rule) not in present for rule in config.stream_rules)
    return f"X accepts the rules; {missing} of {len(config.stream_rules)} will be added"


def _check_clock(config: XSettings) -> str:
    from tweet_profiles.sources.x.errors import XClockError

    client = _client(config)
    client.now()
    if abs(client.ahead_s) > CLOCK_TOLERANCE_S:
        raise XClockError(
            f"X's clock is {client.ahead_s:.0f} s ahead of this machine's (behind, if negative): set this machine's; "
            "until then what is pulled goes by X's"
        )
    return "as X's, within a minute"


def _check_cap(config: XSettings) -> str:
    from tweet_profiles.sources.x.prices import dollars
    from tweet_profiles.sources.x.search import make_usage

    usage = _client(config).usage()
    own = make_usage(config, Home.open(load_settings().home))
    used = own.this_month()
    limit = "no cap of our own" if own.cap is None else f"{own.left_of_cap} of {own.cap} left by our own cap"
    budget = "no budget of our own" if own.budget is None else f"the budget is {dollars(own.budget)}"
    return (
        f"X counts {usage.get('project_usage', '?')} of {usage.get('project_cap', '?')} posts this month, "
        f"reset on day {usage.get('cap_reset_day', '?')}; {used.posts} pulled from here, {limit}; they cost up to "
        f"{dollars(used.cost)}, {budget}"
    )


def _check_database() -> str:
    from tweet_profiles.database.connection import connect

    settings = load_settings()
    client = connect(settings, Home.open(settings.home))
    client.close()
    return "reached" if settings.mongodb_uri is not None else "the local server runs"


def _check_model() -> str:
    from tweet_profiles.sentiment.package import read_package

    package = read_package(load_settings().model_dir)
    return f"{package.name} {package.version}"


@x_app.command()
def purge(
    days: Annotated[
        float | None, typer.Option(help="remove what is older than so many days; default: the retention", min=0)
    ] = None,
) -> None:
    """Remove raw tweets older than the retention, with their partitions; what was never processed stays."""
    from datetime import timedelta

    from tweet_profiles.orchestration.batches import purge_home

    done = purge_home(_zone(), timedelta(days=load_settings().retention_days if days is None else days))
    counts = {
        "batches": len(done.batches),
        "partitions": done.partitions,
        "files of the quarantine": done.quarantine_files,
        "overdue batches kept, because they were never processed": len(done.overdue),
    }
    _show_counts("Purged", counts)


@x_app.command()
def forget(
    user_ids: Annotated[list[str] | None, typer.Argument(help="ids of authors, digits", show_default=False)] = None,
    handle: Annotated[
        list[str] | None,
        typer.Option(help="an author whom a file told by handle alone, in place of an id", show_default=False),
    ] = None,
    notices: Annotated[
        Path | None,
        typer.Option(
            help="file of X's compliance stream or batch job, or dump of a stream, also packed: honour its deletions"
        ),
    ] = None,
    kind: Annotated[
        Literal["tweets", "users"] | None, typer.Option(help="what a batch job's ids are; its lines do not tell")
    ] = None,
) -> None:
    """Remove authors from every store and keep them from coming back, or honour a file of deletion notices."""
    from tweet_profiles.database.connection import connect
    from tweet_profiles.profiles.store import ProfileStore
    from tweet_profiles.removal.forget import forget as forget_all
    from tweet_profiles.removal.forget import read_notices

    if not user_ids and not handle and notices is None:
        raise typer.BadParameter("give the ids of authors, --handle NAME or --notices FILE")
    settings = load_settings()
    zone = _zone()
    read = None if notices is None else read_notices(notices, kind, zone.home.private)
    client = connect(settings, zone.home)
    try:
        store = ProfileStore(client[settings.mongodb_database])
        store.prepare()
        secret = zone.home.pseudonym_key(settings)
        if user_ids or handle:
            done = forget_all(zone, store, secret, authors=user_ids or (), handles=handle or ())
            _show_counts("Forgot", asdict(done))
        if handle:
            console.print("Handles are not stored: an author who came with an id is forgotten by that id alone.")
        if read is not None:
            # X may give an account back; whoever was only deleted there is not kept away for good.
            done = forget_all(zone, store, secret, authors=read.authors, tweets=read.tweets, keep_away=False)
            _show_counts(f"{len(read.authors)} authors and {len(read.tweets)} tweets are gone from X", asdict(done))
            if read.others:
                _show_counts("Nothing to do about", dict(read.others))
        if store.database.state.find_one({"_id": "release"}) is not None:
            console.print(
                "The released rows, of groups of authors without pseudonyms, are made anew with the next clustering: "
                "tonight, or now by `tweet-profiles run`."
            )
    finally:
        client.close()
    if read is not None and read.bad_lines:
        some = ", ".join(map(str, read.bad_lines[:10]))
        raise InputError(
            f"{notices}: {len(read.bad_lines)} lines are no notices that are known here (line {some}); the others were "
            "honoured. The lines of a batch job need --kind tweets or --kind users"
        )


def _show_counts(what: str, counts: dict[str, int]) -> None:
    console.print(f"{what}: " + ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in counts.items()) + ".")
