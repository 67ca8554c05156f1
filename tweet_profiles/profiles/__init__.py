"""Profiles of authors: pseudonyms and generalisation, the MongoDB store, and what may leave the system."""
