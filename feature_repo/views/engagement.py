"""How an account answers to being spoken to."""

from __future__ import annotations

from feature_repo.views.making import feature_view, view_spec

engagement = feature_view(view_spec("engagement"))
