"""Win-back in the graph: what LightGBM says, never falling, and free for accounts that have not left."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from serving.bundle.loader import load_bundle
from serving.bundle.store import find_bundle
from serving.errors import BundleError
from tests.training.export.small_models import TRAINED_AT, make_booster, make_head, make_matrix, make_trained
from tests.training.small_outlook import make_uncertainty
from training.export.bundle import save_bundle
from training.export.errors import ExportError, ParityError
from training.export.graph import build_graph
from training.export.hard_rows import SPECIAL_VALUES, hard_rows
from training.export.outlook_parity import check_outlook_parity
from training.export.sessions import open_session, run_in_chunks

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from training.trained import TrainedModels

OUTPUTS = ("winback", "winback_low", "winback_high")


def with_winback(*, shared: bool = False, outlook: bool = True) -> TrainedModels:
    """Return random models with a win-back head and its interval; *shared*: its hazards use one booster."""
    trained = make_trained(seed=9, outlook=outlook)
    rng = np.random.default_rng(4)
    head = make_head(rng, "winback", shared=shared)
    sure = make_uncertainty(rng, head)
    return replace(trained, outlook=replace(trained.outlook, winback=head, winback_uncertainty=sure))


def without_interval(trained: TrainedModels) -> TrainedModels:
    """Return the same models as an earlier release had them: with the head, without its interval."""
    return replace(trained, outlook=replace(trained.outlook, winback_uncertainty=None))


def adversarial_rows(trained: TrainedModels) -> NDArray[np.float64]:
    """Return 100,000 rows: on and beside thresholds, of special values, and like those of training."""
    rng = np.random.default_rng(8)
    head = trained.outlook.winback
    assert head is not None
    hard = hard_rows(head.boosters, trained.background, 50_000, rng)
    special = rng.choice(np.array(SPECIAL_VALUES), (25_000, trained.background.shape[1]))
    return np.concatenate([hard, special, make_matrix(rng, 25_000)])


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
    """Probabilities and their ends agree with LightGBM on hard rows, with and without the rest of the outlook."""
    trained = with_winback(shared=shared, outlook=outlook)
    largest = check_outlook_parity(graph_of(trained).SerializeToString(), trained, rows=10_000)
    for name in OUTPUTS:
        assert largest[name] < 1e-12


def test_chances_of_coming_back_never_fall_with_the_horizon() -> None:
    """P30 <= P60 <= P90 on 100,000 random and adversarial rows."""
    trained = with_winback()
    matrix = adversarial_rows(trained)
    session = open_session(graph_of(trained).SerializeToString())
    for _, found in run_in_chunks(session, ["winback"], matrix, explain=False, departed=True):
        assert (np.diff(found["winback"], axis=1) >= 0).all()
        assert ((found["winback"] >= 0) & (found["winback"] <= 1)).all()


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("steep", [1.0, 60.0])
def test_the_ends_enclose_the_chance_and_never_fall_with_the_horizon(shared: bool, steep: float) -> None:
    """Low <= chance <= high and both ends rise on the same rows, also of a head so *steep* that chances are 0 and 1."""
    trained = steeper(with_winback(shared=shared), steep)
    session = open_session(graph_of(trained).SerializeToString())
    widest = 0.0
    for _, found in run_in_chunks(
        session, list(OUTPUTS), adversarial_rows(trained), explain=False, departed=True, intervals=True
    ):
        chance, low, high = (found[name] for name in OUTPUTS)
        assert ((low >= 0) & (low <= chance) & (chance <= high) & (high <= 1)).all()
        assert (np.diff(low, axis=1) >= 0).all()
        assert (np.diff(high, axis=1) >= 0).all()
        widest = max(widest, float((high - low).max()))
    assert widest > 0.05


def steeper(trained: TrainedModels, factor: float) -> TrainedModels:
    """Return the models with calibrations of the win-back head *factor* times as steep."""
    sure = trained.outlook.winback_uncertainty
    assert sure is not None
    platts = tuple(replace(platt, slope=platt.slope * factor) for platt in sure.head.calibrations)
    head = replace(sure.head, calibrations=platts)
    outlook = replace(trained.outlook, winback=head, winback_uncertainty=replace(sure, head=head))
    return replace(trained, outlook=outlook)


def test_a_booster_without_a_split_has_an_interval() -> None:
    """Of a head that learnt nothing but a rate, the ends are those of the rate."""
    trained = with_winback()
    rng = np.random.default_rng(1)
    head = trained.outlook.winback
    assert head is not None
    bare = replace(head, boosters=(make_booster(rng, trees=1, min_data_in_leaf=500), *head.boosters[1:]))
    sure = make_uncertainty(rng, bare)
    outlook = replace(trained.outlook, winback=bare, winback_uncertainty=sure)
    changed = replace(trained, outlook=outlook)
    largest = check_outlook_parity(graph_of(changed).SerializeToString(), changed, rows=1_000)
    assert all(largest[name] < 1e-12 for name in OUTPUTS)


def test_it_changes_nothing_of_what_is_said_of_others() -> None:
    """All other outputs are the same bits with and without the head, and its own have no rows if not asked for."""
    trained = with_winback()
    matrix = trained.background[:50]
    without = replace(trained, outlook=replace(trained.outlook, winback=None, winback_uncertainty=None))
    session, plain = (open_session(graph_of(one).SerializeToString()) for one in (trained, without))
    names = [one.name for one in plain.get_outputs()]
    expected = plain.run(names, {"features": matrix})
    for asked in (True, False):
        feed = {"features": matrix, "departed": np.array(asked)}
        found = session.run([*names, *OUTPUTS], feed)
        for ours, theirs in zip(found, expected, strict=False):
            assert np.array_equal(ours, theirs)
        assert [one.shape for one in found[-3:]] == [(50 * asked, 3)] * 3
    assert "departed" not in {one.name for one in plain.get_overridable_initializers()}


@pytest.mark.parametrize("outlook", [False, True])
def test_ends_are_made_only_if_both_are_asked_for(outlook: bool) -> None:
    """Without `departed` or without `intervals` they have no rows, and the chance is the same bits."""
    trained = with_winback(outlook=outlook)
    session = open_session(graph_of(trained).SerializeToString())
    plain = open_session(graph_of(without_interval(trained)).SerializeToString())
    matrix = trained.background[:50]
    for departed, intervals in itertools.product((True, False), repeat=2):
        feed = {"features": matrix, "departed": np.array(departed), "intervals": np.array(intervals)}
        chance, *ends = session.run(list(OUTPUTS), feed)
        assert [one.shape for one in ends] == [(50 * (departed and intervals), 3)] * 2
        before = plain.run(["winback"], {"features": matrix, "departed": np.array(departed)})[0]
        assert np.array_equal(chance, before)
    assert not {"winback_low", "winback_high"} & {one.name for one in plain.get_outputs()}


@pytest.mark.parametrize(
    ("constant", "output"), [("winback_shifts", "winback"), ("winback_factor_floors", "winback_low")]
)
def test_a_wrong_number_is_refused(constant: str, output: str) -> None:
    """A graph that says something else of accounts that have left is not exported."""
    trained = with_winback()
    model = graph_of(trained)
    for tensor in model.graph.initializer:
        if tensor.name == constant:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) + 0.5, tensor.name))
    with pytest.raises(ParityError, match=rf"output '{output}', row \d+"):
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
    assert (told.head.low_output, told.head.high_output) == OUTPUTS[1:]
    assert told.head.interval_level == 0.9
    matrix = make_matrix(np.random.default_rng(1), 30)
    for everything in (True, False):
        asked = bundle.run(
            matrix, contributions=everything, intervals=everything, outlook=everything, departed=True
        )
        unasked = bundle.run(matrix, contributions=everything, intervals=everything, outlook=everything)
        assert asked.winback is not None
        assert asked.winback.shape == (30, 3)
        assert (asked.winback_low is not None) == everything
        assert (unasked.winback, unasked.winback_low) == (None, None)
        assert np.array_equal(asked.probabilities["churn"], unasked.probabilities["churn"])
    file = path / "manifest.json"
    file.write_text(file.read_text().replace('"output": "winback"', '"output": "somewhere"'))
    with pytest.raises(BundleError, match="no output 'somewhere'"):
        load_bundle(path)
    file.write_text(
        file.read_text().replace('"somewhere"', '"winback"').replace('"winback_high"', '"nowhere"')
    )
    with pytest.raises(BundleError, match="no output 'nowhere'"):
        load_bundle(path)


@pytest.mark.parametrize("outlook", [False, True])
def test_a_bundle_of_an_earlier_release_loads(tmp_path: Path, outlook: bool) -> None:
    """With a head that has no interval, all combinations of switches are answered as before."""
    older = without_interval(with_winback(outlook=outlook))
    bundles = []
    for name, trained in (("older", older), ("newer", with_winback(outlook=outlook))):
        tag = save_bundle(
            trained, trained_at=TRAINED_AT, store=tmp_path / name, parity_rows=1_000, code="test"
        )
        bundles.append(load_bundle(find_bundle(tag, tmp_path / name)))
    matrix = make_matrix(np.random.default_rng(1), 30)
    for intervals, departed in itertools.product((True, False), repeat=2):
        asked = [
            one.run(matrix, contributions=True, intervals=intervals, outlook=True, departed=departed)
            for one in bundles
        ]
        assert asked[0].winback_low is None
        assert (asked[1].winback_low is not None) == (intervals and departed)
        assert np.array_equal(asked[0].probabilities["churn"], asked[1].probabilities["churn"])
        if departed:
            assert np.array_equal(asked[0].winback, asked[1].winback)  # type: ignore[arg-type]
        assert (asked[0].low is None) == (asked[1].low is None) == (not (intervals and outlook))


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
