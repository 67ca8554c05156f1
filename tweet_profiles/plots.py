"""Every figure, as a function from numbers to a matplotlib Figure.

What belongs here: drawing. What does not: computing what is drawn. Figures stand on a light panel of their own, so
that they read the same in a light and in a dark page; colours are Okabe and Ito's, which colour-blind readers can tell
apart. No pyplot: figures are made in server processes and must not pile up in global state.
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
LABEL_COLOURS = {"negative": "#D55E00", "neutral": "#999999", "positive": "#0072B2"}
PANEL = "#FBFBFD"
INK = "#1F2430"
MAX_BYTES = 100_000


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=110, facecolor=PANEL, layout="constrained")


def _tidy(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_facecolor(PANEL)
    axes.set_title(title, color=INK, fontsize=11, loc="left")
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    axes.tick_params(colors=INK)
    axes.grid(visible=True, color="#DDDDE6", linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color("#C4C7D0")


def png_bytes(figure: Figure, max_bytes: int = MAX_BYTES) -> bytes:
    """The figure as PNG of at most `max_bytes`, at a lower resolution if need be; no metadata about the machine.

    Raises:
        ValueError: if it does not fit even at the lowest resolution.
    """
    for dpi in (110, 90, 70, 50):
        target = io.BytesIO()
        figure.savefig(target, format="png", dpi=dpi, metadata={"Software": None})
        if target.tell() <= max_bytes:
            return target.getvalue()
    raise ValueError(f"a figure does not fit into {max_bytes} bytes")


def elbow_plot(
    ks: Sequence[int],
    inertias: Sequence[float],
    silhouettes: Sequence[float | None],
    chosen: int,
    runner_up: int | None,
    *,
    is_elbow: bool,
) -> Figure:
    """Inertia over k with the chosen k and the runner-up marked, and the silhouette beside it.

    Args:
        ks: values of k, ascending.
        inertias: sum of squared distances a k.
        silhouettes: mean silhouette coefficient a k, None where there is none.
        chosen: the k that was taken.
        runner_up: the second best, None if there is none.
        is_elbow: whether `chosen` is where the curve bends.
    """
    figure = _figure(7.2, 3.9)
    left = figure.add_subplot()
    at = dict(zip(ks, inertias, strict=True))
    left.plot(ks, inertias, marker="o", color=COLOURS[0], label="inertia")
    _tidy(left, "Inertia and silhouette by number of clusters", "number of clusters k", "inertia")
    left.set_ylim(bottom=0)
    left.set_xticks(list(ks))
    if chosen in at:
        left.axvline(chosen, color=COLOURS[5], linestyle="--", linewidth=1.4)
        left.plot(
            [chosen],
            [at[chosen]],
            marker="o",
            markersize=13,
            markerfacecolor="none",
            markeredgewidth=2.2,
            color=COLOURS[5],
            linestyle="none",
            label=f"chosen: k = {chosen} ({'elbow' if is_elbow else 'no elbow'})",
        )
    if runner_up in at:
        left.plot(
            [runner_up],
            [at[runner_up]],
            marker="s",
            markersize=11,
            markerfacecolor="none",
            markeredgewidth=1.6,
            color=COLOURS[3],
            linestyle="none",
            label=f"runner-up: k = {runner_up}",
        )
    right = left.twinx()
    known = [(k, value) for k, value in zip(ks, silhouettes, strict=True) if value is not None]
    if known:
        right.plot(*zip(*known, strict=True), marker="^", color=COLOURS[2], linewidth=1.2, label="silhouette (right)")
    right.set_ylabel("silhouette", color=INK)
    right.tick_params(colors=INK)
    lines = [*left.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    left.legend(lines, [str(line.get_label()) for line in lines], loc="upper right", fontsize=8, framealpha=0.9)
    return figure


def sentiment_histogram(scores: np.ndarray, labels: np.ndarray) -> Figure:
    """Distribution of sentiment scores in 0..1, stacked by label."""
    figure = _figure(6.4, 2.9)
    axes = figure.add_subplot()
    names = list(LABEL_COLOURS)
    parts = [scores[labels == name] for name in names]
    axes.hist(
        parts,
        bins=np.linspace(0, 1, 31).tolist(),
        stacked=True,
        color=[LABEL_COLOURS[name] for name in names],
        label=[f"{name} ({len(part):,})" for name, part in zip(names, parts, strict=True)],
    )
    _tidy(axes, "Sentiment of the tweets", "sentiment (0 negative, 1 positive)", "tweets")
    axes.legend(fontsize=8)
    return figure


def fingerprint(names: Sequence[str], features: Sequence[str], effects: np.ndarray) -> Figure:
    """Heat map of what sets each segment apart: mean of each scaled feature, (segments, features), in standard
    deviations from the average author.
    """
    figure = _figure(max(6.4, 0.52 * len(features) + 2.6), 1.5 + 0.42 * len(names))
    axes = figure.add_subplot()
    limit = 2.0
    image = axes.imshow(effects, cmap="PuOr_r", vmin=-limit, vmax=limit, aspect="auto")
    axes.set_facecolor(PANEL)
    axes.set_title("What sets each segment apart", color=INK, fontsize=11, loc="left")
    axes.set_xticks(range(len(features)), list(features), rotation=45, ha="right", color=INK, fontsize=8)
    axes.set_yticks(range(len(names)), list(names), color=INK, fontsize=8)
    for row in range(effects.shape[0]):
        for column in range(effects.shape[1]):
            value = effects[row, column]
            if abs(value) >= 0.25:
                axes.text(
                    column,
                    row,
                    f"{value:+.1f}",
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if abs(value) > 1.3 else INK,
                )
    bar = figure.colorbar(image, ax=axes, shrink=0.9)
    bar.set_label("standard deviations", color=INK, fontsize=8)
    bar.ax.tick_params(colors=INK, labelsize=7)
    return figure


def segment_sizes(names: Sequence[str], shares: Mapping[str, Sequence[float]]) -> Figure:
    """Each segment as a bar of its share of the authors and, inside, the mood of its tweets.

    Args:
        names: the segments.
        shares: "authors" (share of all authors), "positive", "neutral" and "negative" (of the segment's tweets).
    """
    figure = _figure(6.8, 1.2 + 0.42 * len(names))
    axes = figure.add_subplot()
    left = np.zeros(len(names))
    authors = np.array(shares["authors"])
    for label, colour in LABEL_COLOURS.items():
        width = authors * np.array(shares[label])
        axes.barh(range(len(names)), width, left=left, color=colour, label=label)
        left += width
    _tidy(axes, "Share of the authors, coloured by the mood of their tweets", "share of the authors", "")
    axes.set_yticks(range(len(names)), list(names), fontsize=8)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(fontsize=8, loc="lower right")
    return figure


def training_curves(points: Sequence[Mapping[str, float]]) -> Figure:
    """Loss and accuracy over the steps of a training, with the accuracies on the validation rows where measured.

    Args:
        points: at least step, loss and accuracy each; `val_...` where the validation rows were measured.
    """
    figure = _figure(7.2, 3.6)
    left, right = figure.subplots(1, 2)
    steps = [point["step"] for point in points]
    left.plot(steps, [point["loss"] for point in points], color=COLOURS[0])
    _tidy(left, "Loss", "step", "mean loss since the last point")
    right.plot(steps, [point["accuracy"] for point in points], color=COLOURS[0], label="training")
    measured = sorted({name for point in points for name in point if name.startswith("val_")})
    for name, colour in zip(measured, COLOURS[1:], strict=False):
        known = [(point["step"], point[name]) for point in points if name in point]
        right.plot(
            *zip(*known, strict=True), marker="o", color=colour, label=name.removeprefix("val_").replace("_", " ")
        )
    _tidy(right, "Accuracy", "step", "share right")
    right.legend(fontsize=8, frameon=False)
    return figure


def reliability_diagram(bins: Sequence[tuple[float, float, int]], title: str) -> Figure:
    """What scores foretold against what came true; on the diagonal a score means what it says.

    Args:
        bins: mean score, mean outcome and rows of each bin of like score.
        title: over the plot.
    """
    figure = _figure(4.8, 4.2)
    axes = figure.add_subplot()
    said, was, rows = (np.array(column, dtype=float) for column in zip(*bins, strict=True))
    axes.plot([0, 1], [0, 1], color="#999999", linestyle="--", linewidth=1, label="perfectly calibrated")
    axes.plot(said, was, color=COLOURS[0], linewidth=1)
    axes.scatter(
        said, was, s=12 + 220 * rows / rows.max(), color=COLOURS[0], alpha=0.75, label="texts (area: how many)"
    )
    _tidy(axes, title, "score", "outcome")
    axes.legend(fontsize=8, frameon=False, loc="upper left")
    return figure
