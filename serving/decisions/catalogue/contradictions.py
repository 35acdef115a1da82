"""What contradicts itself in a catalogue whose form is right; all of it, so that one look mends the file."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from serving.decisions.catalogue.parameters import parameter_faults
from serving.decisions.catalogue.pricing_faults import price_faults
from serving.decisions.catalogue.wording_faults import wording_faults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from serving.decisions.catalogue.document import Catalogue
    from serving.decisions.catalogue.offerings import AddOn, Bundle

Key = TypeVar("Key", str, int)


def contradictions(catalogue: Catalogue) -> list[str]:
    """Return a sentence for every contradiction, in the order of the catalogue's parts."""
    return [
        *_repeated_names(catalogue),
        *_add_on_faults(catalogue),
        *_cycles(catalogue),
        *_bundle_faults(catalogue),
        *price_faults(catalogue),
        *wording_faults(catalogue),
        *_action_faults(catalogue),
    ]


def repeated(values: Iterable[Key]) -> list[Key]:
    """Return what occurs more than once in *values*."""
    return [value for value, times in Counter(values).items() if times > 1]


def _repeated_names(catalogue: Catalogue) -> Iterator[str]:
    for kind, parts in (
        ("plan", catalogue.plans),
        ("add-on", catalogue.add_ons),
        ("bundle", catalogue.bundles),
        ("disclosure", catalogue.disclosures),
        ("template", catalogue.templates),
        ("action", catalogue.actions),
    ):
        yield from (f"{kind} key {key!r} is given twice" for key in repeated(part.key for part in parts))
    yield from (f"plans tie on rank {rank}" for rank in repeated(plan.rank for plan in catalogue.plans))
    kinds = (catalogue.plans_by_key, catalogue.add_ons_by_key, catalogue.bundles_by_key)
    for key in repeated(key for kind in kinds for key in kind):
        yield f"{key!r} names two of plan, add-on and bundle"


def _add_on_faults(catalogue: Catalogue) -> Iterator[str]:
    plans, add_ons = catalogue.plans_by_key, catalogue.add_ons_by_key
    for one in catalogue.add_ons:
        who = f"add-on {one.key!r}"
        yield from (f"{who} is for plan {key!r}, which is not in the catalogue"
                    for key in one.plans if key not in plans)  # fmt: skip
        for verb, keys in (("requires", one.requires), ("excludes", one.excludes)):
            yield from (f"{who} {verb} {key!r}, which is no add-on of the catalogue"
                        for key in keys if key not in add_ons)  # fmt: skip
        yield from (
            f"{who} both requires and excludes {key!r}" for key in sorted({*one.requires} & {*one.excludes})
        )
        if one.key in one.excludes:
            yield f"{who} excludes itself"
        for key in one.requires:
            needed = add_ons.get(key)
            if needed is not None and one.plans and needed.plans and not {*one.plans} <= {*needed.plans}:
                lost = ", ".join(sorted({*one.plans} - {*needed.plans}))
                yield f"{who} requires {key!r}, which is not sold beside {lost}"


def _cycles(catalogue: Catalogue) -> Iterator[str]:
    """Yield every cycle of requirements once, from its alphabetically first member."""
    add_ons = catalogue.add_ons_by_key
    seen: set[tuple[str, ...]] = set()

    def walk(key: str, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if key in path:
            yield path[path.index(key) :]
        elif key in add_ons:
            for following in add_ons[key].requires:
                yield from walk(following, (*path, key))

    for start in sorted(add_ons):
        for cycle in walk(start, ()):
            first = cycle.index(min(cycle))
            turned = (*cycle[first:], *cycle[:first])
            if turned not in seen:
                seen.add(turned)
                yield f"add-ons require each other in a circle: {' -> '.join((*turned, turned[0]))}"


def _bundle_faults(catalogue: Catalogue) -> Iterator[str]:
    add_ons = catalogue.add_ons_by_key
    for bundle in catalogue.bundles:
        who = f"bundle {bundle.key!r}"
        yield from (f"{who} holds {key!r} twice" for key in repeated(bundle.add_ons))
        yield from (f"{who} holds {key!r}, which is no add-on of the catalogue"
                    for key in bundle.add_ons if key not in add_ons)  # fmt: skip
        yield from (f"{who} excludes {key!r}, which is no add-on of the catalogue"
                    for key in bundle.excludes if key not in add_ons)  # fmt: skip
        yield from (
            f"{who} excludes its own part {key!r}" for key in bundle.excludes if key in bundle.add_ons
        )
        yield from (f"{who} is for plan {key!r}, which is not in the catalogue"
                    for key in bundle.plans if key not in catalogue.plans_by_key)  # fmt: skip
        yield from _parts_faults(
            bundle, [add_ons[key] for key in bundle.add_ons if key in add_ons], catalogue
        )


def _parts_faults(bundle: Bundle, parts: list[AddOn], catalogue: Catalogue) -> Iterator[str]:
    who = f"bundle {bundle.key!r}"
    for part in parts:
        yield from (f"{who} holds {part.key!r} and {key!r}, which exclude each other"
                    for key in part.excludes if key in bundle.add_ons and key != part.key)  # fmt: skip
        yield from (f"{who} holds {part.key!r} without {key!r}, which it requires"
                    for key in part.requires if key not in bundle.add_ons)  # fmt: skip
        yield from (f"{who} is for plan {plan!r}, beside which its part {part.key!r} is not sold"
                    for plan in bundle.plans if part.plans and plan not in part.plans)  # fmt: skip
    common = set(catalogue.plans_by_key)
    for part in parts:
        common &= {*part.plans} or common
    if not bundle.plans and not common:
        yield f"{who} can't be bought: no plan is shared by all of its parts"


def _action_faults(catalogue: Catalogue) -> Iterator[str]:
    for action in catalogue.actions:
        who = f"action {action.key!r}"
        yield from (f"{who}: {fault}" for fault in (*action.contradictions(), *parameter_faults(action)))
        yield from (f"{who} requires plan {key!r}, which is not in the catalogue"
                    for key in action.requires.plans if key not in catalogue.plans_by_key)  # fmt: skip
        if catalogue.regions:
            yield from (f"{who} is for region {region!r}, which is none of the catalogue's"
                        for region in action.regions if region not in catalogue.regions)  # fmt: skip
        bundle = action.parameters.get("bundle")
        if bundle is not None and bundle not in catalogue.bundles_by_key:
            yield f"{who} offers bundle {bundle!r}, which is not in the catalogue"
    yield from (
        f"approvals for blast radius {radius!r} can't be {count}"
        for radius, count in catalogue.approvals.items()
        if count < 0
    )
