"""`keepgrow ledger`, `replay`, `forget`, `policy explain` and `policy diff` on a ledger that a service wrote."""

from __future__ import annotations

import dataclasses
import datetime as dt
import shutil
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
import yaml
from typer.testing import CliRunner, Result

from feature_repo.tables.treatments import TREATMENTS
from keepgrow.__main__ import build_app
from serving.decisions.arms import Arms
from serving.decisions.holdouts import Holdouts
from serving.decisions.next_best_action import decide
from serving.decisions.policy.compiled import Policy
from serving.decisions.policy.document import PACKAGED_POLICY, load_policy
from serving.errors import LedgerError
from serving.ledger.database import Database
from serving.ledger.decisions import answer_json, decision_entry
from serving.ledger.documents import documents_of, put_documents
from serving.ledger.outcomes import Outcome, record_outcome
from serving.ledger.schema import migrate
from serving.ledger.transaction import Transaction
from tests.serving.decisions.frames import NOON_UTC, frame
from tests.serving.ledger.test_replay import CATALOGUE, CONTRACT, FIELDS
from training.treatments import read_treatments

if TYPE_CHECKING:
    from pathlib import Path

    from serving.decisions.decision import Decision

HALF = Policy(load_policy().model_copy(update={"holdouts": Holdouts(share=0.5), "arms": Arms()}), FIELDS)
LOTTERY = Policy(
    load_policy().model_copy(
        update={"holdouts": Holdouts(share=0.2), "arms": Arms(random_eligible=0.3, propensity_only=0.1)}
    ),
    FIELDS,
)
DAY = dt.timedelta(days=1)


@dataclasses.dataclass(frozen=True)
class Written:
    """A ledger with a decision on each of forty accounts, half of them held out."""

    folder: Path
    decisions: dict[str, Decision]

    @property
    def url(self) -> str:
        """Its address."""
        return f"sqlite:///{self.folder / 'ledger.db'}"

    def winners(self) -> list[Decision]:
        """Return the decisions that propose an action."""
        return [one for one in self.decisions.values() if one.winner is not None]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Return a ledger to copy."""
    folder = tmp_path_factory.mktemp("ledger")
    written = Written(folder, {})
    database = Database(written.url)
    migrate(database)
    with database.writing() as connection:
        put_documents(connection, documents_of(HALF.document, CATALOGUE, CONTRACT.model_dump(mode="json")))
        ledger = Transaction(connection)
        for number in range(40):
            one = frame(
                account_id=f"acme-{number:04d}",
                feature_contract=CONTRACT.hash,
                features={"open_tickets": 9 if number % 5 == 0 else 0},
            )
            decision = decide(one, CATALOGUE, HALF)
            written.decisions[one.account_id] = decision
            ledger.add(decision_entry(one, decision.decision_id, answer_json(decision)))
    database.close()
    return written


@pytest.fixture
def written(template: Written, tmp_path: Path) -> Written:
    """Return a copy of the ledger."""
    shutil.copytree(template.folder, tmp_path, dirs_exist_ok=True)
    return Written(tmp_path, template.decisions)


def run(*words: str) -> Result:
    """Return what `keepgrow WORDS` does on a wide terminal."""
    return CliRunner().invoke(build_app(words[0]), list(words), env={"COLUMNS": "250"})


def change(written: Written, statement: str) -> None:
    """Run *statement* on the ledger behind its back."""
    with Database(written.url).writing() as connection:
        connection.execute(sa.text("DROP TRIGGER contents_only_emptied"))
        connection.execute(sa.text(statement))


def test_verify_says_that_all_is_sound_or_where_it_is_not(written: Written) -> None:
    """A sound ledger gives an anchor, which a later call takes; a changed one is named by its first broken entry."""
    sound = run("ledger", "verify", "--ledger", written.url)
    assert sound.exit_code == 0
    assert "40 entries are sound, 0 of them emptied on record; 3 documents are sound" in sound.stdout
    anchor = sound.stdout.split("anchor: ")[1].strip()
    assert run("ledger", "verify", "--ledger", written.url, "--anchor", anchor).exit_code == 0
    change(written, "UPDATE contents SET content = x'7b7d' WHERE seq > 16")
    broken = run("ledger", "verify", "--ledger", written.url)
    assert broken.exit_code == 1
    assert "BROKEN at entry 17 (decision dec_" in broken.stdout
    wrong = run("ledger", "verify", "--ledger", written.url, "--anchor", "seventeen")
    assert isinstance(wrong.exception, LedgerError)


def test_replay_says_that_the_same_comes_out_or_what_does_not(written: Written) -> None:
    """A decision is decided again from the ledger alone; a record that doesn't follow is shown place by place."""
    one = next(iter(written.decisions.values()))
    same = run("replay", one.decision_id, "--ledger", written.url)
    assert same.exit_code == 0, same.output
    assert f"the same {len(answer_json(one))} bytes come out" in same.stdout
    body = answer_json(one).replace(b'"code":"', b'"code":"not_')
    with Database(written.url).writing() as connection:
        entry = decision_entry(frame(feature_contract=CONTRACT.hash), "dec_forged", body)
        Transaction(connection).add(entry)
    other = run("replay", "dec_forged", "--ledger", written.url)
    assert other.exit_code == 1
    assert "/reason/code" in other.stdout
    assert isinstance(run("replay", "dec_none", "--ledger", written.url).exception, LedgerError)


