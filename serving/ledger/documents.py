"""Policies, catalogues and feature contracts by their hashes, so that every decision's rules can be read for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import orjson
import sqlalchemy as sa

from feature_repo.contract import canonical_hash
from serving.errors import LedgerError
from serving.ledger.tables import DOCUMENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from serving.decisions.catalogue import Catalogue
    from serving.decisions.policy.document import PolicyDocument

DocumentKind = Literal["policy", "catalogue", "feature_contract"]


@dataclass(frozen=True, slots=True)
class Document:
    """What decisions were made by.

    Attributes:
        kind: What it is.
        hash: What decisions name it by: the canonical hash of `content`.
        content: JSON.
    """

    kind: DocumentKind
    hash: str
    content: Any

    def __post_init__(self) -> None:
        if canonical_hash(self.content) != self.hash:
            raise LedgerError(f"the {self.kind} named {self.hash} has another content than its name says")


def documents_of(policy: PolicyDocument, catalogue: Catalogue, contract: dict[str, Any]) -> list[Document]:
    """Return what decisions by *policy*, *catalogue* and the feature *contract* (its JSON) rest on."""
    return [
        Document("policy", policy.hash, policy.model_dump(mode="json")),
        Document("catalogue", catalogue.hash, catalogue.canonical),
        Document("feature_contract", canonical_hash(contract), contract),
    ]


def put_documents(connection: sa.Connection, documents: Iterable[Document]) -> None:
    """Write those of *documents* that are not there yet."""
    for document in documents:
        if connection.execute(sa.select(1).where(DOCUMENTS.c.hash == document.hash)).first() is None:
            content = orjson.dumps(document.content)
            connection.execute(
                DOCUMENTS.insert().values(hash=document.hash, kind=document.kind, content=content)
            )


def get_document(connection: sa.Connection, kind: DocumentKind, name: str) -> Document:
    """Return the document of *kind* whose hash is *name*.

    Raises:
        LedgerError: There is none, or its content is not what its name says.
    """
    wanted = sa.select(DOCUMENTS.c.content).where(DOCUMENTS.c.hash == name, DOCUMENTS.c.kind == kind)
    content = connection.execute(wanted).scalar()
    if content is None:
        raise LedgerError(f"the ledger holds no {kind} {name}")
    return Document(kind, name, orjson.loads(content))
