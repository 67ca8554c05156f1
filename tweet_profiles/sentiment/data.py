"""Training data: sources named in a TOML file, cleaned, de-duplicated and split by text.

What belongs here: reading sources, one normal form of an example, and the split. What does not: where a
particular data set lies; that is the user's configuration.

A source is

    [[source]]
    name = "sentiment140"                  # for the report
    path = "data/sentiment140_sample.csv"  # relative to the TOML file
    format = "csv"                         # lines | csv | tsv | pair
    task = "polarity"                      # polarity | three | subjectivity
    labels = {"0" = "negative", "4" = "positive"}   # or label = "negative" for the whole file
    text_column = "text"                   # name, or number where there is no header
    label_column = "target"
    header = true
    encoding = "utf-8"
    labels_path = "val_labels.txt"         # format pair: labels line by line
    repeat = 1                             # how often an epoch shows each example
    role = "split"                         # split | test (held out whole, never trained on)

`polarity` is positive or negative only, from noisy emoticons; `three` has neutral and is human-labelled;
`subjectivity` is objective or subjective.
"""

import csv
import hashlib
import io
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from tweet_profiles.sentiment.errors import TrainingDataError
from tweet_profiles.sentiment.text import prepare

Task = Literal["polarity", "three", "subjectivity"]
LABELS: dict[str, tuple[str, ...]] = {
    "polarity": ("negative", "positive"),
    "three": ("negative", "neutral", "positive"),
    "subjectivity": ("objective", "subjective"),
}
TEST_SHARE = {"polarity": 0.0, "three": 0.1, "subjectivity": 0.2}
VALIDATION_SHARE = {"polarity": 0.03, "three": 0.1, "subjectivity": 0.05}


class Source(BaseModel):
    """One source of labelled texts; see the module's docstring."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    path: Path
    format: Literal["lines", "csv", "tsv", "pair"]
    task: Task
    label: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    text_column: str | int = "text"
    label_column: str | int = "label"
    header: bool = True
    encoding: str = "utf-8"
    labels_path: Path | None = None
    repeat: int = 1
    role: Literal["split", "test"] = "split"


@dataclass(frozen=True)
class Examples:
    """Labelled, prepared texts.

    `frame` has columns text, task, label, source, repeat and split ("train", "validation", "test").
    `report` counts per source what was read, dropped and why.
    """

    frame: pd.DataFrame
    report: list[dict[str, Any]]

    def part(self, split: str, task: str | None = None) -> pd.DataFrame:
        """The rows of one split, of one task or all."""
        chosen = self.frame["split"] == split
        if task is not None:
            chosen &= self.frame["task"] == task
        return self.frame[chosen].reset_index(drop=True)


def read_config(path: Path) -> list[Source]:
    """Read the sources of a TOML file; paths in it are relative to its folder.

    Raises:
        TrainingDataError: if it cannot be read; the message names the file and the source.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        sources = [Source(**entry) for entry in document["source"]]
    except (OSError, tomllib.TOMLDecodeError, KeyError, ValidationError) as error:
        raise TrainingDataError(f"{path} names no usable sources: {error}") from error
    base = path.parent
    return [
        source.model_copy(
            update={
                "path": base / source.path,
                "labels_path": base / source.labels_path if source.labels_path else None,
            }
        )
        for source in sources
    ]


def _rows(source: Source) -> Iterator[tuple[str, str]]:
    try:
        # Split on "\n" only: some tweets hold other line separators.
        content = source.path.read_bytes().decode(source.encoding)
        lines = content.split("\n")
        if source.format == "lines":
            assert source.label is not None, "format lines needs label"
            yield from ((line, source.label) for line in lines if line.strip())
        elif source.format == "pair":
            assert source.labels_path is not None, "format pair needs labels_path"
            marks = source.labels_path.read_bytes().decode(source.encoding).split("\n")
            yield from ((line, mark.strip()) for line, mark in zip(lines, marks, strict=False) if line.strip())
        else:
            yield from _delimited(source, content)
    except (OSError, UnicodeDecodeError, AssertionError, KeyError, IndexError, csv.Error) as error:
        raise TrainingDataError(f"source {source.name}: {source.path}: {error!r}") from error


