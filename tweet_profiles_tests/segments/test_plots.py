"""The plots of segments: small, drawn whatever is missing, and never a single author in them."""

import io
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from tweet_profiles import plots
from tweet_profiles.orchestration.assets import customer_clusters, scaled_features
from tweet_profiles.segments.features import build_features, matrix_of
from tweet_profiles.segments.kmeans import assign
from tweet_profiles.segments.views import author_map, correlation, silhouette_curves
from tweet_profiles_tests.segments.made import clustered, made_profiles

NAN = float("nan")
LONG = "Far-reaching, long-standing, link-sharing conversationalists"


def opened(png: bytes) -> Image.Image:
    assert len(png) <= plots.MAX_BYTES
    return Image.open(io.BytesIO(png))


def test_the_plots_of_a_clustering_are_each_below_a_hundred_kilobytes() -> None:
    profiles = made_profiles(700, 51)
    matrix = build_features(profiles)
    result = clustered(profiles, k=12, k_min=12, k_max=12)
    night = {
        "created": datetime(2026, 5, 1, tzinfo=UTC),
        "authors": len(profiles),
        "shares": {str(segment.segment): segment.share for segment in result.segments},
        "names": {str(segment.segment): segment.name for segment in result.segments},
    }
    drawn = customer_clusters.figures(result, matrix_of(matrix.frame)[0], [night] * 30, 5, 7)
    assert set(drawn) == {
        "elbow",
        "fingerprint",
        "sizes",
        "sentiment",
        "silhouettes",
        "author_map",
        "sizes_over_nights",
    }
    for png in [*drawn.values(), scaled_features.correlation_plot(matrix)]:
        assert opened(png).width > 500


@pytest.mark.parametrize(
    "figure",
    [
        plots.silhouettes({1: "all"}, [[0.1, 0.2]], 0.15),
        plots.silhouettes({1: LONG, 40: "few"}, [[-0.1, 0.3], []], None),
        plots.silhouettes({1: "all"}, [[]], NAN),
        plots.sizes_over_nights([], {}, {}),
        plots.sizes_over_nights(["01 May"], {1: [1.0]}, {1: LONG}),
        plots.sizes_over_nights(["01 May", "02 May"], {1: [0.5, None], 2: [None, 0.2]}, {}),
        plots.sentiment_by_segment(["1 all"], {"negative": [0.2], "neutral": [0.3], "positive": [0.5]}),
        plots.sentiment_by_segment(["1 all"], {"negative": [NAN], "neutral": [NAN], "positive": [NAN]}),
        plots.sentiment_by_segment([], {"negative": [], "neutral": [], "positive": []}),
        plots.feature_correlation(["followers"], np.eye(1)),
        plots.feature_correlation(["followers", "posts"], np.array([[1, NAN], [NAN, 1]])),
        plots.segment_sizes(["1 all"], {"authors": [1.0], "negative": [0.2], "neutral": [0.3], "positive": [0.5]}),
        plots.fingerprint(["1 all"], ["followers"], np.zeros((1, 1))),
    ],
)
def test_a_plot_of_one_segment_of_no_night_or_of_missing_values_is_drawn(figure: Figure) -> None:
    assert opened(plots.png_bytes(figure)).height > 100


@pytest.mark.parametrize("shape", [(300, 4), (300, 1), (3, 4), (0, 4)])
def test_a_map_is_drawn_of_one_feature_of_few_authors_and_of_none(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(1).normal(size=shape)
    made = author_map(matrix, np.ones(len(matrix), int), 5)
    figure = plots.author_map(
        made.x,
        made.y,
        made.authors,
        made.segment,
        {1: "all"},
        explained=made.explained,
        withheld=made.withheld,
        k_anonymity=5,
    )
    assert opened(plots.png_bytes(figure)).height > 100
    left = len(matrix) - int(made.authors.sum())
    assert made.withheld == (None if 0 < left < 5 else pytest.approx(left / max(1, len(matrix))))
    assert correlation(matrix).shape == (shape[1], shape[1])


@given(st.integers(0, 400), st.integers(2, 30), st.integers(0, 1000))
def test_no_mark_on_the_map_is_of_fewer_authors_than_the_threshold(authors: int, k: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).standard_t(2, size=(authors, 3))
    made = author_map(matrix, np.arange(authors) % 3, k)
    assert (made.authors >= k).all()
    assert len(made.x) == len(made.y) == len(made.authors) == len(made.segment)


def test_silhouettes_of_too_few_authors_are_withheld() -> None:
    random = np.random.default_rng(2)
    matrix = np.concatenate([random.normal(0, 1, (60, 3)), random.normal(9, 1, (4, 3))])
    curves = silhouette_curves(matrix, np.repeat([7, 3], [60, 4]), [7, 3], 5, seed=1)
    assert len(curves[7]) > 20 and len(curves[3]) == 0
    assert (np.diff(curves[7]) >= 0).all() and curves[7][0] >= -1 and curves[7][-1] <= 1
    assert all(len(curve) == 0 for curve in silhouette_curves(matrix, np.ones(64, int), [1], 5, seed=1).values())


def test_authors_at_their_centre_fit_better_than_those_on_a_border() -> None:
    matrix = np.random.default_rng(3).normal(size=(500, 2))
    matrix[:250] += 6
    labels, _ = assign(matrix, np.array([[6.0, 6.0], [0.0, 0.0]]))
    apart = silhouette_curves(matrix, labels, [0, 1], 5, seed=1)
    near = silhouette_curves(matrix[250:], (matrix[250:, 0] > 0).astype(int), [0, 1], 5, seed=1)
    assert min(np.median(curve) for curve in apart.values()) > max(np.median(curve) for curve in near.values())


def test_figures_leave_nothing_behind_in_the_process() -> None:
    from matplotlib import _pylab_helpers

    plots.png_bytes(plots.sizes_over_nights([], {}, {}))
    assert not _pylab_helpers.Gcf.get_all_fig_managers()


def test_every_panel_is_light_so_that_it_reads_on_a_dark_page() -> None:
    picture = opened(plots.png_bytes(plots.feature_correlation(["followers", "posts"], np.eye(2)))).convert("L")
    assert min(int(picture.getpixel((x, y))) for x, y in ((0, 0), (picture.width - 1, picture.height - 1))) > 240  # type: ignore[arg-type]


def test_a_night_in_which_a_segment_was_too_small_to_show_is_not_drawn() -> None:
    night = {"created": datetime(2026, 5, 1, tzinfo=UTC), "authors": 100, "names": {"1": "Fans", "2": "Sceptics"}}
    nights = [{**night, "shares": {"1": 0.97, "2": 0.03}}, {**night, "shares": {"1": 0.5, "2": 0.5}}]
    figure = customer_clusters.sizes_over_nights(nights, 5)
    drawn = {str(line.get_label()): line.get_ydata() for line in figure.axes[0].get_lines()}
    (sceptics,) = (values for name, values in drawn.items() if "Sceptics" in name)
    assert np.isnan(sceptics[1]) and sceptics[0] == 0.5
