"""Files of every shape that people have, from bytes on disk to landed tweets."""

from tweet_profiles.sources.files.importing import FileOptions, FileOutcome, ImportReport, import_paths
from tweet_profiles.sources.files.opening import STDIN

__all__ = ["STDIN", "FileOptions", "FileOutcome", "ImportReport", "import_paths"]
