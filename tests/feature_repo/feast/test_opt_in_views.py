"""Opt-in views in Feast: there once they have files, in services of their own, and taking pushes."""

from __future__ import annotations

import datetime as dt

import pytest

from feature_repo.contract_compiler import compile_contract
from feature_repo.errors import ContractError, PipelineError
from feature_repo.pipeline.views import OPT_IN_VIEWS, VIEWS, view
from feature_repo.services import SERVICE_NAME, opted_into, service_name, service_with_files
from feature_repo.store import apply, materialize, push
from tests.feature_repo.feast.random_features import END, row, write_features, write_view

NAMES = [spec.name for spec in OPT_IN_VIEWS]


def services(store):
    """Return the views of every registered service, by the service's name."""
    return {
        one.name: [part.name for part in one.feature_view_projections]
        for one in store.list_feature_services()
    }


def write_opt_in(settings, names=NAMES, accounts=("a",)):
    """Write files of the opt-in views *names*."""
    for number, name in enumerate(names):
        write_view(settings.features_dir, view(name), accounts, [END], seed=90 + number)


def test_a_name_says_which_views_a_service_adds():
    """The name is the same in whatever order views are asked for, and says what was asked for."""
    assert service_name() == SERVICE_NAME
    assert service_name(["external", "procurement"]) == "keepgrow_v1_with_procurement_external"
    assert opted_into("keepgrow_v1_with_procurement_external") == ("procurement", "external")
    assert opted_into(SERVICE_NAME) == opted_into("somebody_elses") == ()
    with pytest.raises(
        ContractError, match="'usage' is no view that a training can ask for; those are procur"
    ):
        service_name(["usage"])


def test_without_files_the_registry_is_as_if_there_were_no_opt_in_views(store):
    """One service of the views that every bundle reads, and a service that was asked for is said to be absent."""
    assert services(store) == {SERVICE_NAME: [spec.name for spec in VIEWS]}
    with pytest.raises(ContractError, match="no feature service 'keepgrow_v1_with_external'"):
        compile_contract(store, service_name(["external"]))
    with pytest.raises(
        ContractError, match="does not hold the view external; build its features, then apply"
    ):
        push(store, "external_push", [row(view("external"), "a", END)], END)


def test_a_view_without_files_can_not_be_learnt_from(settings):
    """The error names the table to bring."""
    write_opt_in(settings, ["procurement"])
    assert service_with_files(["procurement"], settings.features_dir) == "keepgrow_v1_with_procurement"
    assert service_with_files([], settings.features_dir) == SERVICE_NAME
    with pytest.raises(
        PipelineError, match="no feature files of the view external; bring the table external_signals"
    ):
        service_with_files(["procurement", "external"], settings.features_dir)


def test_with_files_there_is_a_service_for_each_choice_and_the_first_stays_as_it_was(store, settings):
    """A contract has the features that were asked for behind those of every bundle; the usual one does not change."""
    usual = compile_contract(store, SERVICE_NAME)
    write_opt_in(settings)
    apply(store, settings.features_dir)
    always = [spec.name for spec in VIEWS]
    assert services(store) == {
        SERVICE_NAME: always,
        "keepgrow_v1_with_procurement": [*always, "procurement"],
        "keepgrow_v1_with_external": [*always, "external"],
        "keepgrow_v1_with_procurement_external": [*always, "procurement", "external"],
    }
    assert compile_contract(store, SERVICE_NAME).hash == usual.hash
    more = compile_contract(store, service_name(["external"]))
    assert more.features[: len(usual.features)] == usual.features
    assert [one.name for one in more.features[len(usual.features) :]] == [
        one.name for one in view("external").served
    ]


def test_a_view_whose_files_are_gone_leaves_the_registry_with_its_services(store, settings):
    """What is left names only views that are there."""
    write_opt_in(settings)
    apply(store, settings.features_dir)
    for file in (settings.features_dir / "procurement").iterdir():
        file.unlink()
    apply(store, settings.features_dir)
    assert set(services(store)) == {SERVICE_NAME, "keepgrow_v1_with_external"}
    assert "procurement" not in {one.name for one in store.list_feature_views()}


def test_opt_in_views_are_materialized_with_the_others_and_take_pushes(store, settings):
    """A pushed row replaces the daily one at once, read by Feast's own client."""
    write_features(settings.features_dir, ["a"])
    write_opt_in(settings)
    apply(store, settings.features_dir)
    assert [done.view for done in materialize(store, END)] == [spec.name for spec in VIEWS] + NAMES
    later = END + dt.timedelta(minutes=5)
    told = row(view("procurement"), "a", later, procurement_stage="negotiation", procurement_stage_rank=4)
    assert push(store, "procurement_push", [told], later) == 1
    answer = store.get_online_features(
        ["procurement:procurement_stage", "procurement:procurement_stage_rank"], [{"account_id": "a"}]
    ).to_dict()
    assert (answer["procurement_stage"], answer["procurement_stage_rank"]) == (["negotiation"], [4])
