"""What happens outside the account; there only once its files are, and read only by bundles that asked for it."""

from __future__ import annotations

from feature_repo.views.making import opt_in_view

external = opt_in_view("external")
