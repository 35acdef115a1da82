"""Where an account stands among those of its segment and plan."""

from __future__ import annotations

from feature_repo.views.making import feature_view, view_spec

peers = feature_view(view_spec("peers"))
