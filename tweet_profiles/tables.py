"""Parquet tables between the stages: where a partition's file lies, how it is written and read.

What belongs here: the mapping of table and partition to a file, and keeping the contracts' types across it.
What does not: deciding what is in a table.
"""

from pathlib import Path

import pandas as pd
import pandera.pandas as pa
import pyarrow as arrow
from pyarrow import parquet

from tweet_profiles.errors import InputError
from tweet_profiles.home import write_atomically


def partition_file(folder: Path, partition: str) -> Path:
    """The Parquet file of one partition."""
    return folder / f"{partition}.parquet"


def write_table(path: Path, frame: pd.DataFrame) -> Path:
    """Write `frame` as Parquet, whole or not at all. Raises HomeError if it cannot be written."""
    table = arrow.Table.from_pandas(frame, preserve_index=False)
    return write_atomically(path, lambda file: parquet.write_table(table, file, compression="zstd"))


def read_table(path: Path, schema: pa.DataFrameSchema, made_by: str) -> pd.DataFrame:
    """Read a table and give its columns the contract's types.

    Args:
        path: the Parquet file.
        schema: its contract; the values are not checked again, only the types are restored.
        made_by: the asset that writes it, for the message when it is not there.

    Raises:
        InputError: if the file is missing, is no Parquet file or lacks a column of the contract.
    """
    try:
        frame = parquet.ParquetFile(path).read().to_pandas()
    except FileNotFoundError:
        raise InputError(f"{path} is not there: materialize {made_by} first") from None
    except arrow.ArrowInvalid as error:
        raise InputError(f"{path} is damaged ({error}): materialize {made_by} again") from None
    lacking = [name for name, column in schema.columns.items() if not column.regex and name not in frame]
    if lacking:
        raise InputError(
            f"{path} was written by another version ({lacking[0]} is not in it): materialize {made_by} again"
        )
    types = {name: column.dtype.type for name, column in schema.columns.items() if not column.regex}
    return frame.astype(types)
