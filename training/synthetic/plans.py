"""The plans and product features of the synthetic vendor: prices in USD, limits, availability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan.

    Attributes:
        key: Key in subscriptions and catalogue.
        name: Name for people.
        mrr_list: List price a month in USD, with `seats_included` seats.
        price_per_seat: List price a month in USD of each further seat.
        seats_included: Seats in `mrr_list`.
        seats_max: Most seats that the plan can have.
        api_calls_limit_per_month: API calls included in a month.
        storage_limit_gb: Storage included.
        features_available: The plan includes the first so many of `PRODUCT_FEATURES`.
    """

    key: str
    name: str
    mrr_list: float
    price_per_seat: float
    seats_included: int
    seats_max: int
    api_calls_limit_per_month: float
    storage_limit_gb: float
    features_available: int

    def list_mrr(self, seats: int) -> float:
        """Return the list price a month in USD with *seats* seats."""
        return self.mrr_list + self.price_per_seat * max(seats - self.seats_included, 0)


@dataclass(frozen=True, slots=True)
class ProductFeature:
    """One feature of the vendor's product: key in `feature_usage`, words for tickets, tier."""

    key: str
    words: str
    tier: str


PLANS: tuple[Plan, ...] = (
    Plan("starter", "Starter", 49.0, 9.0, 5, 15, 10_000.0, 10.0, 9),
    Plan("team", "Team", 199.0, 12.0, 15, 60, 100_000.0, 100.0, 14),
    Plan("business", "Business", 899.0, 14.0, 60, 300, 1_000_000.0, 1_000.0, 20),
    Plan("enterprise", "Enterprise", 4_900.0, 15.0, 300, 5_000, 10_000_000.0, 10_000.0, 24),
)
TOP_PLAN = len(PLANS) - 1

PRODUCT_FEATURES: tuple[ProductFeature, ...] = (
    ProductFeature("contacts", "contacts", "core"),
    ProductFeature("tasks", "tasks", "core"),
    ProductFeature("search", "search", "core"),
    ProductFeature("dashboards", "dashboards", "core"),
    ProductFeature("comments", "comments", "core"),
    ProductFeature("calendar", "the shared calendar", "core"),
    ProductFeature("csv_export", "CSV export", "core"),
    ProductFeature("email_sync", "e-mail sync", "core"),
    ProductFeature("mobile_app", "the mobile app", "core"),
    ProductFeature("reports", "reports", "core"),
    ProductFeature("templates", "templates", "core"),
    ProductFeature("chat_integration", "the chat integration", "core"),
    ProductFeature("custom_fields", "custom fields", "advanced"),
    ProductFeature("workflow_rules", "workflow rules", "advanced"),
    ProductFeature("rest_api", "the REST API", "advanced"),
    ProductFeature("webhooks", "webhooks", "advanced"),
    ProductFeature("forecasting", "forecasting", "advanced"),
    ProductFeature("role_permissions", "role permissions", "advanced"),
    ProductFeature("bulk_import", "bulk import", "advanced"),
    ProductFeature("scheduled_reports", "scheduled reports", "advanced"),
    ProductFeature("single_sign_on", "single sign-on", "advanced"),
    ProductFeature("audit_log", "the audit log", "advanced"),
    ProductFeature("sandbox", "the sandbox", "advanced"),
    ProductFeature("data_warehouse_sync", "the data warehouse sync", "advanced"),
)

SEATS_INCLUDED: NDArray[np.int64] = np.array([plan.seats_included for plan in PLANS], dtype=np.int64)
SEATS_MAX: NDArray[np.int64] = np.array([plan.seats_max for plan in PLANS], dtype=np.int64)
LOG_API_LIMIT: NDArray[np.float64] = np.log([plan.api_calls_limit_per_month for plan in PLANS])
LOG_STORAGE_LIMIT: NDArray[np.float64] = np.log([plan.storage_limit_gb for plan in PLANS])
FEATURES_AVAILABLE: NDArray[np.int64] = np.array([plan.features_available for plan in PLANS], dtype=np.int64)


def catalogue_document() -> dict[str, Any]:
    """Return the plans as the document that is written as `catalogue.yaml` beside the tables."""
    return {
        "version": 1,
        "currency": CURRENCY,
        "plans": [
            {
                "key": plan.key,
                "name": plan.name,
                "rank": rank,
                "mrr_list": plan.mrr_list,
                "price_per_seat": plan.price_per_seat,
                "seats_included": plan.seats_included,
                "seats_max": plan.seats_max,
                "api_calls_limit_per_month": int(plan.api_calls_limit_per_month),
                "storage_limit_gb": plan.storage_limit_gb,
            }
            for rank, plan in enumerate(PLANS)
        ],
    }
