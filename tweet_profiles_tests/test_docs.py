"""The documentation says what the code says."""

import re
import subprocess
import sys
import tomllib

import pytest

from tweet_profiles.settings import project_root

DOCS = project_root() / "docs"
PAGES = [project_root() / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    DOCS.rglob("*.md")
)


@pytest.mark.integration
def test_every_setting_and_command_is_described_and_the_page_of_them_is_current() -> None:
    made = [sys.executable, DOCS / "make_settings.py", "--check"]
    done = subprocess.run(made, cwd=project_root(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_and_every_file_that_a_page_names_is_there(page) -> None:
    text = page.read_text()
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    missing = [link for link in links if link and not (page.parent / link).exists()]
    named = set(re.findall(r"`((?:tweet_profiles|tweet_profiles_tests|docs|deploy|benchmarks)/[\w./-]*\w/?)`", text))
    missing += [name for name in named if not (project_root() / name).exists()]
    assert missing == []


def test_the_architecture_tells_of_every_room() -> None:
    contracts = tomllib.loads((project_root() / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    rooms = [room.strip() for floor in layers for room in floor.split("|")]
    text = (DOCS / "architecture.md").read_text()
    assert [room for room in rooms if f"`{room}`" not in text and f"`{room}/`" not in text] == []
