"""Predictions that contradict what is known of an account fail checks, alone and among others, on every road alike."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from serving.batch.feature_table import feature_rows
from serving.batch.score_table import score_table
from serving.bundle.manifest import AmountOutput
from serving.bundle.outputs import Outputs
from serving.configured import fitting_policy
from serving.decisions.catalogue import load_catalogue
from serving.scoring.engine import Asked, scoring_tables
from serving.scoring.verification.compiled import Verification, verification_for, verified_by
from serving.scoring.verification.document import load_verification, parse_verification
from serving.scoring.verification.errors import VerificationError
from serving.scoring.written import write
from tests.serving.world import IDLE, NOW

if TYPE_CHECKING:
    from pathlib import Path

    from serving.bundle.loader import Bundle
    from tests.serving.conftest import World

SOUND = {
    "mrr": 900.0, "seats": 20, "is_trial": False, "has_active_subscription": True, "auto_renew": True,
    "days_to_term_end": 200, "active_days_28d": 20, "invoices_overdue": 0,
}  # fmt: skip
LOW = {"churn": 0.1, "upsell": 0.0, "extra": 0.2}
CASES: list[tuple[str, dict[str, Any], dict[str, float], str]] = [
    ("all is well", {}, {}, ""),
    ("nothing runs", {"mrr": 0.0, "has_active_subscription": False}, {}, "no_subscription"),
    ("whether something runs is not known", {"mrr": 0.0, "has_active_subscription": None}, {}, ""),
    ("a trial", {"mrr": 0.0, "is_trial": True}, {}, "unpaid_trial"),
    ("a paying account that tries more", {"is_trial": True}, {}, ""),
    ("the term is over", {"days_to_term_end": -1, "auto_renew": False}, {}, "term_is_over"),
    ("it renewed by itself", {"days_to_term_end": -1}, {}, ""),
    ("it ended", {"days_to_term_end": -1, "auto_renew": False, "has_active_subscription": False}, {}, ""),
    ("the term ends", {"days_to_term_end": 90, "auto_renew": False}, {}, "low_risk_at_term_end"),
    ("the term ends later", {"days_to_term_end": 91, "auto_renew": False}, {}, ""),
    ("nobody knows how it goes on", {"days_to_term_end": 90, "auto_renew": None}, {}, ""),
    ("the term ends, and the risk is known", {"days_to_term_end": 90, "auto_renew": False}, {"churn": 0.245}, ""),
    ("just within the tier", {"days_to_term_end": 90, "auto_renew": False}, {"churn": 0.2449999},
     "low_risk_at_term_end"),
    ("nobody uses it", {"active_days_28d": 0}, {}, "low_risk_without_use"),
    ("a few seats", {"active_days_28d": 0, "seats": 4}, {}, ""),
    ("more than certain", {}, {"churn": 0.6, "upsell": 0.400001}, "leaves_and_expands"),
    ("certain", {}, {"churn": 0.6, "upsell": 0.4}, ""),
    ("it owes", {"invoices_overdue": 1}, {"upsell": 0.9}, "expands_while_owing"),
    ("it owes and does not expand", {"invoices_overdue": 1}, {}, ""),
    ("large", {}, {"extra": 3.01}, "large_extra_mrr"),
    ("as large as can be", {}, {"extra": 3.0}, ""),
    ("two at once", {"active_days_28d": 0, "mrr": 0.0, "has_active_subscription": False}, {},
     "no_subscription low_risk_without_use"),
]  # fmt: skip


@pytest.fixture(scope="module")
def bundle(world: World) -> Bundle:
    """Return the world's bundle with a known threshold for upsell, and an amount."""
    bundle = world.bundle
    heads = tuple(
        head.model_copy(update={"thresholds": {**head.thresholds, "90d": 0.5}})
        for head in bundle.manifest.heads
    )
    return dataclasses.replace(
        bundle, manifest=bundle.manifest.model_copy(update={"heads": heads, "amount": AmountOutput()})
    )


def asked_of(world: World, bundle: Bundle, changes: list[dict[str, Any]]) -> Asked:
    """Return what to ask of one account with *changes* each."""
    first = world.features.to_pylist()[0]
    lines = [{**first, **SOUND, **one, "account_id": f"acme-{row}"} for row, one in enumerate(changes)]
    return Asked.of(
        feature_rows(pa.RecordBatch.from_pylist(lines, schema=world.features.schema), bundle.manifest)
    )


def outputs_of(predictions: list[dict[str, float]]) -> Outputs:
    """Return a graph's answer with these probabilities at the last horizon."""
    told = [{**LOW, **one} for one in predictions]
    by_head = {
        head: np.array([[0.0, 0.0, one[head]] for one in told], dtype=np.float64)
        for head in ("churn", "upsell")
    }
    return Outputs(by_head, None, extra_mrr_ratio=np.array([one["extra"] for one in told]))


def ids(verification: Verification, code: int) -> str:
    """Return the ids of the checks that *code* stands for."""
    return " ".join(check.id for check in verification.failed(code))


@pytest.mark.parametrize(("name", "account", "predicted", "expected"), CASES, ids=[case[0] for case in CASES])
def test_each_packaged_check_fails_what_it_should_and_nothing_else(
    world: World,
    bundle: Bundle,
    name: str,
    account: dict[str, Any],
    predicted: dict[str, float],
    expected: str,
) -> None:
    """A contradiction fails its check; a step beside it, or a value that is not known, does not."""
    verification = verification_for(None, bundle.manifest)
    asked = asked_of(world, bundle, [account])
    assert ids(verification, verification.codes(asked, outputs_of([predicted]))[0]) == expected, name


