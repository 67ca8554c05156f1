"""The partitions: one dynamic partition a landed batch, shared by every batch stage."""

import dagster as dg

BATCHES = dg.DynamicPartitionsDefinition(name="tweet_batches")
"""Keys are the landing zone's batch keys, which sort in the order of arrival."""
