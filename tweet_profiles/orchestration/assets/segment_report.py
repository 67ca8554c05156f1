"""segment_report: the notebook `03_reading_segments`, run on the released segments and kept as a page.

nbclient rather than dagstermill: that is in beta, runs a changed copy of a notebook while this runs it as an analyst
does, and shows it by a page of the Dagster UI that opens only what lies below the server's working directory.
"""

import dagster as dg

from tweet_profiles.errors import TweetProfilesError
from tweet_profiles.extras import is_installed
from tweet_profiles.notebooks import run_notebook
from tweet_profiles.orchestration.assets.metadata import OWNERS
from tweet_profiles.orchestration.resources import HomeResource, MongoResource
from tweet_profiles.release.shown import complete_view, read_snapshot

NAME = "segment_report"
NOTEBOOK = "03_reading_segments"


@dg.asset(
    name=NAME,
    deps=["released_profiles"],
    group_name="release",
    owners=OWNERS,
    kinds={"jupyter"},
    code_version="1",
    pool="clustering",
    # Where notebooks cannot be run, it is there to be asked for, and says then what is missing.
    automation_condition=dg.AutomationCondition.eager() if is_installed("notebooks") else None,
    description=(
        "The notebook that reads the segments, run from top to bottom on the current release: aggregates alone. "
        "Shown here as `report`, and kept as a page among the exports."
    ),
)
def segment_report(home: HomeResource, mongo: MongoResource) -> dg.MaterializeResult:
    """Run the notebook and attach it."""
    with mongo.database() as database:
        complete_view(database)
        current = read_snapshot(database)
    if current is None:
        raise dg.Failure("there is no release yet: materialize released_profiles first", allow_retries=False)
    try:
        rendered = run_notebook(NOTEBOOK, home.open())
    except TweetProfilesError as error:
        raise dg.Failure(f"{error}. The last report stays.", allow_retries=False) from error
    return dg.MaterializeResult(
        metadata={
            "release": current.version,
            "clustering": current.clustering["version"],
            "segments": len(current.segments),
            "report": dg.MetadataValue.md(rendered.markdown),
            "page": dg.MetadataValue.path(rendered.page),
        }
    )
