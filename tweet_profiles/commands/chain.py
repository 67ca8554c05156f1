"""`tweet-profiles run`, `segments` and `demo`: the chain from landed tweets to released groups.

What belongs here: arguments and what is printed. What does not: any work.
"""

import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tweet_profiles.errors import InputError
from tweet_profiles.home import Home
from tweet_profiles.settings import DEMO_MARK, Settings, load_settings

chain_app = typer.Typer()
console = Console()


@chain_app.command()
def run(
    *,
    cluster: Annotated[bool, typer.Option("--cluster/--no-cluster", help="group the authors afterwards")] = True,
    k: Annotated[int | None, typer.Option(help="number of groups; default: looked for", min=2, max=100)] = None,
    max_share: Annotated[
        float | None, typer.Option(help="most that one group may hold of the authors, 0 to 1", min=0, max=1)
    ] = None,
    min_silhouette: Annotated[
        float | None, typer.Option(help="least mean silhouette of groups that are shown", min=-1, max=1)
    ] = None,
    min_stability: Annotated[
        float | None, typer.Option(help="least stability of groups that are shown", min=-1, max=1)
    ] = None,
) -> None:
    """Take every landed batch to updated profiles, then group the authors and release the groups."""
    settings = load_settings()
    home = Home.open(settings.home)
    limits = {"k": k, "max_share": max_share, "min_silhouette": min_silhouette, "min_stability": min_stability}
    with home.in_use("run"):
        _run(settings, home, {name: value for name, value in limits.items() if value is not None} if cluster else None)
    if cluster:
        _show_segments(settings, home)


def _run(settings: Settings, home: Home, limits: dict[str, Any] | None) -> None:
    """Process what has landed; `limits` configure the grouping, None: without."""
    from dagster import AssetKey

    from tweet_profiles.commands.progress import stages
    from tweet_profiles.database.connection import connect
    from tweet_profiles.landing.zone import LandingZone
    from tweet_profiles.orchestration.assets.released_profiles import HELD
    from tweet_profiles.orchestration.batches import process_batches
    from tweet_profiles.orchestration.definitions import defs
    from tweet_profiles.orchestration.instance import dagster_instance, execute
    from tweet_profiles.profiles.store import ProfileStore

    zone = LandingZone(home, batch_size=settings.batch_size, batch_age_s=settings.batch_age_s)
    # Before minutes of scoring, not after them.
    with connect(settings, home) as client:
        if not zone.keys() and ProfileStore(client[settings.mongodb_database]).count() == 0:
            raise InputError(
                f"no tweets have landed in {home.root} yet: `tweet-profiles import FILE` takes files, `tweet-profiles "
                "search` asks X, and `tweet-profiles demo` shows the chain on made-up tweets"
            )
    with dagster_instance(home) as instance, stages(console) as watch:
        if instance.get_latest_materialization_event(AssetKey("sentiment_model")) is None:
            execute(defs.resolve_job_def("prepare_model"), instance, watch=watch)
        done = process_batches(instance, zone, defs.resolve_job_def("process_batch"), settings.max_attempts, watch)
        console.print(f"Processed {done.batches} batches in {done.runs} runs.")
        if limits is None:
            return
        config = {"ops": {"customer_clusters": {"config": limits}}}
        grouped = execute(defs.resolve_job_def("recluster"), instance, run_config=config, watch=watch)
        for made in grouped.asset_materializations_for_node("released_profiles"):
            if HELD in made.metadata:
                console.print(f"Note: {made.metadata[HELD].value}.", soft_wrap=True, highlight=False)
        for check in grouped.get_asset_check_evaluations():
            if not check.passed:
                console.print(f"Note: {check.description or check.check_name}.", soft_wrap=True, highlight=False)


@chain_app.command()
def segments() -> None:
    """Show the current groups of authors."""
    settings = load_settings()
    _show_segments(settings, Home.open(settings.home))


@chain_app.command()
def demo(
    tweets: Annotated[int, typer.Option(help="how many tweets to make")] = 4000,
    seed: Annotated[int, typer.Option(help="seed of the generator")] = 7,
) -> None:
    """Make a sample, run the whole chain over it in a home of its own, and show the groups."""
    from tweet_profiles.database.local_server import LocalServer
    from tweet_profiles.landing.zone import LandingZone
    from tweet_profiles.sources.files import import_paths
    from tweet_profiles.sources.sample import generate

    # `main` has named the demo's home by now.
    home = Home.open(load_settings().home)
    (home.root / DEMO_MARK).touch()
    settings = load_settings()
    console.print(f"The demo, in a home of its own: {home.root}", soft_wrap=True, highlight=False)
    zone = LandingZone(home, batch_size=settings.batch_size, batch_age_s=settings.batch_age_s)
    with home.in_use("demo"):
        with console.status("Making the sample"):
            pages = generate(home.private / "sample" / "pages.jsonl", seed=seed, tweets=tweets)
        report = import_paths([pages], zone)
        console.print(
            f"{report.read:,} made-up tweets about an invented brand: {report.landed:,} are new and have landed."
        )
        try:
            _run(settings, home, {})
            _show_segments(settings, home)
        finally:
            LocalServer(home).stop()
    me = sys.argv[0]
    for line in (
        "",
        "What next:",
        f"  the page          {me} --demo api-key make anna   (prints a key: keep it)",
        f"                    {me} --demo serve               (then sign in with it at http://127.0.0.1:8000)",
        f"  the Dagster UI    {me} --demo dev                 (http://127.0.0.1:3000, with the page beside it)",
        f"  your own tweets   {me} import FILE && {me} run    (in a home of their own, apart from the demo's)",
        f"  without the demo  {me} --demo reset",
    ):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _show_segments(settings: Settings, home: Home) -> None:
    from tweet_profiles.database.connection import connect
    from tweet_profiles.release.shown import complete_view, read_snapshot

    with connect(settings, home) as client:
        complete_view(client[settings.mongodb_database])
        current = read_snapshot(client[settings.mongodb_database])
    if current is None:
        console.print("There are no groups yet: `tweet-profiles import PATH`, then `tweet-profiles run`.")
        return
    # As released, like everything else that is shown: the difference to another count would be the withheld authors.
    table = Table(title=f"Segments of {sum(current.counts.values()):,} released authors")
    for heading in ("#", "Segment", "Authors", "Share", "Positive", "Neutral", "Negative"):
        table.add_column(heading, justify="left" if heading == "Segment" else "right")
    for segment in current.segments:
        known = [segment[name] for name in ("share", "positive_share", "neutral_share", "negative_share")]
        shares = ["not known" if share is None else f"{share:.0%}" for share in known]
        table.add_row(str(segment["segment"]), segment["name"], f"{segment['authors']:,}", *shares)
    console.print(table)
    console.print(f"Elbow plot: {home.plots / 'elbow.png'}")
