"""Audience profiles from the tweets that mention a brand."""
