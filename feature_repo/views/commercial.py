"""Plan, limits, contract and payments of an account."""

from __future__ import annotations

from feature_repo.views.making import feature_view, view_spec

commercial = feature_view(view_spec("commercial"))
