"""Refuses a bundle whose manifest, feature contract and graph do not speak of the same columns and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.bundle.manifest import MANIFEST_FILE
from serving.bundle.outputs import (
    contributions_output,
    interval_outputs,
    outlook_outputs,
    winback_interval_outputs,
    winback_outputs,
)
from serving.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import onnxruntime as ort

    from serving.bundle.manifest import Head, Manifest

EXPLAIN_NAME = "explain"
INTERVALS_NAME = "intervals"
OUTLOOK_NAME = "outlook"
DEPARTED_NAME = "departed"


def check_encodings(manifest: Manifest, path: Path) -> None:
    """Insist that exactly the string features of the model have an encoding.

    Raises:
        BundleError: They don't; it names the feature.
    """
    strings = {feature.name for feature in manifest.contract.model_features if feature.dtype == "String"}
    encoded = {encoding.feature for encoding in manifest.encodings}
    for name in sorted(strings - encoded):
        raise BundleError(f"{path / MANIFEST_FILE}: string feature {name!r} has no encoding")
    for name in sorted(encoded - strings):
        raise BundleError(
            f"{path / MANIFEST_FILE}: {name!r} has an encoding but is no string feature of the model"
        )


def check_graph(session: ort.InferenceSession, manifest: Manifest, file: Path) -> None:
    """Insist that the graph has the inputs, switches, columns and outputs that *manifest* says.

    Raises:
        BundleError: It doesn't; it names the feature or the output.
    """
    features = [feature.name for feature in manifest.contract.model_features]
    inputs = session.get_inputs()
    if [value.name for value in inputs] != [manifest.input_name]:
        raise BundleError(
            f"{file}: needs inputs {[value.name for value in inputs]}; the manifest says "
            f"{manifest.input_name!r}"
        )
    if inputs[0].type != "tensor(double)":
        raise BundleError(f"{file}: input {manifest.input_name!r} is {inputs[0].type}, not tensor(double)")
    switches = {value.name for value in session.get_overridable_initializers()}
    needed = [EXPLAIN_NAME]
    needed += [INTERVALS_NAME] if interval_outputs(manifest) or winback_interval_outputs(manifest) else []
    needed += [OUTLOOK_NAME] if outlook_outputs(manifest) else []
    needed += [DEPARTED_NAME] if manifest.winback is not None else []
    for name in needed:
        if name not in switches:
            raise BundleError(f"{file}: has no optional input {name!r}")
    _check_health(session, manifest, file)
    named = session.get_modelmeta().custom_metadata_map.get("features", "").split("\n")
    for column, (ours, theirs) in enumerate(zip(features, named, strict=False)):
        if ours != theirs:
            raise BundleError(
                f"{file}: column {column} of the graph is {theirs!r}; the feature contract has {ours!r}"
            )
    if len(named) != len(features):
        odd = named[len(features)] if len(named) > len(features) else features[len(named)]
        raise BundleError(
            f"{file}: the graph names {len(named)} columns, the feature contract {len(features)} model "
            f"features; the first without a partner is {odd!r}"
        )
    if inputs[0].shape[1] != len(features):
        raise BundleError(
            f"{file}: takes {inputs[0].shape[1]} columns; the contract has {len(features)} features"
        )
    expected: list[tuple[str, int, str]] = [
        (head.output, len(head.horizons_days), "tensor(double)") for head in manifest.heads
    ]
    expected.append((contributions_output(manifest), len(features), "tensor(float)"))
    more = [
        *interval_outputs(manifest),
        *outlook_outputs(manifest),
        *winback_outputs(manifest),
        *winback_interval_outputs(manifest),
    ]
    expected += [(name, width, "tensor(double)") for name, width in more]
    _check_outputs(session.get_outputs(), expected, file)
    _check_score_head(manifest.heads, manifest, file)


def _check_health(session: ort.InferenceSession, manifest: Manifest, file: Path) -> None:
    told = manifest.trajectory
    if told is None or told.input_name is None:
        return
    widths = {value.name: value.shape[-1] for value in session.get_overridable_initializers() if value.shape}
    if told.input_name not in widths:
        raise BundleError(f"{file}: has no optional input {told.input_name!r}")
    if widths[told.input_name] != len(told.inputs):
        raise BundleError(
            f"{file}: input {told.input_name!r} takes {widths[told.input_name]} columns; the manifest names "
            f"{len(told.inputs)}"
        )


def _check_outputs(outputs: Sequence[Any], expected: Sequence[tuple[str, int, str]], file: Path) -> None:
    found = {value.name: value for value in outputs}
    for name, width, kind in expected:
        if name not in found:
            raise BundleError(f"{file}: has no output {name!r}; it has {sorted(found)}")
        if found[name].type != kind or found[name].shape[-1] != width:
            raise BundleError(
                f"{file}: output {name!r} is {found[name].type} with {found[name].shape[-1]} columns; "
                f"the manifest says {kind} with {width}"
            )


def _check_score_head(heads: Sequence[Head], manifest: Manifest, file: Path) -> None:
    for head in heads:
        if head.name == manifest.score_head and manifest.score_horizon_days not in head.horizons_days:
            raise BundleError(
                f"{file}: head {head.name!r} has no horizon of {manifest.score_horizon_days} "
                "days, which the score needs"
            )