def test_forget_empties_an_account_and_the_chain_stays_sound(written: Written) -> None:
    """What is forgotten can't be replayed; everything else can, and the chain is verified."""
    one, other = list(written.decisions.values())[:2]
    assert run("forget", one.account_id, "--ledger", written.url).exit_code == 0
    assert run("replay", other.decision_id, "--ledger", written.url).exit_code == 0
    assert isinstance(run("replay", one.decision_id, "--ledger", written.url).exception, LedgerError)
    assert "1 of them emptied on record" in run("ledger", "verify", "--ledger", written.url).stdout
    again = run("forget", one.account_id, "--ledger", written.url)
    assert (again.exit_code, "no such account" in again.stdout) == (1, True)


def test_export_writes_every_entry(written: Written, tmp_path: Path) -> None:
    """The Parquet file has a row an entry, with its content as it is in the ledger; kinds can be chosen."""
    run("forget", "acme-0003", "--ledger", written.url)
    assert run("ledger", "export", str(tmp_path / "all.parquet"), "--ledger", written.url).exit_code == 0
    rows = pq.read_table(tmp_path / "all.parquet").to_pylist()
    assert [row["seq"] for row in rows] == list(range(1, 42))
    assert orjson.loads(rows[0]["content"])["answer"] == orjson.loads(
        answer_json(written.decisions["acme-0000"])
    )
    assert (rows[0]["account_id"], rows[0]["at"]) == ("acme-0000", NOON_UTC)
    assert (rows[3]["account_id"], rows[3]["content"]) == (None, None)
    kind = ["ledger", "export", str(tmp_path / "one.parquet"), "--ledger", written.url, "--kind", "erasure"]
    assert run(*kind).exit_code == 0
    assert pq.read_table(tmp_path / "one.parquet").num_rows == 1
    assert not list(tmp_path.glob(".*"))


def test_prune_empties_what_is_old(written: Written) -> None:
    """Contents past the age are emptied on record, younger ones are not."""
    keep = ["ledger", "prune", "--older-than", "30", "--ledger", written.url, "--now"]
    assert "0 contents" in run(*keep, "2026-04-01").stdout
    assert "40 contents" in run(*keep, "2026-04-02").stdout
    assert "40 of them emptied" in run("ledger", "verify", "--ledger", written.url).stdout


def test_migrate_makes_a_ledger_and_says_when_there_is_nothing_to_do(tmp_path: Path) -> None:
    """The first call makes the tables, the second finds them."""
    words = ["ledger", "migrate", "--ledger", f"sqlite:///{tmp_path / 'new' / 'ledger.db'}"]
    assert "brought to version" in run(*words).stdout
    assert "is at version" in run(*words).stdout


