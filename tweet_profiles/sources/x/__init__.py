"""The X API: search, the filtered stream, and what keeps within its limits."""
