from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from feature_repo.errors import DataFolderError
from feature_repo.sentiment.cache import scored_tickets
from feature_repo.sentiment.evaluation import evaluate
from feature_repo.sentiment.labelled import read_labelled
from feature_repo.sentiment.scorer import MODEL_SETTING, configured_scorer
from feature_repo.sentiment.tfidf import TrainedScorer, load_scorer, train_scorer
from feature_repo.sentiment.vader import VaderScorer
from feature_repo.tables.reading import connect

GOOD = ["great work, thank you", "this is great, love it", "thanks a lot, great", "lovely, works great"]
BAD = ["this is broken and awful", "awful, broken again", "terrible and awful support", "broken, terrible"]
PLAIN = ["how do I export data", "where is the export page", "how do I add a page", "where do I export"]
TEXTS = GOOD + BAD + PLAIN
LABELS = ["positive"] * 4 + ["negative"] * 4 + ["neutral"] * 4
SHARED = Path(os.environ.get("KEEPGROW_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data"))
COMMENTS = SHARED / "ticket_sentiment" / "sentiment_github_stackoverflow.csv.gz"


@pytest.fixture(scope="module")
def trained() -> TrainedScorer:
    """A scorer trained on twelve texts."""
    return train_scorer(TEXTS, LABELS)


def test_vader_tells_praise_from_complaint() -> None:
    """The cold-start scorer puts praise above and complaint below zero, and leaves empty text at zero."""
    good, bad, empty = VaderScorer().score(["I love it, great work!", "I hate it, it is terrible.", ""])
    assert good > 0 > bad
    assert empty == 0.0


def test_a_trained_scorer_is_the_same_after_saving(trained: TrainedScorer, tmp_path: Path) -> None:
    """Scores are equal to the last bit after a round trip, also for text that training never saw."""
    trained.save(tmp_path / "scorer.npz")
    loaded = load_scorer(tmp_path / "scorer.npz")
    probes = [*TEXTS, "naïve Änderung, ärgerlich", "🦊🦊", "", "great\u2028broken\nawful"]
    assert loaded.score(probes) == trained.score(probes)
    assert loaded.version == trained.version


def test_a_trained_scorer_learns_and_stays_in_range(trained: TrainedScorer) -> None:
    """Praise scores above questions, questions above complaints, all within -1 to 1."""
    good, plain, bad = (trained.score(texts) for texts in (GOOD, PLAIN, BAD))
    assert 1 >= min(good) > max(plain) > min(plain) > max(bad) >= -1
    assert trained.score([]) == []


def test_the_environment_chooses_the_scorer(trained: TrainedScorer, tmp_path: Path) -> None:
    """Unset, VADER scores; set, the named file does; a file that is none is an error that names it."""
    trained.save(tmp_path / "scorer.npz")
    assert configured_scorer({}).version.startswith("vader-")
    assert configured_scorer({MODEL_SETTING: str(tmp_path / "scorer.npz")}).version == trained.version
    (tmp_path / "bad.npz").write_bytes(b"not a scorer")
    with pytest.raises(DataFolderError, match=r"bad\.npz: not a trained ticket scorer"):
        configured_scorer({MODEL_SETTING: str(tmp_path / "bad.npz")})


def test_labels_are_checked() -> None:
    """Training refuses unknown and absent labels."""
    with pytest.raises(ValueError, match="labels must be negative, neutral, positive"):
        train_scorer(["a", "b"], ["good", "bad"])


def test_a_labelled_file_with_a_wrong_label_is_named(tmp_path: Path) -> None:
    """The error of a bad file names the file and the label."""
    path = tmp_path / "labelled.csv"
    path.write_text("text,label\nfine,happy\n", encoding="utf-8-sig")
    with pytest.raises(DataFolderError, match=r"labelled\.csv: unknown label 'happy'"):
        read_labelled(path)


def test_only_new_texts_are_scored_and_given_moods_are_kept(trained: TrainedScorer, tmp_path: Path) -> None:
    """A text is scored once for each scorer; a changed text or scorer is scored again."""
    base = {"ticket_id": ["1", "2", "3"], "text": ["broken", "great", None], "sentiment": [None, 0.25, None]}

    def run(texts: list[str | None], scorer: VaderScorer | TrainedScorer) -> tuple[list[float | None], int]:
        con = connect()
        schema = pa.schema([("ticket_id", pa.string()), ("text", pa.string()), ("sentiment", pa.float64())])
        pq.write_table(pa.table({**base, "text": texts}, schema=schema), tmp_path / "tickets.parquet")
        tickets = con.read_parquet(str(tmp_path / "tickets.parquet"))
        table, count = scored_tickets(con, tickets, tmp_path / "scores", scorer)
        return table.order_by("ticket_id").to_pyarrow()["sentiment"].to_pylist(), count

    vader = VaderScorer()
    expected = vader.score(["broken"])[0]
    assert run(["broken", "great", None], vader) == ([expected, 0.25, None], 1)
    assert run(["broken", "great", None], vader) == ([expected, 0.25, None], 0)
    assert run(["awful", "great", None], vader)[1] == 1
    assert run(["broken", "great", None], trained) == ([trained.score(["broken"])[0], 0.25, None], 1)


@pytest.mark.shared_data
@pytest.mark.skipif(not COMMENTS.exists(), reason=f"{COMMENTS} is not there")
def test_the_trained_scorer_beats_the_cold_start_on_human_labels() -> None:
    """On labelled developer comments, the trained scorer's lower bound lies above VADER's upper bound."""
    train, test = read_labelled(COMMENTS, "train"), read_labelled(COMMENTS, "test")
    scorer = train_scorer(train.texts, train.labels)
    cold, warm = (evaluate(made, test, resamples=100) for made in (VaderScorer(), scorer))
    assert warm.auc_negative.low > cold.auc_negative.high
    assert warm.auc_negative.value > 0.9
    assert warm.macro_f1.value > 0.8
