"""Turns trained models into a bundle in the BentoML model store: graph, LightGBM texts, manifest and card.

Everything is made and checked before the store is touched, so a refused export leaves nothing behind.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from serving.bundle.manifest import (
    BOOSTERS_FOLDER,
    GRAPH_FILE,
    MANIFEST_FILE,
    Calibration,
    ContributionsBase,
    Head,
    Manifest,
    Parity,
    Provenance,
    hash_of,
)
from training.card.facts import card_facts
from training.card.render import render_html, render_markdown
from training.export.code_version import code_version, library_versions
from training.export.contributions import METHOD
from training.export.errors import ExportError
from training.export.graph import INPUT_NAME, BundleGraph, build_graph, contributions_output
from training.export.outlook_manifest import interval_fields, outlook_fields
from training.export.outlook_parity import OUTLOOK_SHARE, check_outlook_parity
from training.export.outlook_parity import TOLERANCE as OUTLOOK_TOLERANCE
from training.export.parity import ROWS, check_parity, measure_fidelity
from training.stages import with_stage

if TYPE_CHECKING:
    from pathlib import Path

    from training.export.contributions import Fidelity
    from training.export.interval_weights import Base
    from training.trained import TrainedModels

MODEL_NAME = "keepgrow"
SCORE_HEAD: Literal["churn"] = "churn"
CARD_FILE = "card.html"
CARD_TEXT_FILE = "card.md"
_FIDELITY_SHARE = 0.2
_FIDELITY_ROWS = 500
# TreeSHAP takes microseconds a row and tree, and more rows do not help: with 15 leaves a tree the mean cosine
# with exact TreeSHAP was 0.984 for 500 rows and for 8,000; only leaves without any row become fewer (17 of
# 2,250, then none).
_BACKGROUND_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class ExportedBundle:
    """All files of a bundle, not yet in any store.

    Attributes:
        manifest: The manifest.
        files: Contents by relative path, the manifest's included.
        parity: How far graph and LightGBM lay apart.
        fidelity: How near contributions come to exact TreeSHAP.
    """

    manifest: Manifest
    files: dict[str, bytes]
    parity: Parity
    fidelity: Fidelity


def export_bundle(
    trained: TrainedModels, *, trained_at: dt.datetime, parity_rows: int = ROWS, code: str | None = None
) -> ExportedBundle:
    """Make and check everything that a bundle holds.

    Args:
        trained: What training gave.
        trained_at: When it did; aware.
        parity_rows: Rows on which graph and LightGBM are compared, at least.
        code: Version of the code; told from the sources if None.

    Raises:
        ParityError: Graph and LightGBM differ.
        UnsupportedTreeError: A booster has something that the graph can't say.
        ExportError: The trained models don't fit their contract.
    """
    began, processor_began = time.perf_counter(), time.process_time()
    if trained_at.tzinfo is None:
        raise ExportError(f"trained_at {trained_at!r} has no time zone")
    names = [feature.name for feature in trained.contract.model_features]
    shape = trained.background.shape
    if len(shape) != 2 or shape[1] != len(names):  # noqa: PLR2004 -- rows and columns
        raise ExportError(f"the background has shape {shape}; the contract has {len(names)} model features")
    graph, fidelity = _graph_and_fidelity(trained, names)
    data = graph.serialized()
    parity = check_parity(data, trained.heads, trained.background, seed=trained.seed, rows=parity_rows)
    further: dict[str, Any] = {
        "rows": max(1, parity_rows // OUTLOOK_SHARE),
        "tolerance": OUTLOOK_TOLERANCE,
    }
    further["largest"] = check_outlook_parity(data, trained, rows=further["rows"])
    told = {"explanations": fidelity.to_dict(), **({"outlook_parity": further} if further["largest"] else {})}
    version = code if code is not None else code_version()
    manifest = _manifest(trained, told, parity, trained_at, version, graph.base).model_copy(
        update={"graph_hash": hash_of(data)}
    )
    if trained.cost is not None:
        spent = (time.perf_counter() - began, time.process_time() - processor_began)
        manifest = manifest.model_copy(update={"cost": with_stage(trained.cost, "export", *spent)})
    files = {
        GRAPH_FILE: data,
        MANIFEST_FILE: manifest.model_dump_json(indent=2).encode(),
        **_card(manifest),
    }
    winback = trained.outlook.winback
    for head in (*trained.heads, *(() if winback is None else (winback,))):
        for days, booster in zip(head.horizons_days, head.boosters, strict=True):
            files[f"{BOOSTERS_FOLDER}/{head.name}_{days}d.txt"] = booster.model_to_string().encode()
    return ExportedBundle(manifest=manifest, files=files, parity=parity, fidelity=fidelity)


def save_bundle(
    trained: TrainedModels,
    *,
    trained_at: dt.datetime,
    store: Path | None = None,
    parity_rows: int = ROWS,
    code: str | None = None,
) -> str:
    """Export *trained* and save it in the BentoML model store.

    Args:
        trained: What training gave.
        trained_at: When it did; aware.
        store: Folder of the model store; BentoML's own (below `BENTOML_HOME`) if None.
        parity_rows: See `export_bundle`.
        code: See `export_bundle`.

    Returns:
        The tag, `keepgrow:VERSION`.

    Raises:
        ExportError: As `export_bundle`; the store is then as it was.
    """
    return store_bundle(
        export_bundle(trained, trained_at=trained_at, parity_rows=parity_rows, code=code), store
    )


def store_bundle(exported: ExportedBundle, store: Path | None = None) -> str:
    """Save an exported bundle in the BentoML model store and return its tag; all of it or nothing.

    Args:
        exported: The bundle.
        store: Folder of the model store; BentoML's own if None.
    """
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")  # usage reporting is read when BentoML is imported
    import bentoml  # noqa: PLC0415 -- costs a second; only saving needs it
    from bentoml._internal.configuration.containers import BentoMLContainer  # noqa: PLC0415 -- no public way
    from bentoml._internal.models import ModelStore  # noqa: PLC0415 -- to choose a store

    if store is None:
        models = BentoMLContainer.model_store.get()
    else:
        store.mkdir(parents=True, exist_ok=True)
        models = ModelStore(store)
    target: Path | None = None
    try:
        with bentoml.models.create(
            MODEL_NAME,
            labels=_labels(exported.manifest),
            metadata=_metadata(exported.manifest),
            _model_store=models,
        ) as model:
            target = models._path / model.tag.path()  # noqa: SLF001 -- where BentoML will put it
            for name, content in {**exported.files, **_card(exported.manifest, str(model.tag))}.items():
                file = model._path / name  # noqa: SLF001 -- `path_of` returns the same as a string
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            tag = str(model.tag)
    except BaseException:
        # BentoML itself cleans up after exceptions, but not after Ctrl-C.
        if target is not None:
            shutil.rmtree(target, ignore_errors=True)
        raise
    return tag


def _card(manifest: Manifest, tag: str | None = None) -> dict[str, bytes]:
    """Return both renderings of the card by file; it names the bundle once the store has given it a *tag*."""
    facts = card_facts(manifest, tag=tag)
    return {CARD_FILE: render_html(facts).encode(), CARD_TEXT_FILE: render_markdown(facts).encode()}


def _graph_and_fidelity(trained: TrainedModels, names: list[str]) -> tuple[BundleGraph, Fidelity]:
    """Build the graph, holding some background rows back to measure its contributions on."""
    days = trained.definitions.score_horizon_days
    order = np.random.default_rng(trained.seed).permutation(len(trained.background))
    held = min(_FIDELITY_ROWS, int(len(order) * _FIDELITY_SHARE))
    background = trained.background[np.sort(order[held : held + _BACKGROUND_ROWS])]
    graph = build_graph(
        trained.heads,
        names,
        background=background,
        score_head=SCORE_HEAD,
        score_horizon_days=days,
        outlook=trained.outlook,
    )
    fidelity = measure_fidelity(
        graph,
        trained.head(SCORE_HEAD),
        days,
        trained.background[np.sort(order[:held])],
        signals=[feature.signal for feature in trained.contract.model_features],
        background_rows=len(background),
    )
    return graph, fidelity


def _manifest(
    trained: TrainedModels,
    told: dict[str, Any],
    parity: Parity,
    trained_at: dt.datetime,
    code: str,
    base: Base,
) -> Manifest:
    definitions = trained.definitions
    contributions_base = ContributionsBase(log_odds=base.log_odds, probability=base.probability)
    return Manifest(
        input_name=INPUT_NAME,
        contract=trained.contract,
        contract_hash=trained.contract.hash,
        encodings=trained.encodings,
        heads=tuple(
            Head(
                name=head.name,
                output=head.name,
                horizons_days=head.horizons_days,
                definition=definitions.sentence(head.name),
                thresholds={
                    horizon: threshold
                    for horizon, threshold in trained.thresholds.get(head.name, {}).items()
                    if math.isfinite(threshold)
                },
                calibrations=tuple(
                    Calibration(slope=platt.slope, intercept=platt.intercept, offsets=platt.offsets)
                    for platt in head.calibrations
                ),
                segment_feature=None
                if head.segment_column is None
                else trained.contract.model_features[head.segment_column].name,
                contributions_output=contributions_output(head.name) if head.name == SCORE_HEAD else None,
                contributions_method=METHOD if head.name == SCORE_HEAD else None,
                contributions_base=contributions_base if head.name == SCORE_HEAD else None,
                **interval_fields(trained.outlook, head.name),
            )
            for head in trained.heads
        ),
        score_head=SCORE_HEAD,
        score_horizon_days=definitions.score_horizon_days,
        tiers=definitions.tiers,
        window=trained.window,
        metrics=_finite({**trained.metrics, **told}),
        parity=parity,
        provenance=Provenance(
            dataset=trained.dataset.name,
            synthetic=trained.dataset.synthetic,
            data_hash=trained.data_hash,
            code_version=code,
            definitions_hash=definitions.hash,
            trained_at=trained_at.astimezone(dt.UTC),
            seed=trained.seed,
            libraries=library_versions(),
            configuration_hash=trained.configuration_hash,
        ),
        null_views=trained.null_views,
        currency=trained.currency,
        **outlook_fields(trained.outlook, definitions),
    )


def _finite(value: Any) -> Any:  # noqa: ANN401 -- any JSON value
    """Return a JSON value with NaN and infinities, which JSON has no words for, as null."""
    if isinstance(value, dict):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _labels(manifest: Manifest) -> dict[str, str]:
    return {
        "dataset": manifest.provenance.dataset,
        "synthetic": str(manifest.provenance.synthetic).lower(),
        "feature_service": manifest.contract.feature_service,
        "score_horizon": f"{manifest.score_horizon_days}d",
    }


def _metadata(manifest: Manifest) -> dict[str, Any]:
    provenance = manifest.provenance
    return {
        "feature_contract": manifest.contract_hash,
        "model_features": len(manifest.contract.model_features),
        "data_hash": provenance.data_hash,
        "definitions_hash": provenance.definitions_hash,
        "code_version": provenance.code_version,
        "trained_at": provenance.trained_at.isoformat(),
        "test_cutoffs": [day.isoformat() for day in manifest.window.test],
        "test_roc_auc": _test_roc_auc(manifest.metrics),
        "parity_max_abs_difference": manifest.parity.max_abs_difference,
    }


def _test_roc_auc(metrics: dict[str, Any]) -> dict[str, float]:
    """Return ROC AUC by head and horizon, where it could be told."""
    found: dict[str, float] = {}
    for head, entry in metrics.get("heads", {}).items():
        for horizon, figures in entry.get("horizons", {}).items():
            value = figures["models"]["keepgrow"]["metrics"]["roc_auc"]["value"]
            if value is not None:
                found[f"{head}_{horizon}"] = value
    return found