def test_without_an_address_the_only_ledger_is_meant(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is an error, one is taken, two are an error that names them; reading never makes a file."""
    home = written.folder / "home"
    monkeypatch.setenv("KEEPGROW_HOME", str(home))
    monkeypatch.delenv("LEDGER_URL", raising=False)
    assert "no ledger below" in str(run("ledger", "verify").exception)
    for name in ("synthetic", "other"):
        (home / name).mkdir(parents=True)
        shutil.copy(written.folder / "ledger.db", home / name)
        result = run("ledger", "verify")
        assert (result.exit_code == 0) == (name == "synthetic")
    assert "2 ledgers" in str(result.exception)
    nowhere = run("ledger", "verify", "--ledger", f"sqlite:///{home / 'nowhere.db'}")
    assert "no such file" in str(nowhere.exception)
    assert not (home / "nowhere.db").exists()


def test_explain_shows_each_candidate_with_the_values_that_its_rule_read(written: Written) -> None:
    """Every action of the catalogue is there; a refusal by policy names the rule, the fields and their values."""
    one = next(
        decision
        for number, decision in enumerate(written.decisions.values())
        if number % 5 == 0 and not HALF.holdouts.of(decision.account_id)
    )
    result = run("policy", "explain", one.decision_id, "--ledger", written.url)
    assert result.exit_code == 0, result.output
    for action in CATALOGUE.actions:
        assert action.key in result.stdout
    assert "open_tickets = 9.0" in result.stdout
    assert "action_open_tickets_max = " in result.stdout


def test_diff_shows_changed_rules_and_changed_decisions(written: Written, tmp_path: Path) -> None:
    """A policy that holds nobody out changes the decisions of those that were, and of no one else."""
    content = yaml.safe_load(PACKAGED_POLICY.read_text(encoding="utf-8"))
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text(yaml.safe_dump({**content, "holdouts": {"share": 0.5}}), encoding="utf-8")
    rules = [
        {**rule, "text": "Other words"} if rule["id"] == "incident_quiet" else rule
        for rule in content["rules"]
    ]
    new.write_text(
        yaml.safe_dump({**content, "holdouts": {"share": 0.0}, "rules": rules[:-1]}), encoding="utf-8"
    )
    result = run("policy", "diff", str(old), str(new))
    assert result.exit_code == 0, result.output
    assert f"- rule {rules[-1]['id']}" in result.stdout
    assert "~ holdouts" in result.stdout
    new.write_text(yaml.safe_dump({**content, "holdouts": {"share": 0.0}}), encoding="utf-8")
    result = run("policy", "diff", str(old), str(new), "--on", "ledger", "--ledger", written.url)
    assert result.exit_code == 0, result.output
    held = [name for name in written.decisions if HALF.holdouts.of(name)]
    assert f"40 past decisions, {len(held)} would change" in result.stdout
    assert "nothing: holdout" in result.stdout


def test_treatments_are_draws_with_their_chances(written: Written, tmp_path: Path) -> None:
    """Whoever was held out has the action that would have been best; both arms have the chance of their draw."""
    with Database(written.url).writing() as connection:
        ledger = Transaction(connection)
        for decision, event, extra in zip(
            written.winners(), ("lost", "converted", "clicked"), (None, 120.0, None), strict=False
        ):
            sent = Outcome(decision.decision_id, event, at=NOON_UTC + 5 * DAY, extra_mrr=extra)  # type: ignore[arg-type]
            record_outcome(ledger, sent, now=NOON_UTC + 9 * DAY, rejection_days=90)
    dest = tmp_path / "treatments.parquet"
    words = ["ledger", "treatments", str(dest), "--ledger", written.url, "--now", "2026-12-01"]
    result = run(*words)
    assert result.exit_code == 0, result.output
    table = pq.read_table(dest)
    assert table.column_names == [column.name for column in TREATMENTS.columns]
    rows = {row["account_id"]: row for row in table.to_pylist()}
    held = {name for name in rows if HALF.holdouts.of(name)}
    assert {name for name, row in rows.items() if row["arm"] == "held_out"} == held
    assert {row["propensity"] for row in rows.values()} == {0.5}
    winners = written.winners()
    assert {one.account_id for one in winners} == set(rows) - held
    assert held
    for one in winners:
        assert rows[one.account_id]["action"] == one.winner.action.type  # type: ignore[union-attr]
    outcome = ("outcome_retained", "outcome_expanded", "outcome_extra_mrr")
    assert [rows[winners[0].account_id][name] for name in outcome] == [False, None, None]
    assert [rows[winners[1].account_id][name] for name in outcome] == [None, True, 120.0]
    assert [rows[winners[2].account_id][name] for name in outcome] == [None, None, None]
    assert run(*words, "--silence-is-known").exit_code == 0
    rows = {row["account_id"]: row for row in pq.read_table(dest).to_pylist()}
    assert [rows[winners[0].account_id][name] for name in outcome] == [False, False, 0.0]
    assert [rows[winners[1].account_id][name] for name in outcome] == [True, True, 120.0]
    assert all(rows[name]["outcome_retained"] is True for name in held)


def test_effects_weighted_by_the_chances_of_all_arms_are_the_true_ones(tmp_path: Path) -> None:
    """Of actions drawn by holdouts, arms and lots, inverse propensity weights find what each type changes."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrate(Database(url))
    truth = {"send_enablement_guide": 0.3, "start_trial_or_upgrade": 0.0}
    chance = np.random.default_rng(3)
    with Database(url).writing() as connection:
        put_documents(connection, documents_of(LOTTERY.document, CATALOGUE, CONTRACT.model_dump(mode="json")))
        ledger = Transaction(connection)
        for number in range(3_000):
            one = frame(account_id=f"acme-{number:04d}", feature_contract=CONTRACT.hash)
            decision = decide(one, CATALOGUE, LOTTERY)
            ledger.add(decision_entry(one, decision.decision_id, answer_json(decision)))
            lifted = 0.0 if decision.winner is None else truth.get(decision.winner.action.type, 0.0)
            if chance.random() < 0.5 - lifted:
                lost = Outcome(decision.decision_id, "lost", at=NOON_UTC + 5 * DAY)
                record_outcome(ledger, lost, now=NOON_UTC + 9 * DAY, rejection_days=90)
    dest = tmp_path / "treatments.parquet"
    words = ["ledger", "treatments", str(dest), "--ledger", url, "--now", "2026-12-01", "--silence-is-known"]
    assert run(*words).exit_code == 0
    rows = pq.read_table(dest).to_pandas()
    assert rows["treatment_id"].is_unique
    assert set(truth) <= set(rows["action"])
    for kind, effect in truth.items():
        of = rows[rows["action"] == kind]
        stayed = of["outcome_retained"].to_numpy(dtype=float)
        signs = np.where(of["arm"] == "treated", 1.0, -1.0)
        weighted = signs * stayed / of["propensity"].to_numpy()
        error = weighted.std() / np.sqrt(len(of))
        assert abs(weighted.mean() - effect) < 4 * error, (kind, weighted.mean(), error)
        assert error < 0.15


def test_treatments_can_be_learnt_from(written: Written, tmp_path: Path) -> None:
    """Training reads the table as the raw-table contract says, and finds both arms."""
    folder = tmp_path / "raw"
    words = ["ledger", "treatments", str(folder / "treatments.parquet"), "--ledger", written.url]
    assert run(*words, "--silence-is-known", "--now", "2026-12-01").exit_code == 0
    found = read_treatments(folder, known_by=dt.date(2026, 12, 1))
    assert found is not None
    draws, left_out = found
    assert len(draws) == pq.read_metadata(folder / "treatments.parquet").num_rows
    assert set(draws.arm.tolist()) >= {0, 1}
    assert left_out.open == left_out.deterministic == 0


def test_the_same_draw_is_not_counted_twice(written: Written, tmp_path: Path) -> None:
    """Decisions for the same account and action within the window are one draw, those after it another."""
    first = written.winners()[0]
    with Database(written.url).writing() as connection:
        ledger = Transaction(connection)
        for days in (1, 89, 91):
            later = frame(
                account_id=first.account_id,
                feature_contract=CONTRACT.hash,
                features={"open_tickets": 0},
                now=NOON_UTC + days * DAY,
            )
            decision = decide(later, CATALOGUE, HALF)
            ledger.add(decision_entry(later, decision.decision_id, answer_json(decision)))
    dest = tmp_path / "treatments.parquet"
    run("ledger", "treatments", str(dest), "--ledger", written.url)
    rows = [row for row in pq.read_table(dest).to_pylist() if row["account_id"] == first.account_id]
    assert [row["treated_at"] - NOON_UTC for row in rows] == [0 * DAY, 91 * DAY]
