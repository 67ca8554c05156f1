"""Fine-tuning: presets, batches, the two-headed loss, and a loop that goes on from where it was killed.

What belongs here: everything between labelled examples and trained weights. What does not: reading sources
(`data`), the network (`encoder`), judging the result (`evaluation`), or writing what ships (`package`).
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import structlog

from tweet_profiles.sentiment.data import Examples
from tweet_profiles.sentiment.encoder import build_classifier, encoder_weights
from tweet_profiles.sentiment.errors import ModelError
from tweet_profiles.sentiment.tokens import load_tokenizer, token_ids

log = structlog.get_logger(__name__)

NO_LABEL = -1
Progress = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True)
class TrainingConfig:
    """Hyper-parameters. The defaults are the recipe that ships; `reference()` is the reference design's."""

    name: str = "minilm"
    epochs: int = 2
    batch_size: int = 96
    learning_rate: float = 1.5e-4
    warmup_share: float = 0.06
    weight_decay: float = 0.01
    dropout: float = 0.1
    max_tokens: int = 72
    label_smoothing: float = 0.05
    three_weight: float = 1.5
    subjectivity_weight: float = 0.7
    neutral_subjectivity: float = 0.2
    polar_subjectivity: float = 0.8
    precision: Literal["float32", "mixed_bfloat16"] = "mixed_bfloat16"
    seed: int = 7
    checkpoint_steps: int = 100

    @classmethod
    def reference(cls) -> "TrainingConfig":
        """The reference design's: 20 epochs of batches of 32, Adam at 3e-5, binary cross-entropy."""
        return cls(
            name="reference",
            epochs=20,
            batch_size=32,
            learning_rate=3e-5,
            warmup_share=0.0,
            weight_decay=0.0,
            label_smoothing=0.0,
            three_weight=1.0,
            max_tokens=128,
            precision="float32",
        )


@dataclass
class TrainingReport:
    """What a training run did: its configuration and its curves."""

    config: dict[str, Any]
    steps: int
    curves: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Encoded:
    """Tokenised examples and their targets, row by row."""

    tokens: list[np.ndarray]
    label: np.ndarray
    """int32: 0 negative, 1 neutral, 2 positive, -1 none."""
    has_neutral: np.ndarray
    """float32: 1 where neutral was among the labels to choose from."""
    label_weight: np.ndarray
    subjectivity: np.ndarray
    """float32 target in 0..1."""
    subjectivity_weight: np.ndarray
    repeat: np.ndarray


def encode(frame: pd.DataFrame, vocabulary: Path, config: TrainingConfig) -> Encoded:
    """Tokenise examples and spell out what each teaches.

    Noisy polarity teaches positive against negative only and says nothing of neutral. A three-way label also
    teaches subjectivity a little: neutral is mostly objective.
    """
    tokenizer = load_tokenizer(vocabulary, config.max_tokens)
    index = {"negative": 0, "neutral": 1, "positive": 2}
    label = frame["label"].map(index).fillna(NO_LABEL).to_numpy(np.int32)
    three = (frame["task"] == "three").to_numpy()
    subjective_task = (frame["task"] == "subjectivity").to_numpy()
    subjectivity = np.where(
        subjective_task,
        (frame["label"] == "subjective").to_numpy(),
        np.where(label == 1, config.neutral_subjectivity, config.polar_subjectivity),
    )
    return Encoded(
        tokens=[np.asarray(ids, np.int32) for ids in token_ids(tokenizer, frame["text"].tolist())],
        label=label,
        has_neutral=three.astype(np.float32),
        label_weight=np.where(three, config.three_weight, np.where(subjective_task, 0.0, 1.0)).astype(np.float32),
        subjectivity=subjectivity.astype(np.float32),
        subjectivity_weight=np.where(subjective_task, config.subjectivity_weight, np.where(three, 0.15, 0.0)).astype(
            np.float32
        ),
        repeat=frame["repeat"].to_numpy(),
    )


