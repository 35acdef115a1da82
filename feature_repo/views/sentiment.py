"""What an account's support tickets say."""

from __future__ import annotations

from feature_repo.views.making import feature_view, view_spec

sentiment = feature_view(view_spec("sentiment"))
