"""The model card: what a model is, what it learned from, how good it is and where it fails.

What belongs here: one function from figures to Markdown. What does not: any figure that is not in the report.
"""

from tweet_profiles.sentiment.calibration import Calibration
from tweet_profiles.sentiment.data import Examples
from tweet_profiles.sentiment.encoder import START_WHEEL
from tweet_profiles.sentiment.evaluation import EvaluationReport, Measures
from tweet_profiles.sentiment.metrics import Estimate
from tweet_profiles.sentiment.training import TrainingReport


def model_card(
    report: EvaluationReport,
    float32: EvaluationReport,
    training: TrainingReport,
    examples: Examples,
    calibration: Calibration,
) -> str:
    """The card as Markdown, from the reports of the int8 and the float32 engine on the same rows."""
    config = training.config
    sides = examples.frame.groupby(["source", "split"], sort=True).size().unstack(fill_value=0)
    rows = "\n".join(
        f"| {source} | " + " | ".join(str(int(counts.get(side, 0))) for side in _SIDES) + " |"
        for source, counts in sides.iterrows()
    )
    beside = {**_named(float32.deciding), **float32.sources}
    measured = "\n".join(
        _row(name, entry, beside[name]) for name, entry in {**_named(report.deciding), **report.sources}.items()
    )
    others = "\n".join(
        f"| {name} | {what} | {value:.1%} |"
        for name, entry in {**_named(report.deciding), **report.sources}.items()
        for what, value in sorted(entry.others.items())
    )
    return f"""# Model card: tweet sentiment and subjectivity

Version `{report.version}`. A BERT encoder of 6 layers and 384 dimensions (MiniLM-L6, from the wheel `{START_WHEEL}`),
fine-tuned in TensorFlow/Keras with two heads on the mean of its last layer: negative, neutral, positive (softmax), and
subjective (sigmoid). Sentiment is P(positive) + P(neutral) / 2, in 0 to 1.

Every figure below is written by the command that made the model, and measured again by
`tweet-profiles evaluate --data FOLDER`.

## Use

Scores of English tweets, to be averaged over authors and groups. Not for a decision about one person: a single score is
wrong about one time in {_one_in(report)} on plainly positive or negative tweets, and more often on neutral ones.

## Data and split

Rows after cleaning and removing duplicates; a text is on one side only, by a hash of it. `test` decides whether a new
model may replace this one; `report` never decided anything.

| source | {" | ".join(_SIDES)} |
|---|{"---:|" * len(_SIDES)}
{rows}

## Recipe

Preset `{config["name"]}`, seed {config["seed"]}: {config["epochs"]} epochs ({training.steps} steps) of batches of
{config["batch_size"]}, AdamW at {config["learning_rate"]:g}, weight decay {config["weight_decay"]:g}, warm-up
{config["warmup_share"]:.0%}, label smoothing {config["label_smoothing"]:g}, {config["precision"]}.

Calibrated on validation rows only: temperature {calibration.temperature:.3f}, subjectivity temperature
{calibration.subjectivity_temperature:.3f}; negative below {calibration.negative_below:.2f}, positive above
{calibration.positive_above:.2f}.

## Results, with 95 % intervals (int8 engine)

Macro recall is over the three labels. The last column has the same measures of the float32 engine, in the order of
the columns.

| rows | n | positive or negative, right | macro recall | subjectivity, right | calibration error | in float32 |
|---|---:|---:|---:|---:|---:|---:|
{measured}

Baselines on the same rows:

| rows | baseline | value |
|---|---|---:|
{others}

## Limits

English only. Trained on tweets of 2009 to 2016, most of them labelled by hand: what people write of, and the words and
emoji they use for it, have changed since. Irony, mixed feelings and news of bad events are its usual errors. The
subjectivity set is sentences of film reviews and plots, not tweets, so subjectivity of tweets is an extrapolation.

## Licences

Starting weights and vocabulary: Apache-2.0. Sentiment140 was collected for research; the other sets' terms are in their
own pages. Only weights are shipped, no text of any data set.
"""


def _one_in(report: EvaluationReport) -> int:
    """One of how many plainly positive or negative held-out rows is taken for the other."""
    accuracy = report.deciding["three"].polar_accuracy
    return round(1 / max(1 - (0.5 if accuracy is None else accuracy.value), 1e-3))


_SIDES = ("train", "validation", "test", "report")


def _named(deciding: dict[str, Measures]) -> dict[str, Measures]:
    return {f"**all held-out rows, {name}**": entry for name, entry in deciding.items()}


def _row(name: str, entry: Measures, float32: Measures) -> str:
    cells = [
        _estimate(entry.polar_accuracy),
        _estimate(entry.macro_recall),
        _estimate(entry.subjectivity_accuracy),
        "" if entry.calibration_error is None else f"{entry.calibration_error:.3f}",
        " / ".join(
            f"{estimate.value:.1%}"
            for estimate in (float32.polar_accuracy, float32.macro_recall, float32.subjectivity_accuracy)
            if estimate is not None
        ),
    ]
    return f"| {name} | {entry.rows} | " + " | ".join(cells) + " |"


def _estimate(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.value:.1%} ({estimate.low:.1%} to {estimate.high:.1%})"
