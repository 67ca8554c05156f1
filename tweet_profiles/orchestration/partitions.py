"""The partitions: one dynamic partition a landed batch, shared by every batch stage."""

import dagster as dg

NAME = "tweet_batches"

BATCHES = dg.DynamicPartitionsDefinition(name=NAME)
"""Keys are the landing zone's batch keys, which sort in the order of arrival."""
