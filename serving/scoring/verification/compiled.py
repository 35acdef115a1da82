"""Checks ready to run: for each account of a call a number with a bit for each check that it fails."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from serving.features.rows import told
from serving.scoring.verification.document import load_verification
from serving.scoring.verification.errors import VerificationError
from serving.scoring.verification.expression import parts_of
from serving.scoring.verification.fields import EXTRA_MRR, told_by

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from serving.bundle.loader import Bundle, Outputs
    from serving.bundle.manifest import Manifest
    from serving.scoring.engine import Asked
    from serving.scoring.verification.document import Check, VerificationDocument
    from serving.scoring.verification.expression import Node, Part

FEW: Final = 8
"""Up to so many accounts are looked at one by one: calls of NumPy cost more than they do."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    """One check: its conditions, of which those that read the context come last, and the slots that they read."""

    bit: int
    parts: tuple[Node, ...]
    slots: tuple[int, ...]
    context_parts: tuple[Node, ...]
    context: tuple[tuple[int, str], ...]


class Verification:
    """Checks that were compiled against what a bundle tells of accounts.

    Attributes:
        document: As they were written.
        checks: Those that are in force, in their order; the bit of one is `1 << place`.
    """

    def __init__(self, document: VerificationDocument, manifest: Manifest) -> None:
        """Compile *document*.

        Raises:
            VerificationError: A check is wrong; every fault is named.
        """
        self.document = document
        self.checks: tuple[Check, ...] = document.checks
        every = told_by(manifest)
        faults: list[str] = []
        found: list[tuple[Part, ...]] = []
        for check in document.checks:
            owner = f"verification {document.name!r}, check {check.id!r}"
            try:
                found.append(parts_of(check.when, owner, every.fields))
            except VerificationError as error:
                faults.append(str(error))
                continue
            if check.effect == "thin" and any(EXTRA_MRR in part.names for part in found[-1]):
                faults.append(
                    f"{owner}: reads {EXTRA_MRR}, which a plain score is not told; its effect may only be `note`, so "
                    "that an account's evidence does not depend on who asks"
                )
        if faults:
            raise VerificationError("; ".join(faults))
        read = {name for parts in found for part in parts for name in part.names}
        model, predicted, constant, extra, context = (
            [name for name in some if name in read]
            for some in (
                every.columns,
                every.predictions,
                every.constants,
                (EXTRA_MRR,),
                sorted(every.policy),
            )
        )
        slots = {name: slot for slot, name in enumerate([*model, *predicted, *constant, *extra, *context])}
        self._columns = [every.columns[name] for name in model]
        self._predictions = tuple(every.predictions[name] for name in predicted)
        self._constants: list[Any] = [every.constants[name] for name in constant]
        self._reads_extra = bool(extra)
        self._room: list[Any] = [None] * len(context)
        self._compiled = tuple(
            _compiled(1 << place, parts, slots, every.policy) for place, parts in enumerate(found)
        )

    def failed(self, code: int) -> tuple[Check, ...]:
        """Return the checks that *code* stands for."""
        return tuple(check for place, check in enumerate(self.checks) if code >> place & 1)

    def codes(self, asked: Asked, outputs: Outputs) -> list[int] | NDArray[np.int64]:
        """Return for each account of *asked*, of which the graph gave *outputs*, which checks it fails: their bits.

        What a check reads and is not known keeps it from failing.
        """
        n = len(asked.known)
        if n <= FEW:
            return [self._code(asked, outputs, row) for row in range(n)]
        values: list[Any] = list(np.ascontiguousarray(asked.matrix.take(self._columns, axis=1).T))
        values += [one.of(outputs, None, np.rint) for one in self._predictions]
        values += self._constants
        if self._reads_extra:
            values.append(np.full(n, np.nan) if outputs.extra_mrr_ratio is None else outputs.extra_mrr_ratio)
        values += self._room
        codes = np.zeros(n, dtype=np.int64)
        with np.errstate(invalid="ignore"):
            for check in self._compiled:
                stands = _meets(check, values, n)
                if stands is None:
                    continue
                if check.context:
                    _read_context(check, values, stands, asked)
                    for holds in check.context_parts:
                        stands &= holds(values)
                codes += check.bit * stands
        return codes

    def _code(self, asked: Asked, outputs: Outputs, row: int) -> int:
        """Return the code of one account; conditions are looked at until one does not hold."""
        line = asked.matrix[row].tolist()
        values = [line[column] for column in self._columns]
        values += [one.of(outputs, row, round) for one in self._predictions]
        values += self._constants
        if self._reads_extra:
            ratio = outputs.extra_mrr_ratio
            values.append(np.nan if ratio is None else ratio.item(row))
        values += self._room
        code = 0
        for check in self._compiled:
            for holds in check.parts:
                if not holds(values):
                    break
            else:
                if self._fails(check, values, asked, row):
                    code += check.bit
        return code

    @staticmethod
    def _fails(check: _Compiled, values: list[Any], asked: Asked, row: int) -> bool:
        """Return whether an account whose *values* meet all conditions but those on the context fails *check*."""
        if any(values[slot] != values[slot] for slot in check.slots):  # NaN differs from itself
            return False
        for slot, name in check.context:
            value = told(asked.rows.context, asked.known[row], name)
            if value is None or value != value:  # noqa: PLR0124 -- only NaN differs from itself
                return False
            values[slot] = value
        return all(holds(values) for holds in check.context_parts)


def _meets(check: _Compiled, values: Sequence[Any], count: int) -> NDArray[np.bool_] | None:
    """Return which of *count* accounts meet all conditions of *check* but those on the context; None if none does."""
    stands: Any = True
    for holds in check.parts:
        stands = holds(values) & stands
        if not np.count_nonzero(stands):
            return None
    for slot in check.slots:
        stands = stands & (values[slot] == values[slot])  # NaN differs from itself
    return stands if isinstance(stands, np.ndarray) else np.full(count, stands)


def _read_context(check: _Compiled, values: list[Any], stands: NDArray[np.bool_], asked: Asked) -> None:
    """Put into *values* what *check* reads of the contexts of the accounts that *stands* marks; unmark the unknown."""
    rows = stands.nonzero()[0].tolist()
    for slot, name in check.context:
        column = np.full(len(stands), np.nan)
        for row in rows:
            value = told(asked.rows.context, asked.known[row], name)
            if value is not None:
                column[row] = value
        values[slot] = column
        stands &= column == column  # noqa: PLR0124 -- only NaN differs from itself


def _compiled(bit: int, parts: Sequence[Part], slots: Mapping[str, int], policy: frozenset[str]) -> _Compiled:
    early = [part for part in parts if not part.names & policy]
    late = [part for part in parts if part.names & policy]
    names = sorted({name for part in parts for name in part.names})
    return _Compiled(
        bit=bit,
        parts=tuple(part.bound(slots) for part in early),
        slots=tuple(slots[name] for name in names if name not in policy),
        context_parts=tuple(part.bound(slots) for part in late),
        context=tuple((slots[name], name) for name in names if name in policy),
    )


def verification_for(document: VerificationDocument | None, manifest: Manifest) -> Verification:
    """Return a company's own checks as they stand, or the packaged ones as far as the bundle tells what they read.

    Args:
        document: Checks of a company's own; None for the packaged ones.
        manifest: Of the bundle.

    Raises:
        VerificationError: One of a company's own does not fit; every fault is named.
    """
    if document is not None:
        return Verification(document, manifest)
    packaged, fields = load_verification(), told_by(manifest).fields
    fitting = []
    for check in packaged.checks:
        try:
            parts_of(check.when, check.id, fields)
        except VerificationError:
            continue
        fitting.append(check)
    return Verification(packaged.model_copy(update={"checks": tuple(fitting)}), manifest)


def verified_by(path: Path | None, bundle: Bundle) -> Bundle:
    """Return *bundle* whose predictions are checked by the file at *path*; the packaged checks if there is none.

    Raises:
        VerificationError: The file can't be read, or a check of it does not fit the bundle; every fault is named.
    """
    if path is None:
        return bundle
    document = load_verification(path)
    Verification(document, bundle.manifest)
    return dataclasses.replace(bundle, verification=document)
