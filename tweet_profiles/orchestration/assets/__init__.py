"""The assets, one module a stage. Each reads, calls the domain, writes, and says at a glance what it did."""

import warnings

import dagster as dg

# Single-run backfills are marked beta; constraints.txt pins the Dagster that they were tested with.
warnings.filterwarnings("ignore", category=dg.BetaWarning, message=".*backfill_policy.*")
