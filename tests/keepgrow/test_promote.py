"""`keepgrow promote` lets sound bundles pass, refuses others with exit code 1, and records both."""

from __future__ import annotations

import getpass
import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
import structlog
import typer
import yaml
from typer.testing import CliRunner

from keepgrow.bento import to_pack
from keepgrow.models import models_app
from keepgrow.promote import promote
from keepgrow.promotions import Promotion, champion_tag, history_file, read_history, record
from keepgrow.up import to_serve
from serving.bundle.store import describe_bundle, find_bundle, list_bundles
from serving.configured import bundle_to_serve
from serving.errors import BundleError
from serving.settings import ServingSettings
from tests.training import rivals
from tests.training.export.small_models import TRAINED_AT
from training.errors import PromotionError
from training.evaluation.held_out import write_test_rows

if TYPE_CHECKING:
    from pathlib import Path

app = typer.Typer()
app.command()(promote)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str, Path]:
    """Return a store with a right and a wrong bundle, their tags, and limits for small tests."""
    folder = tmp_path_factory.mktemp("bentoml") / "models"
    tags = []
    for models in (rivals.RIGHT, rivals.WRONG):
        tag = rivals.save(models, folder)
        write_test_rows(rivals.rows_recorded_by(models), folder, tag)
        tags.append(tag)
    limits = folder.parent / "limits.yaml"
    limits.write_text(
        yaml.safe_dump(rivals.SMALL_LIMITS),
        encoding="utf-8",
    )
    return folder, tags[0], tags[1], limits


@pytest.fixture
def fresh(store: tuple[Path, str, str, Path]) -> tuple[Path, str, str, Path]:
    """Return the store without champion and history."""
    (store[0] / "keepgrow" / "champion").unlink(missing_ok=True)
    history_file(store[0]).unlink(missing_ok=True)
    return store