def epoch_batches(data: Encoded, config: TrainingConfig, epoch: int) -> list[np.ndarray]:
    """Row numbers of each batch of one epoch: shuffled, then sorted by length within windows of 40 batches,
    so that a batch needs little padding. Depends on the seed and the epoch alone, which is what lets a killed
    run go on in the middle of an epoch.
    """
    random = np.random.default_rng((config.seed, epoch))
    rows = np.repeat(np.arange(len(data.tokens)), data.repeat)
    random.shuffle(rows)
    lengths = np.array([len(ids) for ids in data.tokens])
    window = 40 * config.batch_size
    batches = []
    for start in range(0, len(rows), window):
        part = rows[start : start + window]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[i : i + config.batch_size] for i in range(0, len(part), config.batch_size)]
    order = random.permutation(len(batches))
    return [batches[i] for i in order]


def padded(tokens: list[np.ndarray], multiple: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Token ids and padding mask, int32 (batch, tokens), padded to a multiple that limits the shapes met."""
    width = -(-max(len(ids) for ids in tokens) // multiple) * multiple
    ids = np.zeros((len(tokens), width), np.int32)
    mask = np.zeros((len(tokens), width), np.int32)
    for row, sequence in enumerate(tokens):
        ids[row, : len(sequence)] = sequence
        mask[row, : len(sequence)] = 1
    return ids, mask


def learning_rate(step: int, total: int, config: TrainingConfig) -> float:
    """Linear warm-up, then linear decay to zero."""
    warmup = config.warmup_share * total
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    return config.learning_rate * max(0.0, (total - step) / max(1.0, total - warmup))


class Trainer:
    """One training run in one folder; making it again on the same folder goes on from the last checkpoint."""

    def __init__(self, backbone_factory: Callable[[], Any], vocabulary: Path, folder: Path, config: TrainingConfig):
        import keras
        import tensorflow as tf

        self.config, self.folder, self.vocabulary = config, folder, vocabulary
        keras.utils.set_random_seed(config.seed)
        keras.mixed_precision.set_global_policy(config.precision)
        try:
            self.model = build_classifier(backbone_factory(), dropout=config.dropout, seed=config.seed)
        finally:
            keras.mixed_precision.set_global_policy("float32")
        self.optimizer = keras.optimizers.AdamW(config.learning_rate, weight_decay=config.weight_decay)
        self.optimizer.build(self.model.trainable_variables)
        self.step = tf.Variable(0, dtype=tf.int64)
        self.curves: list[dict[str, float]] = []
        checkpoint = tf.train.Checkpoint(model=self.model, optimizer=self.optimizer, step=self.step)
        self.checkpoints = tf.train.CheckpointManager(checkpoint, str(folder / "checkpoints"), max_to_keep=2)
        self._train_step = tf.function(self._step, reduce_retracing=True)

    def resume(self) -> int:
        """Restore the last checkpoint, if there is one; returns the step to go on from."""
        if self.checkpoints.restore_or_initialize() is not None:
            curves = self.folder / "curves.json"
            done = int(self.step.numpy())
            if curves.exists():
                self.curves = [point for point in json.loads(curves.read_text()) if point["step"] <= done]
            log.info("training goes on from its checkpoint", step=done)
        return int(self.step.numpy())

    def _step(
        self, ids: Any, mask: Any, label: Any, has_neutral: Any, weight: Any, target: Any, target_weight: Any
    ) -> Any:
        import tensorflow as tf

        smoothing = self.config.label_smoothing
        with tf.GradientTape() as tape:
            logits = self.model(
                {"token_ids": ids, "segment_ids": tf.zeros_like(ids), "padding_mask": mask}, training=True
            )
            # Where neutral was not on offer its logit takes no part: positive against negative alone.
            offered = tf.stack([tf.ones_like(has_neutral), has_neutral, tf.ones_like(has_neutral)], axis=1)
            masked = logits[:, :3] + (offered - 1.0) * 1e4
            log_share = tf.nn.log_softmax(masked)
            hot = tf.one_hot(tf.maximum(label, 0), 3)
            soft = hot * (1 - smoothing) + smoothing * offered / tf.reduce_sum(offered, axis=1, keepdims=True)
            polarity = -tf.reduce_sum(soft * tf.where(offered > 0, log_share, 0.0), axis=1) * weight
            subjectivity = tf.nn.sigmoid_cross_entropy_with_logits(target, logits[:, 3]) * target_weight
            loss = tf.reduce_mean(polarity + subjectivity)
        gradients = tape.gradient(loss, self.model.trainable_variables)
        gradients, _ = tf.clip_by_global_norm(gradients, 1.0)
        self.optimizer.apply_gradients(zip(gradients, self.model.trainable_variables, strict=True))
        right = tf.cast(tf.equal(tf.argmax(masked, axis=1, output_type=tf.int32), label), tf.float32)
        counted = tf.cast(weight > 0, tf.float32)
        return loss, tf.reduce_sum(right * counted), tf.reduce_sum(counted)

    def run(
        self,
        examples: Examples,
        validate: Callable[[Any], dict[str, float]] | None = None,
        progress: Progress | None = None,
    ) -> TrainingReport:
        """Train to the end, from wherever the folder's last checkpoint is.

        Raises:
            ModelError: if the folder holds the training of another recipe or other data.
        """
        data = encode(examples.part("train"), self.vocabulary, self.config)
        epochs = [epoch_batches(data, self.config, epoch) for epoch in range(self.config.epochs)]
        total = sum(len(batches) for batches in epochs)
        self._claim(data)
        done = self.resume()
        sums = np.zeros(3)
        for step, rows in _skip(epochs, done):
            self.optimizer.learning_rate.assign(learning_rate(step, total, self.config))
            ids, mask = padded([data.tokens[row] for row in rows])
            outcome = self._train_step(
                ids,
                mask,
                data.label[rows],
                data.has_neutral[rows],
                data.label_weight[rows],
                data.subjectivity[rows],
                data.subjectivity_weight[rows],
            )
            sums += [float(value) for value in outcome]
            self.step.assign(step + 1)
            if (step + 1) % self.config.checkpoint_steps == 0 or step + 1 == total:
                since = (step % self.config.checkpoint_steps) + 1
                point = {"step": step + 1, "loss": sums[0] / since, "accuracy": sums[1] / max(1.0, sums[2])}
                sums = np.zeros(3)
                if validate is not None and (
                    (step + 1) % (10 * self.config.checkpoint_steps) == 0 or step + 1 == total
                ):
                    point |= validate(self.model)
                self.curves.append(point)
                self._save()
                if progress is not None:
                    progress(step + 1, total, point)
        return TrainingReport(config=asdict(self.config), steps=total, curves=self.curves)

    def _claim(self, data: Encoded) -> None:
        """Going on with a checkpoint of other data or another recipe would make a model that nothing describes."""
        digest = hashlib.sha256(json.dumps(asdict(self.config), sort_keys=True).encode())
        for column in (np.concatenate(data.tokens), data.label, data.subjectivity, data.repeat):
            digest.update(np.ascontiguousarray(column).tobytes())
        claim = self.folder / "training.sha256"
        if claim.exists() and claim.read_text() != digest.hexdigest():
            raise ModelError(
                f"{self.folder} holds a training of another recipe or other data: delete it, or name another --work"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        claim.write_text(digest.hexdigest())

    def _save(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "curves.json").write_text(json.dumps(self.curves))
        self.checkpoints.save()

    def weights(self) -> dict[str, np.ndarray]:
        """The trained weights by name, float32."""
        return encoder_weights(self.model)


def _skip(epochs: list[list[np.ndarray]], done: int) -> Iterator[tuple[int, np.ndarray]]:
    batches = (rows for epoch in epochs for rows in epoch)
    for step, rows in enumerate(batches):
        if step >= done:
            yield step, rows


def predict_logits(model: Any, frame: pd.DataFrame, vocabulary: Path, max_tokens: int, batch: int = 256) -> np.ndarray:
    """Logits of prepared texts, float32 (rows, 4), by the Keras model, in batches of like length."""
    tokenizer = load_tokenizer(vocabulary, max_tokens)
    tokens = [np.asarray(ids, np.int32) for ids in token_ids(tokenizer, frame["text"].tolist())]
    order = np.argsort([len(ids) for ids in tokens], kind="stable")
    logits = np.empty((len(tokens), 4), np.float32)
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        ids, mask = padded([tokens[row] for row in rows], multiple=8)
        logits[rows] = model(
            {"token_ids": ids, "segment_ids": np.zeros_like(ids), "padding_mask": mask}, training=False
        )
    return logits
