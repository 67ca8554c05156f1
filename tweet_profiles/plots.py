"""Every figure, as a function from numbers to a matplotlib Figure.

What belongs here: drawing. What does not: computing what is drawn. Figures stand on a light panel of their own, so
that they read the same in a light and in a dark page; colours are Okabe and Ito's, which colour-blind readers can tell
apart, with wine for their yellow, which hardly shows on a light panel. No pyplot: figures are made in server processes
and must not pile up in global state.
"""

import io
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#882255", "#000000")
LABEL_COLOURS = {"negative": "#D55E00", "neutral": "#999999", "positive": "#0072B2"}
PANEL = "#FBFBFD"
INK = "#1F2430"
MAX_BYTES = 100_000
PALETTE = 256
"""Colours a PNG: enough for lines and for heat maps without steps that mislead, in fewer bytes than full colour."""


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
    """The figure as PNG with a palette, of at most `max_bytes`, at a lower resolution if need be; no metadata about the
    machine.

    Raises:
        ValueError: if it does not fit even at the lowest resolution.
    """
    for dpi in (110, 90, 70, 50):
        drawn, target = io.BytesIO(), io.BytesIO()
        figure.savefig(drawn, format="png", dpi=dpi, metadata={"Software": None})
        Image.open(drawn).convert("RGB").quantize(PALETTE, kmeans=2, dither=Image.Dither.NONE).save(
            target, "png", optimize=True
        )
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
        shares: "authors" (share of all authors), "positive", "neutral" and "negative" (of the segment's own words; NaN
            where not known).
    """
    figure = _figure(6.8, 1.2 + 0.42 * len(names))
    axes = figure.add_subplot()
    left = np.zeros(len(names))
    authors = np.array(shares["authors"])
    for label, colour in LABEL_COLOURS.items():
        width = authors * np.array(shares[label], dtype=float)
        width = np.nan_to_num(width)
        axes.barh(range(len(names)), width, left=left, color=colour, label=label)
        left += width
    unknown = np.where(np.isnan(np.array(shares["positive"], dtype=float)), authors, 0)
    if unknown.any():
        axes.barh(range(len(names)), unknown, color="none", edgecolor=INK, hatch="///", label="not known")
    _tidy(axes, "Share of the authors, coloured by the mood of their tweets", "share of the authors", "")
    axes.set_yticks(range(len(names)), list(names), fontsize=8)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(_percent)
    axes.legend(fontsize=8, loc="lower right")
    return figure


def silhouettes(names: Mapping[int, str], curves: Sequence[Sequence[float]], mean: float | None) -> Figure:
    """How well the authors of each segment fit in: a band a segment, from its worst fitting author to its best.

    Args:
        names: the segments by id, in the order to draw them in.
        curves: silhouette coefficients of each from low to high, as quantiles; empty where withheld.
        mean: over all authors, None if there is none.
    """
    figure = _figure(6.8, 1.5 + 0.5 * len(names))
    axes = figure.add_subplot()
    for place, (segment, curve) in enumerate(zip(names, curves, strict=True)):
        if len(curve):
            heights = place + 0.4 - 0.8 * np.linspace(0, 1, len(curve))
            axes.fill_betweenx(heights, 0, list(curve), color=_colour(segment), linewidth=0)
        else:
            axes.text(0.02, place, "too few authors to show", va="center", fontsize=8, color=INK)
    _tidy(axes, "How well authors fit into their segment", "silhouette (below 0: nearer to another segment)", "")
    axes.axvline(0, color=INK, linewidth=0.8)
    if mean is not None and np.isfinite(mean):
        axes.axvline(mean, color=INK, linestyle="--", linewidth=1.2, label=f"mean {mean:.2f}")
        axes.legend(fontsize=8, loc="lower right")
    _segment_rows(axes, [_called(segment, names) for segment in names])
    return figure


def sizes_over_nights(
    nights: Sequence[str], shares: Mapping[int, Sequence[float | None]], names: Mapping[int, str]
) -> Figure:
    """Share of the authors of each segment, night by night.

    Args:
        nights: labels from the oldest to the newest.
        shares: of each segment a night, None where it did not exist.
        names: of the segments.
    """
    figure = _figure(7.2, max(3.4, 1.0 + 0.26 * len(shares)))
    axes = figure.add_subplot()
    if not nights:
        axes.text(0.5, 0.5, "no nights yet", ha="center", va="center", color=INK, transform=axes.transAxes)
    for segment, values in shares.items():
        told = [np.nan if value is None else value for value in values]
        axes.plot(
            range(len(nights)),
            told,
            color=_colour(segment),
            marker=_marker(segment),
            markersize=4,
            linewidth=1.6,
            label=_called(segment, names),
        )
    _tidy(axes, "Sizes of the segments over the nights", "", "share of the authors")
    axes.yaxis.set_major_formatter(_percent)
    axes.set_ylim(bottom=0)
    every = max(1, -(-len(nights) // 8))
    axes.set_xticks(range(0, len(nights), every), list(nights)[::every], fontsize=8)
    axes.set_xlim(-0.5, max(len(nights) - 0.5, 0.5))
    if shares:
        figure.legend(fontsize=8, loc="outside right upper", frameon=False)
    return figure


def author_map(
    x: np.ndarray,
    y: np.ndarray,
    authors: np.ndarray,
    segment: np.ndarray,
    names: Mapping[int, str],
    *,
    explained: tuple[float, float],
    withheld: float | None,
    k_anonymity: int,
) -> Figure:
    """The authors in the plane of their two principal components; a mark is a square of the plane, never one author.

    Args:
        x, y: centres of the squares.
        authors: how many are in each; the marks' area.
        segment: the one most of them belong to; the marks' colour and shape.
        names: of the segments.
        explained: share of the variance that each component holds.
        withheld: share of the authors who are in squares with fewer than `k_anonymity`; None if they are fewer than
            that themselves.
        k_anonymity: see above.
    """
    figure = _figure(7.2, 4.4)
    axes = figure.add_subplot()
    largest = max(1.0, float(authors.max(initial=1)))
    for number in names:
        inside = segment == number
        axes.scatter(
            x[inside],
            y[inside],
            s=8 + 90 * np.sqrt(authors[inside] / largest),
            color=_colour(number),
            marker=_marker(number),
            linewidths=0,
            alpha=0.85,
            label=_called(number, names),
        )
    _tidy(
        axes,
        "Map of the authors",
        f"first principal component ({explained[0]:.0%} of the variance)",
        f"second ({explained[1]:.0%})",
    )
    hidden = f"fewer than {k_anonymity}" if withheld is None else f"{withheld:.0%} of the"
    figure.supxlabel(
        f"A mark is a square with at least {k_anonymity} authors, drawn as their largest segment; "
        f"{hidden} authors are in sparser squares, not shown.",
        fontsize=7.5,
        color=INK,
    )
    if names:
        legend = figure.legend(fontsize=8, loc="outside right upper", frameon=False)
        for handle in legend.legend_handles:
            if handle is not None:
                handle.set_sizes([40.0])  # type: ignore[attr-defined]
    return figure


def sentiment_by_segment(names: Sequence[str], shares: Mapping[str, Sequence[float]]) -> Figure:
    """The mood of each segment's tweets, as a bar of 100 %.

    Args:
        names: the segments.
        shares: "negative", "neutral" and "positive" of each; NaN where not known.
    """
    figure = _figure(6.8, 1.5 + 0.42 * len(names))
    axes = figure.add_subplot()
    left = np.zeros(len(names))
    for label, colour in LABEL_COLOURS.items():
        width = np.nan_to_num(np.array(shares[label], dtype=float))
        axes.barh(range(len(names)), width, left=left, color=colour, label=label, height=0.72)
        for place, part in enumerate(width):
            if part >= 0.06:
                axes.text(
                    left[place] + part / 2,
                    place,
                    f"{part:.0%}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="white" if label == "positive" else "black",
                )
        left += width
    for place in np.flatnonzero(np.isnan(np.array(shares["positive"], dtype=float))).tolist():
        axes.text(0.02, place, "mood not known", va="center", fontsize=8, color=INK)
    _tidy(axes, "Mood of each segment's tweets", "share of the tweets", "")
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(_percent)
    _segment_rows(axes, names)
    figure.legend(fontsize=8, loc="outside lower center", ncols=3, frameon=False)
    return figure


def feature_correlation(features: Sequence[str], values: np.ndarray) -> Figure:
    """Heat map of the correlations (features, features) in -1..1; each pair once."""
    size = 2.6 + 0.38 * len(features)
    figure = _figure(size + 0.8, size)
    axes = figure.add_subplot()
    lower = np.where(np.tri(len(features), dtype=bool), np.nan_to_num(values), np.nan)
    image = axes.imshow(lower, cmap="PuOr_r", vmin=-1, vmax=1)
    axes.set_facecolor(PANEL)
    axes.set_title("How the features go together", color=INK, fontsize=11, loc="left")
    axes.set_xticks(range(len(features)), list(features), rotation=45, ha="right", color=INK, fontsize=8)
    axes.set_yticks(range(len(features)), list(features), color=INK, fontsize=8)
    for row, column in zip(*np.nonzero(np.abs(np.nan_to_num(np.tril(values, -1))) >= 0.1), strict=True):
        value = values[row, column]
        colour = "white" if abs(value) > 0.65 else INK
        axes.text(column, row, f"{value:+.1f}", ha="center", va="center", fontsize=7, color=colour)
    for spine in axes.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("correlation", color=INK, fontsize=8)
    bar.ax.tick_params(colors=INK, labelsize=7)
    return figure


def _percent(share: float, _: object) -> str:
    """40%, but 2.5%: no more digits than a tick has."""
    return f"{round(100 * share, 6):g}%"


def _colour(segment: int) -> str:
    """By a segment's id, so that it has the same colour in every plot and every night."""
    return COLOURS[(segment - 1) % len(COLOURS)]


def _marker(segment: int) -> str:
    """Shapes differ too: where a colour comes again, its shape does not."""
    return "osD^vP"[(segment - 1 + (segment - 1) // len(COLOURS)) % 6]


def _called(segment: int, names: Mapping[int, str]) -> str:
    return f"{segment} {names.get(segment, '')}".strip()


def _segment_rows(axes: Axes, names: Sequence[str]) -> None:
    """The segments from top to bottom."""
    axes.set_yticks(range(len(names)), list(names), fontsize=8)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")


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
