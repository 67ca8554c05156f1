"""What a user sees when something is wrong: one clear line, a non-zero exit, nothing half-written."""

from pathlib import Path

import pytest

from tweet_profiles.home import Home
from tweet_profiles.settings import project_root
from tweet_profiles_tests.commands.refusals import refused
from tweet_profiles_tests.conftest import Command

pytestmark = pytest.mark.integration

PAGE = (
    '{"data":[{"id":"1","author_id":"2","text":"hello","created_at":"2026-01-01T00:00:00Z"}],'
    '"includes":{"users":[{"id":"2","username":"a","name":"b"}]}}\n'
)


def landed(home: Home) -> list[str]:
    return [path.name for path in home.landing.iterdir()]


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("broken.jsonl", b'{"data": [\n{"half', ["broken.jsonl", "record 1", "its end is missing"]),
        ("empty.jsonl", b"", ["empty.jsonl", "is empty"]),
        ("blank.csv", b"\n \n", ["blank.csv", "is empty"]),
        ("latin.csv", "id,author_id,text,created_at\n1,2,caf\xe9,2026-01-01\n".encode("latin-1"), ["--encoding"]),
        ("columns.csv", b"id,author_id,created_at\n1,2,2026-01-01\n", ["columns.csv", "text", "--column text="]),
        ("nothing.jsonl", b'{"a": 1}\n{"b": 2}\n', ["nothing.jsonl", "no key for id", "keys are a, b", "--column id="]),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused(
    tmp_path: Path, home: Home, command: Command, name: str, content: bytes, parts: list[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    refused(command("import", tmp_path / name), *parts)
    assert landed(home) == []


def test_of_several_files_a_bad_one_stops_the_import_before_any_has_landed(
    tmp_path: Path, home: Home, command: Command
) -> None:
    (tmp_path / "good.jsonl").write_text(PAGE)
    refused(command("import", tmp_path / "good.jsonl", tmp_path / "missing.jsonl"), "missing.jsonl", "is not there")
    assert landed(home) == []


def test_a_bad_line_is_quarantined_with_its_number_and_reason_and_the_rest_lands(
    tmp_path: Path, home: Home, command: Command
) -> None:
    (tmp_path / "mixed.jsonl").write_text(PAGE + '{"data": [{"id": "5"\n' + PAGE.replace('"1"', '"3"'))
    done = command("import", tmp_path / "mixed.jsonl")
    assert "2 landed" in done.stdout and "1 quarantined" in done.stdout
    refused(done, "mixed.jsonl", "1 of 3 records", "line 2: no JSON", str(home.quarantine))
    (file,) = home.quarantine.iterdir()
    assert '"number":2' in file.read_text() and '"reason":"no JSON' in file.read_text()


def test_an_unreachable_mongodb_is_named_without_its_password(tmp_path: Path, home: Home, command: Command) -> None:
    (tmp_path / "good.jsonl").write_text(PAGE)
    command("import", tmp_path / "good.jsonl")
    settings = {
        "MONGODB_URI": "mongodb://user:hunter2@127.0.0.1:9/",
        "TWEET_PROFILES_MONGODB_TIMEOUT_S": "1",
    }
    done = command("segments", **settings)
    refused(done, "MONGODB_URI", "127.0.0.1:9")
    assert "hunter2" not in done.stderr + done.stdout
    failed = command("run", **settings)
    refused(failed, "MONGODB_URI", "127.0.0.1:9")
    assert "hunter2" not in failed.stderr + failed.stdout


def test_a_home_that_cannot_be_made_is_refused(tmp_path: Path, command: Command) -> None:
    (tmp_path / "file").write_text("in the way")
    refused(command("segments", TWEET_PROFILES_HOME=str(tmp_path / "file" / "home")), "TWEET_PROFILES_HOME")
    refused(command("segments", TWEET_PROFILES_HOME="/proc/home"), "/proc/home", "TWEET_PROFILES_HOME")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWEET_PROFILES_BATCH_SIZE", "many"),
        ("TWEET_PROFILES_K_ANONYMITY", "1"),
        ("TWEET_PROFILES_PSEUDONYM_KEY", "short-secret"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_and_its_value_not_shown(
    command: Command, name: str, value: str
) -> None:
    done = command("segments", **{name: value})
    refused(done, name)
    assert done.returncode == 2
    assert "short-secret" not in done.stderr


def test_a_damaged_model_is_one_error_with_the_command_that_mends_it(tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for file in (project_root() / "models" / "sentiment").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    weights = folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    refused(command("score", "hello", TWEET_PROFILES_MODEL_DIR=str(folder)), "weights.safetensors", "checksum", "train")
    weights.unlink()
    refused(command("score", "hello", TWEET_PROFILES_MODEL_DIR=str(folder)), "weights.safetensors", "missing")
