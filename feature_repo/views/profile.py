"""Who an account is, and what policy must know before it acts."""

from __future__ import annotations

from feature_repo.views.making import feature_view, view_spec

profile = feature_view(view_spec("profile"))
