"""What ships of a model: weights in half precision, vocabulary, calibration, checksums.

What belongs here: writing that folder whole or not at all, and reading it back verified. What does not: training,
evaluation, and running the model.

    model.json           sizes, calibration, text preparation, seeds, and the SHA-256 of the other files
    weights.safetensors  float16, matrices as (in, out)
    ranges.safetensors   float32, the ranges of the activations, by which int8 is scaled
    vocab.txt            BERT's uncased WordPiece, one token a line
    evaluation.json      the evaluation report, if there is one
    MODEL_CARD.md        for people
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tweet_profiles.sentiment.calibration import Calibration
from tweet_profiles.sentiment.errors import ModelError
from tweet_profiles.sentiment.text import PREPARATION_VERSION
from tweet_profiles.sentiment.tokens import MAX_TOKENS
from tweet_profiles.settings import project_root

FORMAT = 1
MANIFEST = "model.json"
WEIGHTS = "weights.safetensors"
RANGES = "ranges.safetensors"
VOCABULARY = "vocab.txt"
REPORT = "evaluation.json"
CARD = "MODEL_CARD.md"
LANGUAGES = ("en",)
"""What a model was trained for if its manifest does not tell."""


@dataclass(frozen=True)
class ModelPackage:
    """A verified model folder. `weights` are float32, by the names of `encoder.encoder_weights`."""

    folder: Path
    name: str
    version: str
    weights: Mapping[str, np.ndarray]
    ranges: Mapping[str, np.ndarray]
    calibration: Calibration
    attention_heads: int
    max_tokens: int
    languages: tuple[str, ...] = LANGUAGES
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def vocabulary(self) -> Path:
        """The `vocab.txt`."""
        return self.folder / VOCABULARY


def shipped_folder() -> Path:
    """The model that ships with the project."""
    return project_root() / "models" / "sentiment"


def write_package(
    folder: Path,
    *,
    name: str,
    weights: Mapping[str, np.ndarray],
    ranges: Mapping[str, np.ndarray],
    vocabulary: Path,
    calibration: Calibration,
    attention_heads: int,
    training: Mapping[str, Any],
    languages: Sequence[str] = LANGUAGES,
    documents: Mapping[str, str] | None = None,
) -> Path:
    """Write a model folder beside `folder`, then put it in its place.

    Args:
        folder: where; what was there is replaced as a whole.
        name: of the recipe.
        weights: float32 by name; stored as float16.
        ranges: of the activations, by which int8 is scaled; may be empty, the model then runs in float32 only.
        vocabulary: the `vocab.txt` to copy.
        calibration: fitted on validation data.
        attention_heads: of the encoder; the weights do not tell.
        training: configuration, seeds and curves, kept for the reader.
        languages: ISO 639 codes of those that it was trained for; nothing else is scored.
        documents: further files by name, such as the card and the report.
    """
    from safetensors.numpy import save_file

    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        save_file({key: np.ascontiguousarray(value, np.float16) for key, value in weights.items()}, fresh / WEIGHTS)
        save_file({key: np.ascontiguousarray(value, np.float32) for key, value in ranges.items()}, fresh / RANGES)
        shutil.copyfile(vocabulary, fresh / VOCABULARY)
        for file_name, content in (documents or {}).items():
            (fresh / file_name).write_text(content, encoding="utf-8")
        manifest = {
            "format": FORMAT,
            "name": name,
            "preparation": PREPARATION_VERSION,
            "attention_heads": attention_heads,
            "max_tokens": MAX_TOKENS,
            "languages": list(languages),
            "calibration": asdict(calibration),
            "training": dict(training),
            "sha256": {file_name: _digest(fresh / file_name) for file_name in (VOCABULARY, WEIGHTS, RANGES)},
        }
        (fresh / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        for file in fresh.iterdir():
            file.chmod(0o644)
        fresh.chmod(0o755)
        _replace_folder(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return folder


def _replace_folder(fresh: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.old.{os.getpid()}")
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def read_package(folder: Path | None = None) -> ModelPackage:
    """Read and verify a model folder, by default the shipped one.

    Raises:
        ModelError: if a file is missing, damaged or of another version; the message names the command that mends it.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    folder = folder or shipped_folder()
    remedy = _remedy(folder)
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        known = int(manifest["format"])
        if known != FORMAT or manifest["preparation"] != PREPARATION_VERSION:
            raise ModelError(f"the model in {folder} was made for another version of this package: {remedy}")
        contents = {name: _verified(folder / name, digest, remedy) for name, digest in manifest["sha256"].items()}
        weights = {key: value.astype(np.float32) for key, value in load(contents[WEIGHTS]).items()}
        return ModelPackage(
            folder=folder,
            name=str(manifest["name"]),
            version=f"{manifest['name']}-{_version(manifest)}",
            weights=weights,
            ranges=load(contents[RANGES]),
            calibration=Calibration(**manifest["calibration"]),
            attention_heads=int(manifest["attention_heads"]),
            max_tokens=int(manifest["max_tokens"]),
            languages=tuple(str(language) for language in manifest.get("languages", LANGUAGES)),
            training=manifest["training"],
        )
    except FileNotFoundError as error:
        raise ModelError(f"{error.filename} is missing: {remedy}") from None
    except OSError as error:
        raise ModelError(f"the model in {folder} cannot be read ({error.strerror}): {remedy}") from None
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(f"the model in {folder} is damaged ({error!r}): {remedy}") from None


def _verified(path: Path, digest: str, remedy: str) -> bytes:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ModelError(f"{path} is damaged (its checksum differs): {remedy}")
    return content


def _remedy(folder: Path) -> str:
    if folder == shipped_folder():
        return "restore it with `git checkout -- models`"
    return "give another folder in TWEET_PROFILES_MODEL_DIR, or make it again with `tweet-profiles train`"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _version(manifest: Mapping[str, Any]) -> str:
    """Ten digits that change with anything that can change a score."""
    told = {key: manifest[key] for key in ("preparation", "attention_heads", "max_tokens", "calibration", "sha256")}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:10]
