"""Which parts of the product an account has taken up."""

from __future__ import annotations

from feature_repo.views.making import feature_view, view_spec

adoption = feature_view(view_spec("adoption"))
