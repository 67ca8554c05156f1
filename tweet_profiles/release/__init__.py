"""All that leaves the system: anonymous rows, timelines, files."""
