"""`keepgrow verification` lists checks, refuses what does not fit, and measures what fails them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from keepgrow.verification import verification_app
from keepgrow.verification_measure import Told, lines
from serving.scoring.verification.document import parse_verification
from serving.scoring.verification.errors import VerificationError
from tests.serving.conftest import world

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving.conftest import World

__all__ = ["world"]


@pytest.fixture
def store(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return the world whose model store commands look into."""
    monkeypatch.setattr("keepgrow.verification.find_bundle", lambda _: world.bundle.path)
    return world


@pytest.mark.usefixtures("store")
def test_checks_and_their_fields_are_listed() -> None:
    """The packaged checks stand with concern, effect and sentence, and what the bundle does not tell is named."""
    listed = CliRunner().invoke(verification_app, ["check"], env={"COLUMNS": "200"})
    assert listed.exit_code == 0, listed.output
    assert "no_subscription" in listed.output
    assert "left out" in listed.output
    fields = CliRunner().invoke(verification_app, ["fields"], env={"COLUMNS": "200"})
    assert {"churn_risk", "in_lowest_tier", "has_active_subscription"} <= set(fields.output.split())
    assert "timezone" not in fields.output.split()


@pytest.mark.usefixtures("store")
def test_a_check_that_does_not_fit_is_refused_by_name(tmp_path: Path) -> None:
    """A field that the bundle lacks is an error with the check's id."""
    file = tmp_path / "own.yaml"
    file.write_text(
        "name: own\nchecks: [{id: one, concerns: churn, when: moood > 1.0, effect: note, text: x}]"
    )
    found = CliRunner().invoke(verification_app, ["check", "--verification", str(file)])
    assert isinstance(found.exception, VerificationError)
    assert "check 'one': no such field: moood" in str(found.exception)


def test_what_fails_a_check_is_held_against_the_rest_and_against_itself() -> None:
    """What fails where risks are told too low has a Brier score over the expected one, what fails by chance near it."""
    random = np.random.default_rng(7)
    n = 4000
    truth = random.uniform(0.1, 0.6, n)
    wrong = np.arange(n) % 4 == 0
    told = Told(
        account_id=np.array([f"acme-{row // 2}" for row in range(n)], dtype=object),
        cutoff=np.full(n, np.datetime64(dt.date(2026, 3, 1))),
        codes=wrong.astype(np.int64) + 2 * (random.random(n) < 0.3),
        probability={"churn": np.where(wrong, truth / 10, truth)},
        outcome={"churn": (random.random(n) < truth).astype(np.float64)},
    )
    text = "name: x\nchecks:\n" + "".join(
        f"- {{id: {name}, concerns: churn, when: mrr > 0.0, effect: note, text: x}}\n"
        for name in ("bad", "good")
    )
    bad, good = lines(told, parse_verification(text, "x").checks, seed=7)
    assert bad[:5] == ("bad", "note", "25.00%", "1000", "1000")
    (ratio, low), (of_good, low_of_good) = (
        (float(line[-1].split()[0]), float(line[-1].split("[")[1].split(",")[0])) for line in (bad, good)
    )
    assert ratio > low > 2 > of_good
    assert low_of_good < of_good
    none = np.zeros(n, dtype=np.int64)
    few = Told(told.account_id, told.cutoff, none, told.probability, told.outcome)
    assert lines(few, parse_verification(text, "x").checks, seed=7)[0][2:] == (
        "0.00%",
        "0",
        "0",
        "",
        "",
        "",
        "",
    )
