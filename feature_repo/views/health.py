"""How healthy an account is as a whole, and how that moved."""

from __future__ import annotations

from feature_repo.views.making import feature_view, view_spec

health = feature_view(view_spec("health"))
