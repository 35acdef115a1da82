"""The trajectory reads health from an account's context: values that no other output of the graph sees."""

from __future__ import annotations

import dataclasses
import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from serving.bundle.loader import Bundle, load_bundle
from serving.bundle.store import find_bundle
from serving.errors import BundleError
from serving.scoring.engine import score_rows
from tests.serving.scoring.conftest import NOW
from tests.serving.scoring.test_engine import known
from tests.serving.scoring.test_outlook import one_of
from tests.training.export.small_models import TRAINED_AT, make_matrix, make_trained
from tests.training.small_outlook import make_outlook
from training.export.bundle import save_bundle
from training.heads.trajectory import with_inputs

if TYPE_CHECKING:
    from pathlib import Path

    from serving.features.rows import ContextValue, FeatureRows
    from tests.serving.scoring.test_engine import Rows
    from training.trained import TrainedModels

HEALTH = ("health_score", "health_score_28d_change")


@pytest.fixture(scope="module")
def trained() -> TrainedModels:
    """Return small random models whose trajectory reads two policy features."""
    plain = make_trained(seed=12)
    policy = next(one for one in plain.contract.features if one.role == "policy")
    health = tuple(policy.model_copy(update={"name": name, "dtype": "Float64"}) for name in HEALTH)
    contract = plain.contract.model_copy(update={"features": (*plain.contract.features, *health)})
    outlook = make_outlook(
        plain.heads, make_matrix(np.random.default_rng(2), 600), plan_column=5, health=HEALTH
    )
    return dataclasses.replace(plain, contract=type(contract)(**contract.model_dump()), outlook=outlook)


@pytest.fixture(scope="module")
def store(trained: TrainedModels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a bundle of them."""
    folder = tmp_path_factory.mktemp("health")
    return find_bundle(
        save_bundle(trained, trained_at=TRAINED_AT, store=folder, parity_rows=1_000, code="test"), folder
    )


@pytest.fixture(scope="module")
def bundle(store: Path) -> Bundle:
    """Return that bundle, loaded."""
    return load_bundle(store)


def with_health(rows: FeatureRows, score: ContextValue, change: ContextValue) -> FeatureRows:
    """Return *rows* with the same health in every context."""
    told = {"health_score": score, "health_score_28d_change": change}
    return dataclasses.replace(rows, context=tuple({**one, **told} for one in rows.context))


def trajectories(rows: FeatureRows, bundle: Bundle) -> np.ndarray:
    """Return the trajectories in the scores of *rows*."""
    return np.array(
        [one.outlook.trajectory for one in known(score_rows(rows, bundle, NOW, outlook=True)) if one.outlook]
    )


def test_an_accounts_own_health_reaches_the_trajectory(
    bundle: Bundle, trained: TrainedModels, make_rows: Rows
) -> None:
    """Scores have what the trained head says of the context's numbers, one account or many; unknown is missing."""
    rows = make_rows(50)
    matrix = rows.matrix
    head, churn = trained.outlook.trajectory, trained.head("churn").probabilities(matrix)
    assert head is not None
    declining = bundle.manifest.trajectory.classes.index("declining")  # type: ignore[union-attr]
    for health in ((82, -3.5), (None, 12.0), (None, None)):
        values = [np.nan if one is None else float(one) for one in health]
        found = trajectories(with_health(rows, *health), bundle)
        expected = head.probabilities(with_inputs(matrix, np.tile(values, (50, 1))), churn)
        assert found[:, declining] == pytest.approx(expected[:, 0], abs=5.1e-7)
    unknown = trajectories(rows, bundle)  # contexts without the names
    assert np.array_equal(unknown, found)
    several = with_health(rows, 30.0, 1.0)
    alone = one_of(several, 0)
    assert np.array_equal(trajectories(alone, bundle), trajectories(several, bundle)[:1])


def test_health_changes_nothing_else(bundle: Bundle, make_rows: Rows) -> None:
    """Probabilities, intervals, reasons and effects are the same bits whatever the health."""
    rows = make_rows(20)
    one, other = (
        known(score_rows(with_health(rows, score, 0.0), bundle, NOW, intervals=True, outlook=True))
        for score in (5.0, 95.0)
    )
    for first, second in zip(one, other, strict=True):
        assert first.outlook is not None
        assert second.outlook is not None
        assert first._replace(outlook=None) == second._replace(outlook=None)
        assert first.outlook._replace(trajectory=()) == second.outlook._replace(trajectory=())
    assert any(a.outlook != b.outlook for a, b in zip(one, other, strict=True))


def test_many_rows_are_cut_into_chunks_with_their_health(bundle: Bundle) -> None:
    """More rows than a call takes give what single calls give; health of another shape is refused."""
    count = bundle.outlook_chunk_rows + 7
    matrix = make_matrix(np.random.default_rng(5), count)
    health = np.random.default_rng(6).normal(50, 20, (count, 2))
    whole = bundle.run(matrix, contributions=False, outlook=True, health=health).trajectory
    assert whole is not None
    last = bundle.run(matrix[-3:], contributions=False, outlook=True, health=health[-3:]).trajectory
    assert np.array_equal(whole[-3:], last)
    empty = bundle.run(matrix[:0], contributions=True, intervals=True, outlook=True, health=health[:0])
    assert empty.trajectory is not None
    assert empty.trajectory.shape == (0, 3)
    with pytest.raises(ValueError, match=r"health has shape \(2, 1\)"):
        bundle.run(matrix[:2], contributions=False, outlook=True, health=health[:2, :1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": ["health_score", "mood"]}, "'mood', which is no policy feature"),
        ({"inputs": ["health_score"]}, "input 'health' takes 2 columns; the manifest names 1"),
        ({"input_name": "vigour"}, "no optional input 'vigour'"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    store: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    """Inputs that the contract or the graph does not have are named when the bundle is loaded."""
    copy = tmp_path / "bundle"
    shutil.copytree(store, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["trajectory"].update(change)
    (copy / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=message):
        load_bundle(copy)
