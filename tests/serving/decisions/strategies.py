"""Frames of every kind, for tests of what never happens whatever the input."""

from __future__ import annotations

import dataclasses
import math

from hypothesis import strategies as st

from serving.decisions.catalogue import load_catalogue
from serving.decisions.frame import Effect
from tests.serving.decisions.frames import FEATURES, LEFT, NOON_UTC, frame, leaver

numbers = st.none() | st.floats(-10, 1e6) | st.integers(-5, 10_000) | st.sampled_from([math.nan, math.inf])
flags = st.none() | st.booleans()
hours = st.none() | st.integers(0, 23)
texts = {
    "preferred_channel": st.sampled_from([None, "email", "phone", "in_app", "none"]),
    "plan": st.sampled_from([None, "", "starter", "team", "business", "enterprise", "gold", "\N{ROCKET}"]),
    "plan_at_end": st.sampled_from([None, "", "starter", "team", "enterprise", "gold"]),
    "timezone": st.sampled_from(
        [None, "Europe/Berlin", "Asia/Tokyo", "Asia/Kathmandu", "nowhere", "../etc/passwd"]
    ),
    "region": st.sampled_from([None, "", "europe", "latin_america", "atlantis"]),
    "locale": st.sampled_from([None, "", "x", "de", "de-CH", "pt-BR", "fr_FR", "a" * 99, "\N{ROCKET}"]),
    "segment": st.sampled_from([None, "smb", "enterprise"]),
}
features = st.fixed_dictionaries(
    {
        name: texts[name]
        if name in texts
        else (hours if name.startswith("quiet") else flags if isinstance(value, bool) else numbers)
        for name, value in FEATURES.items()
    }
)
scattered = st.builds(
    lambda values, churn, surface, status, hour: frame(
        features=values, churn=churn, surface=surface, evidence_status=status, now=NOON_UTC.replace(hour=hour)
    ),
    features,
    st.floats(0, 1),
    st.sampled_from([None, "in_app", "email", "account_card", "daily_list"]),
    st.sampled_from(["full", "thin", "stale"]),
    st.integers(0, 23),
)
"""Frames of which any part may be anything; hardly one of them gets an action."""
PACKAGED = load_catalogue()
FITTING = {**FEATURES, "days_to_term_end": 30, "touches_28d": 9}
fitting = st.builds(
    lambda mrr, churn, surface, changes: frame(
        features={**FITTING, "mrr": mrr, **changes}, churn=churn, surface=surface
    ),
    st.floats(0, 1e5),
    st.floats(0, 1),
    st.sampled_from([None, None, "account_card", "in_app"]),
    st.dictionaries(st.sampled_from(sorted(FITTING)), st.none(), max_size=1),
)
"""Frames of accounts that nothing but their value keeps from most actions; one value may be missing."""
leavers = st.builds(
    lambda mrr, days, back, changes: leaver(
        back=back, features={"mrr_at_end": mrr, "days_since_end": days, **changes}
    ),
    st.floats(0, 1e5),
    st.floats(30, 365) | st.floats(-1, 400),
    st.none() | st.floats(0, 1),
    st.dictionaries(st.sampled_from(sorted(LEFT)), st.none(), max_size=1),
)
"""Frames of accounts that have left, and that nothing but their value keeps from most actions that win back."""
frames = fitting | leavers | scattered
effects = st.builds(
    Effect,
    st.one_of(st.floats(-0.1, 0.3), st.floats(0.01, 0.2), st.floats(-1, 1), st.none()),
    st.one_of(st.floats(0, 0.03), st.floats(0, 0.01), st.floats(0, 0.3), st.none()),
    st.sampled_from(["uplift", "uplift", "blend", "prior"]),
    st.sampled_from(["x", "dr", "none"]),
    st.integers(0, 10_000),
)
learnt_frames = st.builds(
    lambda one, upsell, effects, window, ratio: dataclasses.replace(
        one,
        upsell_probability={"30d": upsell / 3, "60d": upsell / 2, "90d": upsell},
        effects=effects,
        effects_window_days=window,
        extra_mrr_ratio=ratio,
    ),
    frames,
    st.floats(0, 1),
    st.dictionaries(
        st.sampled_from([name for one in PACKAGED.actions for name in (one.key, one.type)]),
        st.dictionaries(
            st.sampled_from(["retained", "expanded", "returned"]), effects, min_size=1, max_size=2
        ),
        min_size=3,
        max_size=9,
    ),
    st.sampled_from([None, 30, 90, 180]),
    st.none() | st.floats(0, 5),
)
"""Frames whose bundle has learnt effects of some actions, by key or by type, and some of them only believed."""
