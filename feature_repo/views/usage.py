"""How much an account uses the product, against its own past."""

from __future__ import annotations

from feature_repo.views.making import feature_view, view_spec

usage = feature_view(view_spec("usage"))
