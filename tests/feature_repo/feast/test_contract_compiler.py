"""A feature service becomes a feature contract."""

from __future__ import annotations

import datetime as dt

import pytest
from feast import FeatureService, FeatureView, Field
from feast.infra.online_stores.helpers import _mmh3
from feast.types import Array, Float64, String

from feature_repo.contract import FeatureContract
from feature_repo.contract_compiler import compile_contract
from feature_repo.entities import account
from feature_repo.errors import ContractError
from feature_repo.pipeline.views import VIEWS
from feature_repo.sources import batch_source


def extra_view(settings, dtype, ttl, feature="extra_7d", name="extra"):
    """Return a view of one feature."""
    source = batch_source(VIEWS[0], settings.features_dir)
    source.name = f"{name}_daily"
    schema = [Field(name="account_id", dtype=String), Field(name=feature, dtype=dtype)]
    return FeatureView(name=name, entities=[account], ttl=ttl, schema=schema, source=source)


def test_the_contract_says_what_the_specifications_say(store):
    """Order, types, roles, words, limits and Redis fields of every feature are those of the views."""
    contract = compile_contract(store, "keepgrow_v1")
    assert [(one.name, one.limit_seconds) for one in contract.views] == [
        (spec.name, spec.freshness_days * 86400) for spec in VIEWS
    ]
    expected = [(spec, feature) for spec in VIEWS for feature in spec.served]
    assert len(contract.features) == len(expected)
    for found, (spec, feature) in zip(contract.features, expected, strict=True):
        assert (found.view, found.name, found.dtype, found.role) == (
            spec.name, feature.name, feature.dtype, feature.role,
        )  # fmt: skip
        assert (found.description, found.signal, found.text) == (
            feature.description, feature.signal, feature.text,
        )  # fmt: skip
        assert bytes.fromhex(found.redis_field_hex) == _mmh3(f"{spec.name}:{feature.name}")
    assert (contract.project, contract.join_key) == ("keepgrow", "account_id")


def test_the_contract_survives_json(store):
    """A contract that was written and read again is the same, hash included."""
    contract = compile_contract(store, "keepgrow_v1")
    again = FeatureContract.model_validate_json(contract.model_dump_json())
    assert again == contract
    assert again.hash == contract.hash


def test_an_unknown_service_is_refused(store):
    """The error lists the services that there are."""
    with pytest.raises(ContractError, match=r"no feature service 'v9' \(it holds: keepgrow_v1\)"):
        compile_contract(store, "v9")


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ((Array(Float64), dt.timedelta(days=1)), "served features are"),
        ((Float64, None), "the view extra has no ttl"),
        ((Float64, dt.timedelta(days=1), VIEWS[0].features[0].name), "have the same name; rename one"),
    ],
)
def test_a_service_that_cannot_be_served_is_refused(store, settings, definition, message):
    """A type that can't be decoded, a view without a limit and a name used twice stop the compilation."""
    view = extra_view(settings, *definition)
    store.apply([account, view, FeatureService(name="odd", features=[store.get_feature_view("usage"), view])])
    with pytest.raises(ContractError, match=message):
        compile_contract(store, "odd")
