"""What a person sees while the chain works: the stage it is in, and how long each took.

What belongs here: words and how they are drawn. What does not: the stages.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from tweet_profiles.orchestration.instance import Watch

STAGES = {
    "sentiment_model": "check the sentiment model",
    "raw_tweets": "read the landed tweets",
    "scored_tweets": "score the tweets",
    "user_profiles": "fold the scores into profiles",
    "assigned_authors": "put new authors into segments",
    "scaled_features": "scale what authors are grouped by",
    "customer_clusters": "group the authors",
    "released_profiles": "release the groups",
    "exported_profiles": "write the released rows to files",
}
"""By the name of a stage, what it does."""


@contextmanager
def stages(console: Console) -> Iterator[Watch]:
    """Give a watcher for runs, which tells each stage as it begins, on a line that moves, and as it ends.

    Args:
        console: where; on one that is no terminal only the ends are told.
    """
    began: dict[str, float] = {}
    with console.status("Starting") as status:

        def watch(stage: str, has_ended: bool) -> None:
            what = STAGES.get(stage)
            if what is None:
                return  # a check that stands by itself
            if has_ended:
                seconds = time.monotonic() - began.pop(stage, time.monotonic())
                console.print(f"  {what}: done in {seconds:.0f} s", highlight=False)
            else:
                began[stage] = time.monotonic()
                status.update(f"{what.capitalize()} …")

        yield watch
