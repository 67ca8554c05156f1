"""The sensors: what notices that something has arrived.

What belongs here: gathering what the decision needs, and turning it into Dagster's answers. What does not:
the decision itself (`ingest.arrivals`), which a test calls with plain values.
"""

import dagster as dg

from tweet_profiles.ingest.arrivals import decide
from tweet_profiles.instance import RANGE_END_TAG, RANGE_START_TAG, UNFINISHED, fail_orphans
from tweet_profiles.jobs import PROCESS_BATCH
from tweet_profiles.partitions import BATCHES
from tweet_profiles.pipeline import contiguous
from tweet_profiles.resources import HomeResource
