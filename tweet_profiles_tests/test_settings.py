"""Where settings come from: the same for every command and every working directory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tweet_profiles.errors import SettingError
from tweet_profiles.home import Home
from tweet_profiles.settings import (
    DEMO_MARK,
    current_home,
    default_home,
    demo_home,
    env_files,
    load_settings,
    project_env_file,
    project_root,
)
from tweet_profiles.sources.x.config import faults_of_environment, load_x_settings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The `.env` of the project, empty, in a folder that is not the current one."""
    file = tmp_path / "project" / ".env"
    file.parent.mkdir()
    file.touch()
    monkeypatch.setenv("TWEET_PROFILES_ENV_FILE", str(file))
    return file


def test_by_default_the_projects_file_is_beside_pyproject(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TWEET_PROFILES_ENV_FILE")
    assert project_env_file() == project_root() / ".env"
    monkeypatch.delenv("TWEET_PROFILES_HOME")
    monkeypatch.setenv("TWEET_PROFILES_ENV_FILE", "")
    assert project_env_file() is None and current_home() == default_home()


def test_the_environment_wins_over_the_homes_file_and_that_over_the_projects(
    project: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write_text("TWEET_PROFILES_BATCH_SIZE=11\nTWEET_PROFILES_NIGHTS_KEPT=11\nTWEET_PROFILES_K_ANONYMITY=11\n")
    (home.root / ".env").write_text("TWEET_PROFILES_BATCH_SIZE=22\nTWEET_PROFILES_NIGHTS_KEPT=22\n")
    monkeypatch.setenv("TWEET_PROFILES_BATCH_SIZE", "33")
    settings = load_settings()
    assert (settings.batch_size, settings.nights_kept, settings.k_anonymity) == (33, 22, 11)
    assert env_files() == [project, home.root / ".env"]


def test_the_settings_of_x_come_from_the_same_files(project: Path, home: Home) -> None:
    project.write_text("X_BEARER_TOKEN=project\nTWEET_PROFILES_X_HANDLES=norvella\n")
    (home.root / ".env").write_text("X_BEARER_TOKEN=own\n")
    config = load_x_settings()
    assert config.token == "own" and config.handles == ("norvella",)


def test_a_file_in_the_current_directory_does_not_count(home: Home, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TWEET_PROFILES_BATCH_SIZE=44\n")
    code = "from tweet_profiles.settings import load_settings; print(load_settings().batch_size)"
    for folder in (tmp_path, Path("/")):
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=folder, env={**os.environ, "PYTHONPATH": str(project_root())},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == "1000"


def test_the_projects_file_may_name_the_home_relative_to_itself_and_the_homes_file_may_not(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TWEET_PROFILES_HOME")
    project.write_text("TWEET_PROFILES_HOME=brand\nTWEET_PROFILES_MODEL_DIR=models/other\n")
    settings = load_settings()
    assert settings.home == project.parent / "brand" and settings.model_dir == project.parent / "models/other"
    Home.open(settings.home)
    (settings.home / ".env").write_text("TWEET_PROFILES_HOME=/elsewhere\n")
    with pytest.raises(SettingError, match="cannot name another one"):
        load_settings()


def test_a_named_file_that_is_not_there_and_one_that_cannot_be_read_are_told(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.root / ".env").write_bytes(b"TWEET_PROFILES_TIME_ZONE=\xff\n")
    with pytest.raises(SettingError, match=r"home/\.env cannot be read \(it is not UTF-8\)"):
        load_settings()
    (home.root / ".env").unlink()
    monkeypatch.setenv("TWEET_PROFILES_ENV_FILE", str(tmp_path / "gone.env"))
    with pytest.raises(SettingError, match=r"TWEET_PROFILES_ENV_FILE: .*gone\.env is not there"):
        load_settings()


def test_no_setting_leads_out_of_the_demos_home(home: Home, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write_text("MONGODB_URI=mongodb://brand.example/\nX_BEARER_TOKEN=brand\nTWEET_PROFILES_X_HANDLES=brand\n")
    monkeypatch.setenv("TWEET_PROFILES_PSEUDONYM_KEY", "b" * 32)
    own = load_settings()
    assert own.mongodb_uri is not None and faults_of_environment() == []
    demo = Home.open(demo_home(home.root))
    (demo.root / DEMO_MARK).touch()
    monkeypatch.setenv("TWEET_PROFILES_HOME", str(demo.root))
    settings = load_settings()
    assert settings.home == demo.root != home.root
    assert settings.mongodb_uri is None and settings.pseudonym_key is None
    assert "the demo's home" in faults_of_environment()[0]


def test_an_empty_uri_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", " ")
    assert load_settings().mongodb_uri is None