def _delimited(source: Source, content: str) -> Iterator[tuple[str, str]]:
    if source.format == "tsv":
        rows: Iterator[list[str]] = (line.rstrip("\r").split("\t") for line in content.split("\n") if line.strip())
    else:
        rows = csv.reader(io.StringIO(content, newline=""))
    text_at, label_at = source.text_column, source.label_column
    if source.header:
        names = next(rows)
        text_at = names.index(text_at) if isinstance(text_at, str) else text_at
        label_at = names.index(label_at) if isinstance(label_at, str) else label_at
    for row in rows:
        yield row[int(text_at)], row[int(label_at)]


def text_fraction(text: str) -> float:
    """A number in 0..1 that depends on the text alone: equal texts always fall on the same side of a split."""
    digest = hashlib.blake2b(text.lower().encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def load_examples(sources: list[Source]) -> Examples:
    """Read, prepare, clean and split all sources.

    Rows with labels outside the map are dropped; of repeated texts within a task one is kept, none if their
    labels differ; texts of a test source are removed from every other source, whatever the task. The rest is
    split by a hash of the prepared text, so that no text stands on both sides, across sources and seeds.

    Raises:
        TrainingDataError: if a source cannot be read or names unknown labels.
    """
    frames, report = [], []
    for source in sources:
        rows = list(_rows(source))
        frame = pd.DataFrame(rows, columns=["text", "label"])
        if source.labels:
            frame["label"] = frame["label"].map(source.labels)
        kept = frame.dropna()
        unknown = set(kept["label"]) - set(LABELS[source.task])
        if unknown:
            raise TrainingDataError(f"source {source.name}: labels {sorted(unknown)} are none of {LABELS[source.task]}")
        kept = kept.assign(
            text=[prepare(text) for text in kept["text"]],
            task=source.task,
            source=source.name,
            repeat=source.repeat,
            role=source.role,
        )
        kept = kept[kept["text"] != ""]
        frames.append(kept)
        report.append({"source": source.name, "task": source.task, "rows": len(rows), "usable": len(kept)})
    every = _without_repeats(pd.concat(frames, ignore_index=True))
    for line in report:
        line["kept"] = int((every["source"] == line["source"]).sum())
    return Examples(every, report)


def _without_repeats(every: pd.DataFrame) -> pd.DataFrame:
    folded = every["text"].str.lower()
    held_out = set(folded[every["role"] == "test"])
    every = every[(every["role"] == "test") | ~folded.isin(held_out)]
    folded = every["text"].str.lower()
    group = every.groupby([every["task"], folded], sort=False)
    agrees = group["label"].transform("nunique") == 1
    first = ~pd.DataFrame({"task": every["task"], "text": folded}).duplicated()
    every = every[(agrees & first) | (every["role"] == "test")].reset_index(drop=True)
    fraction = every["text"].map(text_fraction)
    # A text may stand in two tasks: the larger shares decide, so that it is on one side for both.
    test = fraction < every["task"].map(TEST_SHARE)
    validation = (fraction >= 0.2) & (fraction < 0.2 + every["task"].map(VALIDATION_SHARE))
    split = pd.Series("train", index=every.index)
    split[validation] = "validation"
    split[test] = "test"
    in_two_tasks = every["text"].str.lower().duplicated(keep=False) & (split != "train")
    crossing = set(every["text"].str.lower()[in_two_tasks])
    split[every["role"] == "test"] = "test"
    every = every.assign(split=split).drop(columns="role")
    leaking = every["text"].str.lower().isin(crossing) & (every["split"] == "train")
    return every[~leaking].reset_index(drop=True)
