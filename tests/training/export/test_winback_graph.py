"""Win-back in the graph: what LightGBM says, never falling, and free for accounts that have not left."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from serving.bundle.loader import load_bundle
from serving.bundle.store import find_bundle
from serving.errors import BundleError
from tests.training.export.small_models import TRAINED_AT, make_head, make_matrix, make_trained
from training.export.bundle import save_bundle
from training.export.errors import ExportError, ParityError
from training.export.graph import build_graph
from training.export.hard_rows import SPECIAL_VALUES, hard_rows
from training.export.outlook_parity import check_outlook_parity
from training.export.sessions import open_session, run_in_chunks

if TYPE_CHECKING:
    from pathlib import Path

    from training.trained import TrainedModels


def with_winback(*, shared: bool = False, outlook: bool = True) -> TrainedModels:
    """Return random models with a win-back head; *shared*: its intervals use one booster."""
    trained = make_trained(seed=9, outlook=outlook)
    head = make_head(np.random.default_rng(4), "winback", shared=shared)
    return replace(trained, outlook=replace(trained.outlook, winback=head))


def graph_of(trained: TrainedModels) -> onnx.ModelProto:
    """Return the graph of *trained*."""
    names = [feature.name for feature in trained.contract.model_features]
    return build_graph(
        trained.heads,
        names,
        background=trained.background,
        score_head="churn",
        score_horizon_days=90,
        outlook=trained.outlook,
    ).model


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("outlook", [False, True])
def test_it_is_what_the_trained_head_says(shared: bool, outlook: bool) -> None:
    """Its probabilities agree with LightGBM on hard rows, with and without the rest of the outlook."""
    trained = with_winback(shared=shared, outlook=outlook)
    largest = check_outlook_parity(graph_of(trained).SerializeToString(), trained, rows=10_000)
    assert largest["winback"] < 1e-12


def test_chances_of_coming_back_never_fall_with_the_horizon() -> None:
    """P30 <= P60 <= P90 on 100,000 random and adversarial rows."""
    trained = with_winback()
    rng = np.random.default_rng(8)
    head = trained.outlook.winback
    assert head is not None
    hard = hard_rows(head.boosters, trained.background, 50_000, rng)
    special = rng.choice(np.array(SPECIAL_VALUES), (25_000, trained.background.shape[1]))
    matrix = np.concatenate([hard, special, make_matrix(rng, 25_000)])
    session = open_session(graph_of(trained).SerializeToString())
    for _, found in run_in_chunks(session, ["winback"], matrix, explain=False, departed=True):
        assert (np.diff(found["winback"], axis=1) >= 0).all()
        assert ((found["winback"] >= 0) & (found["winback"] <= 1)).all()


def test_it_changes_nothing_of_what_is_said_of_others() -> None:
    """All other outputs are the same bits with and without the head, and its own has no rows if not asked for."""
    trained = with_winback()
    matrix = trained.background[:50]
    without = replace(trained, outlook=replace(trained.outlook, winback=None))
    session, plain = (open_session(graph_of(one).SerializeToString()) for one in (trained, without))
    names = [one.name for one in plain.get_outputs()]
    expected = plain.run(names, {"features": matrix})
    for asked in (True, False):
        feed = {"features": matrix, "departed": np.array(asked)}
        found = session.run([*names, "winback"], feed)
        for ours, theirs in zip(found, expected, strict=False):
            assert np.array_equal(ours, theirs)
        assert found[-1].shape == (50 * asked, 3)
    assert "departed" not in {one.name for one in plain.get_overridable_initializers()}


def test_a_wrong_number_is_refused() -> None:
    """A graph that says something else of accounts that have left is not exported."""
    trained = with_winback()
    model = graph_of(trained)
    for tensor in model.graph.initializer:
        if tensor.name == "winback_shifts":
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + 0.5, tensor.name))
    with pytest.raises(ParityError, match=r"output 'winback', row \d+"):
        check_outlook_parity(model.SerializeToString(), trained, rows=200)


def test_a_head_of_another_contract_is_refused() -> None:
    """A head that was trained on fewer columns can't be exported."""
    trained = with_winback()
    fewer = replace(trained.outlook.winback, boosters=make_trained().heads[0].boosters)  # type: ignore[type-var]
    names = [feature.name for feature in trained.contract.model_features]
    with pytest.raises(ExportError, match="features"):
        build_graph(
            trained.heads,
            [*names, "one more"],
            background=np.column_stack([trained.background, trained.background[:, 0]]),
            score_head="churn",
            score_horizon_days=90,
            outlook=replace(trained.outlook, winback=fewer),
        )


def test_a_bundle_tells_whom_it_speaks_of(tmp_path: Path) -> None:
    """The manifest has horizons, definition and range of days; graph and manifest must agree on the output."""
    tag = save_bundle(with_winback(), trained_at=TRAINED_AT, store=tmp_path, parity_rows=1_000, code="test")
    path = find_bundle(tag, tmp_path)
    bundle = load_bundle(path)
    told = bundle.manifest.winback
    assert told is not None
    assert (told.after_days, told.within_days, told.head.horizons_days) == (30, 365, (30, 60, 90))
    assert "begins again" in told.head.definition
    matrix = make_matrix(np.random.default_rng(1), 30)
    for everything in (True, False):
        asked = bundle.run(
            matrix, contributions=everything, intervals=everything, outlook=everything, departed=True
        )
        unasked = bundle.run(matrix, contributions=everything, intervals=everything, outlook=everything)
        assert asked.winback is not None
        assert asked.winback.shape == (30, 3)
        assert unasked.winback is None
        assert np.array_equal(asked.probabilities["churn"], unasked.probabilities["churn"])
    file = path / "manifest.json"
    file.write_text(file.read_text().replace('"output": "winback"', '"output": "somewhere"'))
    with pytest.raises(BundleError, match="no output 'somewhere'"):
        load_bundle(path)


def test_a_bundle_without_it_loads_and_says_nothing(tmp_path: Path) -> None:
    """A bundle of before, or of too few returns, has no such output, and asking is no error."""
    tag = save_bundle(
        make_trained(outlook=True), trained_at=TRAINED_AT, store=tmp_path, parity_rows=1_000, code="test"
    )
    file = find_bundle(tag, tmp_path) / "manifest.json"
    text = file.read_text()
    assert '"winback": null' in text
    file.write_text(text.replace('  "winback": null,\n', ""))
    bundle = load_bundle(file.parent)
    assert bundle.manifest.winback is None
    assert (
        bundle.run(make_matrix(np.random.default_rng(1), 3), contributions=True, departed=True).winback
        is None
    )
