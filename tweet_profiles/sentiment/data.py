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
    role = "split"                         # split | test | report

A source of role `test` is held out whole and helps to decide whether a new model is not worse; one of role
`report` is held out whole and never decides anything. Paths may also be taken from another folder than the
file's own (`read_config(path, root)`), so that one configuration serves wherever the data lie.

`polarity` is positive or negative only, from noisy emoticons; `three` has neutral and is human-labelled;
`subjectivity` is objective or subjective.
"""

import csv
import hashlib
import io
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

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
    labels: dict[str, str] = Field(default_factory=dict)
    text_column: str | int = "text"
    label_column: str | int = "label"
    header: bool = True
    encoding: str = "utf-8"
    labels_path: Path | None = None
    repeat: Annotated[int, Field(ge=1, le=100)] = 1
    role: Literal["split", "test", "report"] = "split"

    @model_validator(mode="after")
    def _complete(self) -> "Source":
        if self.format == "lines" and self.label not in LABELS[self.task]:
            raise ValueError(f"{self.name}: format lines needs a label, one of {LABELS[self.task]}")
        if self.format == "pair" and self.labels_path is None:
            raise ValueError(f"{self.name}: format pair needs labels_path")
        return self


@dataclass(frozen=True)
class Examples:
    """Labelled, prepared texts.

    `frame` has columns raw (as read), text (prepared), task, label, source, repeat and split ("train", "validation",
    "test", "report").
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


def read_config(path: Path, root: Path | None = None) -> list[Source]:
    """Read the sources of a TOML file; paths in it are relative to `root`, else to the file's folder.

    Raises:
        TrainingDataError: if it cannot be read; the message names the file and the source.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        sources = [Source(**entry) for entry in document["source"]]
    except (OSError, tomllib.TOMLDecodeError, KeyError, ValidationError) as error:
        raise TrainingDataError(f"{path} names no usable sources: {error}") from error
    base = root or path.parent
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
        if source.format == "lines" and source.label is not None:
            yield from ((line, source.label) for line in lines if line.strip())
        elif source.format == "pair" and source.labels_path is not None:
            marks = source.labels_path.read_bytes().decode(source.encoding).rstrip("\n").split("\n")
            texts = content.removesuffix("\n").split("\n")
            if len(marks) != len(texts):
                raise TrainingDataError(
                    f"source {source.name}: {source.path} has {len(texts)} lines, {source.labels_path} has {len(marks)}"
                )
            yield from ((line, mark.strip()) for line, mark in zip(texts, marks, strict=True) if line.strip())
        else:
            yield from _delimited(source, content)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingDataError(f"source {source.name}: {source.path} cannot be read: {error}") from error


def _delimited(source: Source, content: str) -> Iterator[tuple[str, str]]:
    if source.format == "tsv":
        rows: Iterator[list[str]] = (line.rstrip("\r").split("\t") for line in content.split("\n") if line.strip())
    else:
        rows = csv.reader(io.StringIO(content, newline=""))
    text_at, label_at = source.text_column, source.label_column
    first = 1
    if source.header:
        names, first = next(rows, []), 2
        text_at, label_at = _column(source, names, text_at), _column(source, names, label_at)
    for number, row in enumerate(rows, first):
        try:
            yield row[int(text_at)], row[int(label_at)]
        except (IndexError, ValueError):
            raise TrainingDataError(
                f"source {source.name}: {source.path}, record {number}: no columns {text_at} and {label_at}"
            ) from None


def _column(source: Source, names: list[str], column: str | int) -> int:
    if isinstance(column, int):
        return column
    if column not in names:
        raise TrainingDataError(f"source {source.name}: {source.path} has no column {column!r}, but {names}")
    return names.index(column)


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
            raw=kept["text"],
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
    held = every["role"] != "split"
    folded = every["text"].str.lower()
    every = every[held | ~folded.isin(set(folded[held]))]
    folded, held = every["text"].str.lower(), every["role"] != "split"
    agrees = every.groupby([every["task"], folded], sort=False)["label"].transform("nunique") == 1
    first = ~pd.DataFrame({"task": every["task"], "text": folded}).duplicated()
    every = every[(agrees & first) | held].reset_index(drop=True)
    fraction = every["text"].map(text_fraction)
    split = pd.Series("train", index=every.index)
    split[(fraction >= 0.2) & (fraction < 0.2 + every["task"].map(VALIDATION_SHARE))] = "validation"
    split[fraction < every["task"].map(TEST_SHARE)] = "test"
    for role in ("test", "report"):
        split[every["role"] == role] = role
    # A text may stand in two tasks, whose shares differ: held out for one, it must not be trained on for the other.
    folded = every["text"].str.lower()
    leaking = (split == "train") & folded.isin(set(folded[split != "train"]))
    return every.assign(split=split).drop(columns="role")[~leaking].reset_index(drop=True)
