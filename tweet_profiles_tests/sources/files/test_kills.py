from pathlib import Path

import pytest

from tweet_profiles_tests.sources.files.kills import run


@pytest.mark.integration
def test_imports_that_are_killed_and_started_again_leave_what_one_leaves_that_never_was(tmp_path: Path) -> None:
    assert len(run(kills=3, rows=20_000, folder=tmp_path, seed=1)) == 3
