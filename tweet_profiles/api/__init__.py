"""The REST API and the marketing team's page, over the released data only.

What belongs here: everything that answers HTTP. What does not: how data is made (the domain packages), and Dagster.
"""
