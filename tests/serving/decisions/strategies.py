"""Frames of every kind, for tests of what never happens whatever the input."""

from __future__ import annotations

import math

from hypothesis import strategies as st

from serving.decisions.catalogue import load_catalogue
from tests.serving.decisions.frames import FEATURES, NOON_UTC, frame

numbers = st.none() | st.floats(-10, 1e6) | st.integers(-5, 10_000) | st.sampled_from([math.nan, math.inf])
flags = st.none() | st.booleans()
hours = st.none() | st.integers(0, 23)
texts = {
    "preferred_channel": st.sampled_from([None, "email", "phone", "in_app", "none"]),
    "plan": st.sampled_from([None, "", "starter", "team", "business", "enterprise", "gold", "\N{ROCKET}"]),
    "timezone": st.sampled_from([None, "Europe/Berlin", "Asia/Tokyo", "nowhere", "../etc/passwd"]),
}
features = st.fixed_dictionaries(
    {
        name: texts[name]
        if name in texts
        else (hours if name.startswith("quiet") else flags if isinstance(value, bool) else numbers)
        for name, value in FEATURES.items()
    }
)
frames = st.builds(
    lambda values, churn, surface, status, hour: frame(
        features=values, churn=churn, surface=surface, evidence_status=status, now=NOON_UTC.replace(hour=hour)
    ),
    features,
    st.floats(0, 1),
    st.sampled_from([None, "in_app", "email", "account_card", "daily_list"]),
    st.sampled_from(["full", "thin", "stale"]),
    st.integers(0, 23),
)
PACKAGED = load_catalogue()
