"""Draw docs/rooms.png: the rooms on the floors that pyproject.toml gives them, with the imports read from the code.

python docs/make_pictures.py
"""

import tomllib
from collections import Counter
from pathlib import Path

import grimp
import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = "tweet_profiles"
TARGET = PROJECT / "docs" / "rooms.png"
ROOM, SMALL = "#dbe9f6", "#eeeeee"
WIDTH, HEIGHT, STEP = 2.2, 0.62, 1.3


def floors() -> list[list[str]]:
    """The rooms of each floor, the top one first."""
    tool = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]
    layers = next(contract["layers"] for contract in tool["importlinter"]["contracts"] if contract["type"] == "layers")
    return [[room.strip() for room in floor.split("|")] for floor in layers]


def imports() -> Counter[tuple[str, str]]:
    """How many modules of a room import something of another room directly."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    found: Counter[tuple[str, str]] = Counter()
    for module in graph.modules - {PACKAGE}:
        room = module.split(".")[1]
        others = {name.split(".")[1] for name in graph.find_modules_directly_imported_by(module) if "." in name}
        found.update((room, other) for other in others - {room})
    return found


def places(rooms: list[list[str]]) -> dict[str, tuple[float, float]]:
    """Where the middle of each room is drawn; rooms that have a floor alone go left and right of the middle in turn."""
    alone = 0
    where = {}
    for number, floor in enumerate(rooms):
        alone += len(floor) == 1
        shift = (1.5 if alone % 2 else -1.5) if len(floor) == 1 and number else 0.0
        for at, room in enumerate(floor):
            where[room] = (5.0 * (at - (len(floor) - 1) / 2) + shift, -STEP * number)
    return where


def box(axes: Axes, text: str, middle: tuple[float, float], width: float, colour: str) -> None:
    """One labelled box."""
    corner = (middle[0] - width / 2, middle[1] - HEIGHT / 2)
    shape = FancyBboxPatch(
        corner, width, HEIGHT, boxstyle="round,pad=0.02,rounding_size=0.12", facecolor=colour, edgecolor="#555555"
    )
    shape.set(linewidth=0.8, zorder=2)
    axes.add_patch(shape)
    axes.text(*middle, text, ha="center", va="center", fontsize=10, zorder=3)


def main() -> None:
    """Draw it."""
    mpl.use("Agg")
    every = [room for floor in floors() for room in floor]
    small = [room for room in every if not (PROJECT / PACKAGE / room).is_dir()]
    rooms = [floor for floor in floors() if not set(floor) & set(small)]
    where, edges = places(rooms), imports()
    figure, axes = plt.subplots(figsize=(8.5, 8.5))
    for (importer, imported), modules in edges.items():
        if importer not in where or imported not in where:
            continue
        (x, y), (to_x, to_y) = where[importer], where[imported]
        arrow = FancyArrowPatch(
            (x, y - HEIGHT / 2),
            (to_x, to_y + HEIGHT / 2),
            arrowstyle="-|>",
            mutation_scale=11,
            connectionstyle=f"arc3,rad={0.05 if to_x > x else -0.05}",
            linewidth=0.6 + 0.25 * min(modules, 8),
            color="#3b6ea5",
            alpha=0.55,
            zorder=1,
        )
        axes.add_patch(arrow)
    for room, middle in where.items():
        box(axes, room, middle, WIDTH, ROOM)
    bottom = -STEP * len(rooms)
    box(axes, "all may use:  " + "  ".join(sorted(small)), (0, bottom), 10.2, SMALL)
    axes.set_xlim(-5.2, 5.2)
    axes.set_ylim(bottom - 0.6, 0.7)
    axes.axis("off")
    figure.savefig(TARGET, dpi=100, bbox_inches="tight", metadata={"Software": None})


if __name__ == "__main__":
    main()