def test_accounts_fail_the_same_alone_and_among_others(world: World, bundle: Bundle) -> None:
    """Many accounts are checked on arrays to what each fails alone, with others between that nobody knows."""
    verification = verification_for(None, bundle.manifest)
    asked = asked_of(world, bundle, [account for _, account, _, _ in CASES])
    outputs = outputs_of([predicted for _, _, predicted, _ in CASES])
    assert [ids(verification, code) for code in verification.codes(asked, outputs)] == [
        case[3] for case in CASES
    ]
    rows = dataclasses.replace(asked.rows, known=np.arange(len(CASES)) % 2 == 1)
    some = dataclasses.replace(
        outputs,
        probabilities={head: values[1::2] for head, values in outputs.probabilities.items()},
        extra_mrr_ratio=None,
    )
    found = verification.codes(Asked.of(rows), some)
    expected = [case[3].replace("large_extra_mrr", "") for case in CASES[1::2]]
    assert [ids(verification, code) for code in found] == expected


def test_an_account_that_fails_is_thin_and_decided_about_no_further(world: World) -> None:
    """Score, written JSON and batch agree: without a subscription evidence is thin and no action is proposed."""
    bundle = world.bundle
    line = {**world.features.to_pylist()[-1], **SOUND, "mrr": 0.0, "has_active_subscription": False}
    table = pa.RecordBatch.from_pylist([line] * 10, schema=world.features.schema)
    asked = Asked.of(feature_rows(table, bundle.manifest))
    written = write(asked, bundle.run(asked.matrix, contributions=True), bundle, NOW)
    for one in json.loads(b"[" + written.scores + b"]"):
        assert one["evidence"]["status"] == "thin"
        assert one["evidence"]["reasons"] == ["failed_check"]
        assert one["evidence"]["failed_checks"][0] == {
            "id": "no_subscription", "concerns": "churn", "effect": "thin",
            "text": "No subscription runs, so there is none to leave or to expand.",
        }  # fmt: skip
        assert not one["expansion_ready"]
    catalogue = load_catalogue()
    scores = score_table(table, bundle, catalogue, fitting_policy(None, catalogue, bundle), NOW).to_pylist()
    assert line["account_id"] == IDLE
    # Actions that win back are not stopped by what is thin of having no subscription; this account never had one.
    assert {one["reason_code"] for one in scores} == {"never_left"}
    assert {one["action_key"] for one in scores} == {None}
    assert all("no_subscription" in one["failed_checks"] for one in scores)


def test_a_note_is_shown_and_stops_nothing(world: World, tmp_path: Path) -> None:
    """A company's own check with the effect `note` leaves the evidence full, and stands in it."""
    file = tmp_path / "checks.yaml"
    file.write_text(
        "name: own\nchecks: [{id: pays, concerns: amount, when: mrr > 0.0, effect: note, text: It pays.}]",
        encoding="utf-8",
    )
    bundle = verified_by(file, world.bundle)
    asked = asked_of(world, bundle, [{}])
    outputs = bundle.run(asked.matrix, contributions=True)
    (score,) = json.loads(b"[" + write(asked, outputs, bundle, NOW).scores + b"]")
    assert score["evidence"]["status"] == "full"
    assert [check["id"] for check in score["evidence"]["failed_checks"]] == ["pays"]
    assert scoring_tables(world.bundle).verification.document.name == "packaged"


def test_checks_of_ones_own_must_fit_the_bundle(bundle: Bundle, tmp_path: Path) -> None:
    """A field that the bundle lacks, and evidence that would depend on who asks, are refused together, by check."""
    file = tmp_path / "checks.yaml"
    file.write_text(
        "name: own\nchecks:\n"
        "- {id: one, concerns: churn, when: moood > 1.0, effect: note, text: x}\n"
        "- {id: two, concerns: amount, when: extra_mrr_ratio > 1.0, effect: thin, text: x}\n",
        encoding="utf-8",
    )
    with pytest.raises(VerificationError) as caught:
        verified_by(file, bundle)
    assert "check 'one': no such field: moood" in str(caught.value)
    assert "check 'two': reads extra_mrr_ratio, which a plain score is not told" in str(caught.value)
    assert verified_by(None, bundle).verification is None


def test_packaged_checks_are_cut_down_to_what_a_bundle_tells(bundle: Bundle) -> None:
    """A bundle without an amount and without a threshold has the packaged checks that do not read them."""
    manifest = bundle.manifest
    heads = tuple(head.model_copy(update={"thresholds": {}}) for head in manifest.heads)
    less = manifest.model_copy(update={"amount": None, "heads": heads})
    found = {check.id for check in verification_for(None, less).checks}
    every = {check.id for check in load_verification().checks}
    assert every - found == {"large_extra_mrr", "expands_while_owing"}


def test_without_checks_nothing_fails(world: World, bundle: Bundle) -> None:
    """An empty file is a file: no account fails."""
    verification = Verification(parse_verification("{name: none, checks: []}", "none"), bundle.manifest)
    asked = asked_of(world, bundle, [account for _, account, _, _ in CASES])
    assert not any(verification.codes(asked, outputs_of([{} for _ in CASES])))
