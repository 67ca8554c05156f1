"""Where tweets come from: the X API, archive files, the sample."""
