"""The sentiment benchmark: its metric, its embedding and its reading of the shared data."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from benchmarks.embeddings import are_kept, chunks_of, embedded
from benchmarks.minilm import MiniLm, gelu, parse_safetensors
from benchmarks.packages import MissingYardstickError
from benchmarks.sentiment import Comments, by_shipped_scorer, by_vader, macro_f1, read_comments

PRAISE = ["great work, thank you", "this is great, love it", "thanks a lot, great", "lovely, works great"]
BLAME = ["this is broken and awful", "awful, broken again", "terrible and awful", "broken, terrible"]
PLAIN = ["how do I export data", "where is the export page", "how do I add a page", "where do I export"]


def test_macro_f1_is_that_of_scikit_learn_for_any_weights():
    """The weighted figure equals scikit-learn's on the rows repeated as often as they weigh."""
    generator = np.random.default_rng(1)
    label, predicted = generator.integers(0, 3, 80), generator.integers(0, 3, 80)
    weight = generator.integers(0, 4, (2, 80)).astype(float)
    found = macro_f1(label, predicted, weight)
    for row in range(2):
        times = weight[row].astype(int)
        again = f1_score(np.repeat(label, times), np.repeat(predicted, times), average="macro")
        assert found[row] == pytest.approx(again)


def test_scorers_label_plain_cases():
    """VADER and the trained scorer tell praise from blame on texts like those that they know."""
    texts = tuple((BLAME + PLAIN + PRAISE) * 3)
    comments = Comments(texts, np.tile(np.repeat([0, 1, 2], 4), 3), np.array(["github"] * 36))
    assert by_vader(Comments((PRAISE[1], BLAME[0]), np.array([2, 0]), np.array(["github"] * 2))).tolist() == [
        2,
        0,
    ]
    assert (by_shipped_scorer(comments, comments, 0) == comments.label).all()


def test_gelu_is_the_exact_one():
    """The fast form lies within a millionth of value times the normal distribution function."""
    from scipy.stats import norm  # noqa: PLC0415 - only here

    value = np.linspace(-9, 9, 2001, dtype=np.float32)
    assert np.abs(gelu(value) - value * norm.cdf(value.astype(float))).max() < 1e-6


def test_tensors_are_read_from_their_offsets():
    """A file of two tensors gives both, in shape, and leaves out what is not float32."""
    numbers = np.arange(6, dtype="<f4")
    header = (
        b'{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},'
        b'"b":{"dtype":"F32","shape":[2],"data_offsets":[16,24]},'
        b'"c":{"dtype":"I64","shape":[0],"data_offsets":[24,24]},"__metadata__":{"format":"pt"}}'
    )
    found = parse_safetensors(len(header).to_bytes(8, "little") + header + numbers.tobytes())
    assert found["a"].tolist() == [[0, 1], [2, 3]]
    assert found["b"].tolist() == [4, 5]
    assert set(found) == {"a", "b"}


def test_embeddings_are_those_that_the_models_authors_show():
    """Two sentences of the model's own documentation get the numbers that stand there, alone or in a batch."""
    try:
        model = MiniLm.load()
    except MissingYardstickError as error:
        pytest.skip(str(error))
    texts = ["This is an example sentence", "Each sentence is converted"]
    both = model.embed(texts)
    assert both[0, :4] == pytest.approx([0.0677, 0.0635, 0.0487, 0.0793], abs=6e-5)
    assert both[1, :4] == pytest.approx([0.0864, 0.1028, 0.0054, 0.0020], abs=6e-5)
    assert np.abs(model.embed(texts[:1])[0] - both[0]).max() < 1e-5


def test_kept_embeddings_are_not_computed_again(tmp_path):
    """Texts whose files are there are read from them, in the order of the texts; others are not kept."""
    texts = [f"text {number}" for number in range(900)]
    for chunk, path in chunks_of(texts, tmp_path):
        np.save(path, np.array([[float(text.split()[1])] for text in chunk], dtype=np.float32))
    assert are_kept(texts, tmp_path)
    assert not are_kept([*texts, "another"], tmp_path)
    assert embedded(texts, tmp_path)[:, 0].tolist() == list(range(900))


@pytest.mark.shared_data
def test_the_shared_comments_are_read_with_their_split(shared_data):
    """The test split has 2,587 comments with three labels and two sources."""
    path = shared_data / "ticket_sentiment" / "sentiment_github_stackoverflow.csv.gz"
    test = read_comments(path, "test")
    assert len(test.texts) == 2587
    assert set(test.label) == {0, 1, 2}
    assert set(test.source) == {"github", "stackoverflow"}
