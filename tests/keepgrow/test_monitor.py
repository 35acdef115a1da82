"""`keepgrow monitor` tells what has changed, and `keepgrow retrain` acts on it."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
import yaml
from typer.testing import CliRunner

from feature_repo.tables.dataset import DatasetInfo, save_dataset_info
from keepgrow import retrain as retraining
from keepgrow.monitor import monitor
from keepgrow.promote import promote
from keepgrow.retrain import days_to_wait, retrain
from serving.batch.feature_table import DTYPES, FeatureTableError
from serving.bundle.store import list_bundles
from serving.errors import CatalogueError
from tests.training import rivals
from tests.training.export.small_models import TRAINED_AT
from training.errors import DefinitionsError
from training.evaluation.held_out import feature_frame, write_test_rows
from training.monitoring.limits import load_monitor_limits

if TYPE_CHECKING:
    from pathlib import Path

END = dt.datetime(2026, 3, 3, tzinfo=dt.UTC)
ACCOUNTS = 600


class Place:
    """A store with one bundle and its test rows, a data folder, and features that a test writes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"
        self.tag = rivals.save(rivals.RIGHT, self.models)
        self.tested = rivals.rows_recorded_by(rivals.RIGHT)
        write_test_rows(self.tested, self.models, self.tag)
        self.data = folder / "data"
        self.data.mkdir()
        save_dataset_info(DatasetInfo(name="small world", synthetic=True), self.data)
        self.now = rivals.rows_recorded_by(rivals.RIGHT, rows=2 * ACCOUNTS, seed=21).iloc[::2]

    def limits(self, **changes: object) -> Path:
        """Return a file of limits in which age does not matter unless *changes* say so."""
        values = load_monitor_limits().model_dump() | {"max_age_days": 36_500, "samples": 60}
        file = self.folder / "monitor.yaml"
        file.write_text(yaml.safe_dump(values | {"min_features_beyond": 1} | changes), encoding="utf-8")
        return file

    def write(self, name: str, **columns: object) -> Path:
        """Write features of now, some *columns* replaced, into the folder *name*."""
        features = feature_frame(self.now).assign(consent_email=True, **columns)
        folder = self.folder / name
        for view in rivals.RIGHT.contract.views:
            table = {
                "account_id": pa.array(self.now["account_id"], pa.string()),
                "event_timestamp": pa.array([END] * len(features), pa.timestamp("us", tz="UTC")),
            }
            for feature in rivals.RIGHT.contract.features:
                if feature.view == view.name:
                    array = pa.Array.from_pandas(features[feature.name])
                    table[feature.name] = array.cast(DTYPES[feature.dtype])
            (folder / view.name).mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table(table), folder / view.name / "2026-03.parquet")
        return folder

    def run(self, command: object, features: Path, *words: object) -> tuple[int, str]:
        """Return exit code and output of *command* on a wide terminal."""
        app = typer.Typer()
        app.command()(command)
        env = {
            "BENTOML_HOME": str(self.folder),
            "KEEPGROW_FEATURES_DIR": str(features),
            "COLUMNS": "300",
        }
        result = CliRunner().invoke(app, [str(self.data), *map(str, words)], env=env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.output


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return the place of all these tests."""
    return Place(tmp_path_factory.mktemp("bentoml"))


@pytest.fixture(scope="module")
def steady(place: Place) -> Path:
    """Return features of accounts that are like the test rows."""
    return place.write("steady")


@pytest.fixture(scope="module")
def moved(place: Place) -> Path:
    """Return features of accounts half of which pay far less than any did."""
    mrr = place.now["feature:mrr"].to_numpy() / np.where(np.arange(len(place.now)) % 2, 1000, 1)
    return place.write("moved", mrr=mrr)


def test_what_is_as_it_was_is_not_due(place: Place, steady: Path) -> None:
    """Expected figures stand beside those of the card, nothing is beyond a limit, and the exit code is 0."""
    file = place.folder / "watch.json"
    code, printed = place.run(monitor, steady, "--limits", place.limits(), "--json", file)
    assert code == 0, printed
    assert "not due for training" in printed
    assert "concept drift" in printed
    assert "synthetic" in printed
    told = json.loads(file.read_text(encoding="utf-8"))
    assert (told["model"], told["as_of"], told["due"]) == (place.tag, END.isoformat(), False)
    assert told["accounts"] == ACCOUNTS
    assert [(one["head"], one["horizon_days"]) for one in told["heads"]] == [
        (head, days) for head in ("churn", "upsell") for days in (30, 60, 90)
    ]
    assert {one["feature"] for one in told["drift"]} == {
        feature.name for feature in rivals.RIGHT.contract.model_features
    }
    assert {one["head"] for one in told["importance"]} == {"churn", "upsell"}


def test_what_was_expected_of_the_test_rows_came_true(place: Place, steady: Path) -> None:
    """The test rows' events follow the bundle, so that its realised ROC AUC lies within what is expected of them."""
    from training.evaluation import metrics  # noqa: PLC0415 -- of this test only

    file = place.folder / "watch.json"
    place.run(monitor, steady, "--limits", place.limits(), "--json", file)
    (churn,) = [
        one
        for one in json.loads(file.read_text(encoding="utf-8"))["heads"]
        if (one["head"], one["horizon_days"]) == ("churn", 90)
    ]
    label, probability = (place.tested[name].to_numpy() for name in ("churn_90d_label", "churn_90d"))
    realised = metrics.roc_auc(label, probability)[0]
    assert churn["expected_on_test"]["roc_auc"]["low"] < realised
    assert realised < churn["expected_on_test"]["roc_auc"]["high"]


def test_drift_makes_a_bundle_due(place: Place, moved: Path) -> None:
    """A feature that moved is named, and the exit code is 3."""
    code, printed = place.run(monitor, moved, "--limits", place.limits())
    assert code == 3
    assert "due drift: 1 of 10 features are beyond" in printed
    assert "mrr" in printed


def test_age_makes_a_bundle_due(place: Place, steady: Path) -> None:
    """A bundle that was trained longer ago than the limit is due, whatever its accounts are like."""
    code, printed = place.run(monitor, steady, "--limits", place.limits(max_age_days=1))
    assert code == 3
    assert "due schedule: trained " in printed


def test_lower_expected_performance_makes_a_bundle_due(place: Place) -> None:
    """Accounts that are all alike can't be ranked, which is expected before a label is known."""
    alike = {
        name.removeprefix("feature:"): [place.now[name].dropna().iloc[0]] * len(place.now)
        for name in place.now.columns
        if name.startswith("feature:")
    }
    code, printed = place.run(
        monitor, place.write("alike", **alike), "--limits", place.limits(min_features_beyond=50)
    )
    assert code == 3
    assert "due expected performance: churn 90d" in printed


def test_few_accounts_are_judged_by_age_only(place: Place, moved: Path) -> None:
    """With fewer accounts than the limit the drift is shown, and does not make a bundle due."""
    code, printed = place.run(monitor, moved, "--limits", place.limits(fewest_rows=ACCOUNTS + 1))
    assert code == 0
    assert f"not judged {ACCOUNTS} accounts" in printed


def test_a_day_without_features_is_said(place: Place, steady: Path) -> None:
    """A day before the first one, and a folder without any, name what to do."""
    with pytest.raises(FeatureTableError, match="features build"):
        place.run(monitor, steady, "--as-of", "2025-01-01")
    with pytest.raises(FeatureTableError, match="features build"):
        place.run(monitor, place.folder / "nothing")


def test_without_test_rows_drift_is_not_judged(place: Place, moved: Path) -> None:
    """What can't be compared is said to be not judged, instead of passing in silence."""
    rows = place.folder / "keepgrow-test-rows"
    rows.rename(place.folder / "away")
    try:
        code, printed = place.run(monitor, moved, "--limits", place.limits())
    finally:
        (place.folder / "away").rename(rows)
    assert code == 0
    assert "drift and importance are not judged" in printed


def test_data_of_another_name_is_said(place: Place, steady: Path, tmp_path: Path) -> None:
    """A bundle of another data set is looked at, with a warning that names both."""
    save_dataset_info(DatasetInfo(name="elsewhere"), tmp_path)
    home, place.data = place.data, tmp_path
    try:
        printed = place.run(monitor, steady, "--limits", place.limits())[1]
    finally:
        place.data = home
    assert "was trained on 'small world'; this is 'elsewhere'" in printed


def test_retraining_stops_where_nothing_is_due(place: Place, steady: Path) -> None:
    """Monitoring is printed, nothing is trained, and the exit code is 0."""
    code, printed = place.run(retrain, steady, "--limits", place.limits())
    assert code == 0
    assert "not due for training" in printed
    assert len(list_bundles(place.models)) == 1


def test_retraining_waits_after_a_training(place: Place, moved: Path) -> None:
    """A bundle that is due is not trained again when the newest one is too young."""
    code, printed = place.run(retrain, moved, "--limits", place.limits(min_days_between=3_650))
    assert code == 0
    assert "waiting" in printed
    assert len(list_bundles(place.models)) == 1


def test_days_to_wait_are_counted_from_the_newest_bundle(place: Place) -> None:
    """Until the limit has passed some days are left, then none; an empty store does not wait."""
    bundles = list_bundles(place.models)
    made = bundles[0].created_at
    assert days_to_wait(bundles, 7, made + dt.timedelta(days=2, hours=1)) == 5
    assert days_to_wait(bundles, 7, made + dt.timedelta(days=8)) == 0
    assert days_to_wait((), 7, TRAINED_AT) == 0


def test_a_forced_training_reaches_the_command_that_trains(place: Place, steady: Path) -> None:
    """Without monitoring first, `train` is given the definitions, and says what is wrong with them."""
    with pytest.raises(DefinitionsError, match=r"absent\.yaml"):
        place.run(retrain, steady, "--force", "--definitions", place.folder / "absent.yaml")


def test_a_training_reads_the_catalogue_of_the_environment(
    place: Place, steady: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `train` takes from the environment when it is called by itself, retraining takes, too."""
    monkeypatch.setenv("KEEPGROW_CATALOGUE", str(place.folder / "absent-catalogue.yaml"))
    with pytest.raises(CatalogueError, match=r"absent-catalogue\.yaml"):
        place.run(retrain, steady, "--force")


@pytest.mark.parametrize("sound", [True, False])
def test_the_gates_decide_what_comes_of_a_training(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, sound: bool
) -> None:
    """A sound bundle would be promoted and ends with 0; one that the gates refuse ends with 4."""
    home = place.folder if sound else tmp_path
    monkeypatch.setenv("BENTOML_HOME", str(home))
    gates = tmp_path / "gates.yaml"
    gates.write_text(yaml.safe_dump(rivals.SMALL_LIMITS), encoding="utf-8")

    def train(tag_file: Path) -> None:
        tag = place.tag
        if not sound:
            tag = rivals.save(rivals.WRONG, home / "models")
            write_test_rows(place.tested, home / "models", tag)
        tag_file.write_text(tag + "\n", encoding="utf-8")

    def judge(tag: str) -> None:
        promote(tag, limits=gates, dry_run=True)

    if sound:
        retraining.run(train, judge)
    else:
        with pytest.raises(typer.Exit) as left:
            retraining.run(train, judge)
        assert left.value.exit_code == retraining.REFUSED == 4
    assert not (home / "models" / "keepgrow" / "champion").exists()
