"""What ships of a model: read back as written, and one clear error for whatever is wrong with it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tweet_profiles.sentiment.calibration import Calibration
from tweet_profiles.sentiment.errors import ModelError
from tweet_profiles.sentiment.package import MANIFEST, read_package, shipped_folder, write_package

MAX_SHIPPED_BYTES = 50_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    return write_package(
        tmp_path / "model",
        name="tiny",
        weights={"heads.kernel": np.arange(8, dtype=np.float32).reshape(2, 4)},
        ranges={"x": np.array([1.5], np.float32)},
        vocabulary=tmp_path / "vocab.txt",
        calibration=Calibration(),
        attention_heads=2,
        training={"seed": 7},
        documents={"MODEL_CARD.md": "# a card"},
    )


def test_a_package_is_read_back_as_it_was_written(folder: Path) -> None:
    package = read_package(folder)
    assert package.name == "tiny" and package.attention_heads == 2 and package.training == {"seed": 7}
    assert package.weights["heads.kernel"].dtype == np.float32
    assert package.weights["heads.kernel"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert package.ranges["x"].tolist() == [1.5]


def test_the_languages_that_a_model_was_trained_for_are_kept_and_are_english_if_it_does_not_tell(folder: Path) -> None:
    package = read_package(folder)
    assert package.languages == ("en",)
    write_package(
        folder,
        name="two",
        weights=dict(package.weights),
        ranges={},
        vocabulary=folder / "vocab.txt",
        calibration=Calibration(),
        attention_heads=2,
        training={},
        languages=("en", "de"),
    )
    assert read_package(folder).languages == ("en", "de")
    manifest = json.loads((folder / MANIFEST).read_text())
    del manifest["languages"]
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert read_package(folder).languages == ("en",)


def test_what_is_written_replaces_the_old_folder_whole_and_leaves_nothing_beside_it(folder: Path) -> None:
    (folder / "left over").write_text("x")
    package = read_package(folder)
    write_package(
        folder,
        name="next",
        weights=dict(package.weights),
        ranges={},
        vocabulary=folder.parent / "vocab.txt",
        calibration=Calibration(),
        attention_heads=2,
        training={},
    )
    assert read_package(folder).name == "next" and not (folder / "left over").exists()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["model", "vocab.txt"]


def test_the_version_changes_with_what_can_change_a_score_and_with_nothing_else(folder: Path) -> None:
    version = read_package(folder).version
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "training": {"seed": 8}}))
    assert read_package(folder).version == version
    manifest["calibration"]["temperature"] = 2.0
    (folder / MANIFEST).write_text(json.dumps(manifest))
    assert read_package(folder).version != version


@pytest.mark.parametrize("name", ["weights.safetensors", "ranges.safetensors", "vocab.txt", MANIFEST])
def test_a_missing_file_is_named_with_what_to_do(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name} is missing: .*TWEET_PROFILES_MODEL_DIR"):
        read_package(folder)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_one_wrong_byte_in_any_file_of_the_model_is_noticed(folder: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(["weights.safetensors", "ranges.safetensors", "vocab.txt"]))
    content = bytearray((folder / name).read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[place] ^= data.draw(st.integers(1, 255))
    (folder / name).write_bytes(changed)
    try:
        with pytest.raises(ModelError, match=f"{name} is damaged"):
            read_package(folder)
    finally:
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 99, "preparation": "1"}'])
def test_a_manifest_that_makes_no_sense_is_a_model_error(folder: Path, content: str) -> None:
    (folder / MANIFEST).write_text(content)
    with pytest.raises(ModelError, match=r"damaged|another version"):
        read_package(folder)


def test_the_shipped_model_is_sound_and_small_enough() -> None:
    package = read_package()
    assert sum(file.stat().st_size for file in shipped_folder().iterdir()) <= MAX_SHIPPED_BYTES
    assert package.ranges and (shipped_folder() / "MODEL_CARD.md").is_file()


def test_a_damaged_shipped_model_is_mended_by_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    copy = tmp_path / "models" / "sentiment"
    copy.parent.mkdir()
    shutil.copytree(shipped_folder(), copy)
    (copy / "vocab.txt").write_text("cut")
    monkeypatch.setattr("tweet_profiles.sentiment.package.project_root", lambda: tmp_path)
    with pytest.raises(ModelError, match="git checkout -- models"):
        read_package()