def run(store: Path, *words: str, command: typer.Typer = app) -> tuple[int, str]:
    """Return exit code and output on a wide terminal."""
    env = {"BENTOML_HOME": str(store.parent), "COLUMNS": "300"}
    result = CliRunner().invoke(command, list(words), env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_a_sound_bundle_becomes_the_champion_and_a_worse_one_does_not(
    fresh: tuple[Path, str, str, Path],
) -> None:
    """The right bundle is promoted; the wrong one is then refused with a table, and the champion stays."""
    folder, right, wrong, limits = fresh
    with pytest.raises(BundleError, match="has been promoted yet"):
        find_bundle("keepgrow:champion", folder)
    code, printed = run(folder, right, "--limits", str(limits), "--by", "ada")
    assert code == 0, printed
    assert f"promoted {right}" in printed
    assert describe_bundle(find_bundle("keepgrow:champion", folder)).tag == right
    code, printed = run(folder, wrong, "--limits", str(limits), "--by", "bob")
    assert code == 1
    for expected in ("refused", "not worse", "log loss not surely over", f"against {right}"):
        assert expected in printed
    assert champion_tag(folder) == right
    first, second = read_history(folder)
    assert (first.by, first.decision, first.tag, first.replaces) == ("ada", "promoted", right, None)
    assert (second.by, second.decision, second.tag, second.replaces) == ("bob", "refused", wrong, right)
    assert any(gate["verdict"] == "refused" for gate in second.gates)
    assert second.limits is not None


def test_a_user_without_a_name_is_on_record_by_number(
    fresh: tuple[Path, str, str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container that runs as a number of its own, nobody has a name; the decision is recorded all the same."""

    def nameless() -> str:
        raise OSError("No username set in the environment")

    monkeypatch.setattr(getpass, "getuser", nameless)
    folder, right, _, limits = fresh
    assert run(folder, right, "--limits", str(limits))[0] == 0
    assert read_history(folder)[-1].by == f"user {os.getuid()}"


def test_the_champion_is_shown(fresh: tuple[Path, str, str, Path]) -> None:
    """The list marks it, `show` says by whom and why, and the history has every decision."""
    folder, right, wrong, limits = fresh
    run(folder, right, "--limits", str(limits), "--by", "ada", "--explain", "first [one]")
    _, listed = run(folder, "list", command=models_app)
    assert next(line for line in listed.splitlines() if right in line).count("champion") == 1
    assert "champion" not in next(line for line in listed.splitlines() if wrong in line)
    _, shown = run(folder, "show", "keepgrow:champion", command=models_app)
    assert "by ada: first [one]" in shown
    _, history = run(folder, "history", command=models_app)
    assert "first [one]" in history
    assert len(list_bundles(folder)) == 2


def test_a_dry_run_changes_nothing(fresh: tuple[Path, str, str, Path]) -> None:
    """The verdict is printed; there is neither a champion nor a history."""
    folder, right, _, limits = fresh
    code, printed = run(folder, right, "--limits", str(limits), "--dry-run")
    assert code == 0
    assert "would be promoted" in printed
    assert champion_tag(folder) is None
    assert read_history(folder) == ()


def test_the_default_limits_refuse_a_bundle_that_was_compared_on_few_rows(
    fresh: tuple[Path, str, str, Path],
) -> None:
    """Without --limits the file beside the gates holds, which asks for ten thousand rows of parity."""
    code, printed = run(fresh[0], fresh[1], "--dry-run")
    assert code == 1
    assert "10000 rows or more" in printed
    assert " -> " not in printed


def test_a_rollback_goes_to_the_champion_before_and_needs_a_reason(
    fresh: tuple[Path, str, str, Path],
) -> None:
    """Back from the second to the first, with the reason on record; a second rollback has nowhere to go."""
    folder, right, wrong, limits = fresh
    run(folder, wrong, "--limits", str(limits))  # refused: it is miscalibrated
    promotion = {"at": TRAINED_AT, "by": "ada", "decision": "promoted"}
    record(folder, Promotion(**promotion, tag=wrong, replaces=None))
    record(folder, Promotion(**promotion, tag=right, replaces=wrong))
    assert run(folder, "--rollback")[0] == 2
    code, printed = run(folder, "--rollback", "--explain", "alerts doubled")
    assert code == 0
    assert f"rolled back from {right} to {wrong}" in printed
    assert champion_tag(folder) == wrong
    assert read_history(folder)[-1].reason == "alerts doubled"
    with pytest.raises(PromotionError, match="no champion before"):
        run(folder, "--rollback", "--explain", "again")


def test_a_decision_against_a_champion_that_is_no_more_is_not_carried_out(
    fresh: tuple[Path, str, str, Path],
) -> None:
    """Two people promote at once: the second one's comparison no longer holds, and it is said."""
    folder, right, wrong, _ = fresh
    promotion = {"at": TRAINED_AT, "by": "ada", "decision": "promoted", "replaces": None}
    record(folder, Promotion(**promotion, tag=right))
    with pytest.raises(PromotionError, match="became the champion meanwhile"):
        record(folder, Promotion(**promotion, tag=wrong))
    assert champion_tag(folder) == right
    assert len(read_history(folder)) == 1


def test_a_line_cut_off_by_a_crash_does_not_spoil_the_next(fresh: tuple[Path, str, str, Path]) -> None:
    """What was half written stays a damaged line of its own, which reading names."""
    folder, right, _, _ = fresh
    history_file(folder).write_text('{"at": "2026-', encoding="utf-8")
    record(folder, Promotion(at=TRAINED_AT, by="ada", tag=right, replaces=None, decision="promoted"))
    lines = history_file(folder).read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[1])["tag"] == right
    with pytest.raises(PromotionError, match=r"jsonl:1: "):
        read_history(folder)


def test_a_champion_that_was_deleted_is_said_and_never_replaced_silently(
    fresh: tuple[Path, str, str, Path],
) -> None:
    """The pointer names a version that is gone: an error, not another bundle."""
    folder = fresh[0]
    (folder / "keepgrow" / "champion").write_text("gone", encoding="utf-8")
    with pytest.raises(BundleError, match="keepgrow:gone is no longer"):
        find_bundle("keepgrow:champion", folder)


def test_no_tag_and_no_rollback_is_a_usage_error(fresh: tuple[Path, str, str, Path]) -> None:
    """The message says what to give."""
    code, printed = run(fresh[0])
    assert code == 2
    assert "keepgrow:latest" in printed


def test_an_explanation_reaches_the_gates(fresh: tuple[Path, str, str, Path], tmp_path: Path) -> None:
    """What is too good is refused without words and promoted with them, and the history keeps gate and words."""
    folder, right, _, limits = fresh
    stricter = tmp_path / "stricter.yaml"
    values = yaml.safe_load(limits.read_text(encoding="utf-8")) | {"suspicion": {"max_auc": 0.6}}
    stricter.write_text(yaml.safe_dump(values), encoding="utf-8")
    code, printed = run(folder, right, "--limits", str(stricter))
    assert code == 1
    assert "not too good" in printed
    assert run(folder, right, "--limits", str(stricter), "--explain", "simulated")[0] == 0
    (gate,) = [gate for gate in read_history(folder)[-1].gates if gate["name"] == "not too good"]
    assert (gate["verdict"], gate["note"]) == ("explained", "simulated")


def test_what_a_file_of_limits_changes_is_printed(fresh: tuple[Path, str, str, Path]) -> None:
    """Each value that is not as shipped has a line."""
    folder, right, _, limits = fresh
    printed = run(folder, right, "--limits", str(limits), "--dry-run")[1]
    assert "limit    samples 300 -> 40" in printed
    assert "limit    parity.min_rows 10000 -> 1000" in printed


def test_what_was_not_promoted_is_served_by_name_only(
    fresh: tuple[Path, str, str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Service and bento take the champion; while there is none they take the latest, and warn."""
    folder, right, latest, _ = fresh
    monkeypatch.setenv("BENTOML_HOME", str(folder.parent))
    assert ServingSettings().model == "keepgrow"
    with structlog.testing.capture_logs() as logs:
        assert f"keepgrow:{bundle_to_serve('keepgrow').name}" == latest
    assert [(line["event"], line["model"], line["log_level"]) for line in logs] == [
        ("no_champion", latest, "warning")
    ]
    assert to_pack("keepgrow") == latest
    assert "no bundle was promoted yet" in capsys.readouterr().out
    record(folder, Promotion(at=TRAINED_AT, by="ada", tag=right, replaces=None, decision="promoted"))
    with structlog.testing.capture_logs() as logs:
        assert f"keepgrow:{bundle_to_serve('keepgrow').name}" == right
        assert f"keepgrow:{bundle_to_serve('keepgrow:latest').name}" == latest
    assert logs == []
    assert to_pack("keepgrow") == right
    assert capsys.readouterr().out == ""


def test_up_serves_the_champion_of_its_own_data(
    fresh: tuple[Path, str, str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a champion, and with one of other data, what was trained is served; else the champion is."""
    shutil.copytree(fresh[0], tmp_path / "models")
    folder, right, trained = tmp_path / "models", fresh[1], fresh[2]
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    assert to_serve(trained) == trained
    record(folder, Promotion(at=TRAINED_AT, by="ada", tag=right, replaces=None, decision="promoted"))
    assert to_serve(trained) == right
    file = find_bundle(right, folder) / "manifest.json"
    manifest = json.loads(file.read_text(encoding="utf-8"))
    manifest["provenance"]["dataset"] = "another"
    file.write_text(json.dumps(manifest), encoding="utf-8")
    assert to_serve(trained) == trained
    shutil.rmtree(file.parent)
    assert to_serve(trained) == trained
