"""Tweets scored a second: the reference way, Hugging Face transformers, and ours, side by side in one run.

    .venv/bin/python benchmarks/scoring.py [TEXTS]

TEXTS is a file with a text a line; without it the sample generator's tweets are used. The same distinct 2,000 texts are
scored by each way, tokenisation included, in turns, and the best of the rounds counts, since the machine is noisy:

- reference: TensorFlow/Keras, every text padded to 128 tokens, batches of 32;
- transformers: its text-classification pipeline on PyTorch, the same encoder weights, with its defaults and with
  batches of 32; in a virtual environment of its own under .build/, made on the first run;
- ours in float32 and in int8, and in int8 with the question before it which tweets the model can read, their language
  told or detected.

The last line is one JSON object.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from tweet_profiles.sentiment.package import ModelPackage, read_package
from tweet_profiles.sentiment.scoring import load_scorer, score_tweets
from tweet_profiles.sentiment.text import prepare
from tweet_profiles.sentiment.tokens import load_tokenizer, token_ids
from tweet_profiles.settings import project_root
from tweet_profiles.sources.sample import pages

TEXTS = 2000
ROUNDS = 3
PADDED_TO = 128
BATCH = 32
ENVIRONMENT = project_root() / ".build" / "transformers"
PACKAGES = ("torch==2.13.0", "transformers==5.23.0")

_PIPELINE = """
import json, sys, time
import torch
from transformers import pipeline
texts = json.load(open(sys.argv[2]))
torch.set_num_threads(int(sys.argv[3]))
classify = pipeline("text-classification", model=sys.argv[1], device=-1)
options = {"truncation": True, "max_length": 128}
classify(texts[:64], **options)
best = {}
for _ in range(int(sys.argv[4])):
    for name, more in (("default", {}), ("batch 32", {"batch_size": 32})):
        start = time.perf_counter()
        classify(texts, **more, **options)
        best[name] = max(best.get(name, 0), len(texts) / (time.perf_counter() - start))
print(json.dumps(best))
"""


def main() -> None:
    """Measure and print."""
    texts = given_texts()
    package = read_package()
    ways: dict[str, Callable[[], object]] = {"reference": reference(package, texts)}
    for backend in ("float32", "int8"):
        scorer = load_scorer(backend=backend)
        ways[f"ours {backend}"] = lambda scorer=scorer: scorer.score(texts)
    # As the pipeline scores: which tweets the model can read is asked first.
    for name, language in (("told", "en"), ("detected", None)):
        ways[f"ours int8, {name}"] = lambda language=language: score_tweets(scorer, texts, [language] * len(texts))
    rates = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            rates[name] = max(rates[name], len(texts) / (time.perf_counter() - start))
    rates |= {f"transformers {name}": rate for name, rate in transformers_rates(package, texts).items()}
    for name, rate in sorted(rates.items(), key=lambda pair: pair[1]):
        print(f"{name:24} {rate:8.0f} tweets/s")
    best_of_theirs = max(rate for name, rate in rates.items() if name.startswith("transformers"))
    figures = {
        "speedup_vs_reference": round(rates["ours int8"] / rates["reference"], 2),
        "speedup_vs_transformers": round(rates["ours int8"] / best_of_theirs, 2),
        "tweets_per_s": round(rates["ours int8"]),
        "language_told_over_scores_alone": round(rates["ours int8, told"] / rates["ours int8"], 2),
        "language_detected_over_scores_alone": round(rates["ours int8, detected"] / rates["ours int8"], 2),
        "int8_over_float32": round(rates["ours int8"] / rates["ours float32"], 2),
        "mean_tokens": round(mean_tokens(package, texts), 1),
    }
    print(json.dumps(figures))


def given_texts() -> list[str]:
    """The distinct texts to score."""
    if len(sys.argv) > 1:
        every = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    else:
        every = [tweet["text"] for page in pages(7, 9000) for tweet in page["data"]]
    distinct = list({prepare(text): text for text in every if prepare(text)}.values())[:TEXTS]
    print(f"{len(distinct)} distinct texts")
    return distinct


def mean_tokens(package: ModelPackage, texts: list[str]) -> float:
    """Tokens a text, with [CLS] and [SEP]."""
    ids = token_ids(load_tokenizer(package.vocabulary, PADDED_TO), [prepare(text) for text in texts])
    return float(np.mean([len(sequence) for sequence in ids]))


def reference(package: ModelPackage, texts: list[str]) -> Callable[[], object]:
    """The reference design's way: fixed length, small batches, TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    from tweet_profiles.sentiment.encoder import classifier_from_weights

    model = classifier_from_weights(package.weights, package.attention_heads)
    tokenizer = load_tokenizer(package.vocabulary, PADDED_TO)
    forward = tf.function(lambda ids, mask: model(
        {"token_ids": ids, "segment_ids": tf.zeros_like(ids), "padding_mask": mask}, training=False
    ))  # fmt: skip

    def run() -> None:
        for start in range(0, len(texts), BATCH):
            ids = np.zeros((BATCH, PADDED_TO), np.int32)
            mask = np.zeros((BATCH, PADDED_TO), np.int32)
            for row, sequence in enumerate(token_ids(tokenizer, [prepare(t) for t in texts[start : start + BATCH]])):
                ids[row, : len(sequence)] = sequence
                mask[row, : len(sequence)] = 1
            forward(ids, mask).numpy()

    forward(np.zeros((BATCH, PADDED_TO), np.int32), np.ones((BATCH, PADDED_TO), np.int32))
    return run


def transformers_rates(package: ModelPackage, texts: list[str]) -> dict[str, float]:
    """Tweets a second of transformers' pipeline, by way."""
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / ".installed").exists():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
        (ENVIRONMENT / ".installed").touch()
    with tempfile.TemporaryDirectory() as folder:
        write_for_transformers(package, Path(folder))
        # No work that ours is spared: the texts are prepared already.
        (Path(folder) / "texts.json").write_text(json.dumps([prepare(text) for text in texts]))
        cores = str(len(os.sched_getaffinity(0)))
        command = [python, "-c", _PIPELINE, folder, f"{folder}/texts.json", cores, str(ROUNDS)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    rates: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return rates


def write_for_transformers(package: ModelPackage, folder: Path) -> None:
    """The encoder as BertForSequenceClassification; its pooler and classifier, which we have not, are drawn."""
    weights = package.weights
    hidden = weights["token_embedding"].shape[1]
    named = {
        "bert.embeddings.word_embeddings.weight": weights["token_embedding"],
        "bert.embeddings.position_embeddings.weight": weights["position_embedding"],
        "bert.embeddings.token_type_embeddings.weight": weights["segment_embedding"],
        "bert.embeddings.LayerNorm.weight": weights["embedding_norm.gamma"],
        "bert.embeddings.LayerNorm.bias": weights["embedding_norm.beta"],
    }
    layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("layer."))
    dense = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "attention_output": "attention.output.dense",
        "intermediate": "intermediate.dense",
        "output": "output.dense",
    }
    norms = {"attention_norm": "attention.output.LayerNorm", "output_norm": "output.LayerNorm"}
    for number in range(layers):
        ours, theirs = f"layer.{number}", f"bert.encoder.layer.{number}"
        for name, other in dense.items():
            named[f"{theirs}.{other}.weight"] = weights[f"{ours}.{name}.kernel"].T
            named[f"{theirs}.{other}.bias"] = weights[f"{ours}.{name}.bias"]
        for name, other in norms.items():
            named[f"{theirs}.{other}.weight"] = weights[f"{ours}.{name}.gamma"]
            named[f"{theirs}.{other}.bias"] = weights[f"{ours}.{name}.beta"]
    random = np.random.default_rng(0)
    named["bert.pooler.dense.weight"] = random.normal(size=(hidden, hidden)) / hidden
    named["bert.pooler.dense.bias"] = np.zeros(hidden)
    named["classifier.weight"] = random.normal(size=(2, hidden)) / hidden
    named["classifier.bias"] = np.zeros(2)
    save_file(
        {name: np.ascontiguousarray(value, np.float32) for name, value in named.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    config = {
        "model_type": "bert",
        "architectures": ["BertForSequenceClassification"],
        "vocab_size": len(weights["token_embedding"]),
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": package.attention_heads,
        "intermediate_size": len(weights["layer.0.intermediate.bias"]),
        "max_position_embeddings": len(weights["position_embedding"]),
        "num_labels": 2,
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.txt").write_bytes(package.vocabulary.read_bytes())
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizerFast"}))


if __name__ == "__main__":
    main()
