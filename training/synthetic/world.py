"""The synthetic world as a whole: settings in; tables, truth and plans out, complete or not at all.

Accounts are made in blocks of 250; every block has its own random streams and knows of the others only the
incidents that they share, so memory is bounded by a block and the order of work changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import yaml

from feature_repo.tables.dataset import DatasetInfo, save_dataset_info
from training.synthetic import incidents as failing
from training.synthetic.accounts import populate, with_onboarding
from training.synthetic.billing import invoice_table
from training.synthetic.calendar import REGIONS, Calendar, make_calendar
from training.synthetic.history import simulate
from training.synthetic.plans import PLANS, catalogue_document
from training.synthetic.settings import BLOCK_ACCOUNTS, WorldReport, WorldSettings
from training.synthetic.streams import Purpose, stream
from training.synthetic.tickets import ticket_table
from training.synthetic.touches import engagement_table
from training.synthetic.treatment_rows import treatment_table
from training.synthetic.truth import EFFECTS_SCHEMA, HAZARDS_SCHEMA, effect_table, hazard_table
from training.synthetic.truth_readme import truth_readme
from training.synthetic.usage import feature_table, usage_tables
from training.synthetic.writing import (
    CATALOGUE_FILE,
    TRUTH_FOLDER,
    PartWriter,
    refuse_other_content,
    replaced_when_complete,
)

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

Progress = Callable[[str, int, int], None]
STAGE = "Simulating accounts"


def generate(
    settings: WorldSettings, dest: Path, progress: Progress | None = None, *, force: bool = False
) -> WorldReport:
    """Make the synthetic world of *settings* at *dest*; an earlier synthetic world there is replaced.

    Equal settings give equal tables. The world appears at *dest* only when it is complete; until then, and
    after an interruption, *dest* is as it was.

    Args:
        settings: What world to make.
        dest: Folder for the nine raw tables, `dataset.yaml`, `catalogue.yaml` and `truth/`.
        progress: Called with a stage, the accounts done and all accounts.
        force: Replace whatever folder stands at *dest*.

    Raises:
        SyntheticWorldError: *dest* holds something else, or can't be written.
    """
    began = time.monotonic()
    refuse_other_content(dest, force=force)
    tell = progress or _silently
    calendar = make_calendar(settings.start, settings.days)
    with replaced_when_complete(dest) as folder:
        with PartWriter(folder) as raw, PartWriter(folder / TRUTH_FOLDER) as truth:
            shared = failing.shared_incidents(calendar, stream(settings.seed, Purpose.INCIDENTS))
            regions = tuple(region.key for region in REGIONS)
            raw.add("incidents", 0, failing.incident_table(shared, regions, "syn-shared-n", calendar.end_us))
            tell(STAGE, 0, settings.accounts)
            for block in range(settings.blocks):
                first = block * BLOCK_ACCOUNTS
                if first % settings.part_accounts == 0 and block:
                    raw.end_part()
                    truth.end_part()
                _block(settings, calendar, block, shared, raw=raw, truth=truth)
                tell(STAGE, first + settings.block_size(block), settings.accounts)
        info = DatasetInfo(
            name=f"synthetic-{settings.accounts}x{settings.days}-seed{settings.seed}",
            synthetic=True,
            end_day=settings.end,
            plan_order=tuple(plan.key for plan in PLANS),
        )
        save_dataset_info(info, folder)
        catalogue = yaml.safe_dump(catalogue_document(), sort_keys=False)
        (folder / CATALOGUE_FILE).write_text(catalogue, encoding="utf-8")
        (folder / TRUTH_FOLDER / "README.md").write_text(truth_readme(settings), encoding="utf-8")
    return WorldReport(dest, settings, dict(raw.rows), dict(truth.rows), time.monotonic() - began)


def _block(
    settings: WorldSettings,
    calendar: Calendar,
    block: int,
    shared: failing.Incidents,
    *,
    raw: PartWriter,
    truth: PartWriter,
) -> None:
    def rng(purpose: Purpose, part: int = 0) -> np.random.Generator:
        return stream(settings.seed, purpose, block, part)

    seed, paths = settings.seed, settings.truth_paths
    first = block * BLOCK_ACCOUNTS
    part = first // settings.part_accounts
    people = populate(calendar, first, settings.block_size(block), rng(Purpose.ACCOUNTS))
    own = failing.account_incidents(calendar, people.size, rng(Purpose.INCIDENTS, 1))
    impact = failing.impact_matrix(calendar, shared, people.traits.region)
    impact += failing.impact_matrix(calendar, own, people.traits.region)
    history = simulate(people, calendar, impact, rng(Purpose.LIFECYCLE))
    met = failing.while_active(own, history.active)

    raw.add("accounts", part, with_onboarding(people, calendar, history.onboarded_day))
    raw.add("subscriptions", part, history.book.table())
    pieces, sessions = usage_tables(people, history, calendar, impact, rng(Purpose.USAGE))
    for piece in pieces:
        raw.add("usage_daily", part, piece)
    features = feature_table(
        people, history, calendar, impact, sessions=sessions, rng=rng(Purpose.FEATURE_USAGE)
    )
    raw.add("feature_usage", part, features)
    raw.add("support_tickets", part, ticket_table(people, history, calendar, impact, rng(Purpose.TICKETS)))
    raw.add("invoices", part, invoice_table(people, history, calendar, rng(Purpose.INVOICES)))
    raw.add("engagements", part, engagement_table(people, history, calendar, rng(Purpose.ENGAGEMENTS)))
    raw.add(
        "incidents", part, failing.incident_table(met, people.ids, f"syn-b{block:04d}-n", calendar.end_us)
    )
    raw.add("treatments", part, treatment_table(people, history, calendar, rng(Purpose.TREATMENTS)))
    truth.add(
        "hazards",
        part,
        hazard_table(people, history, calendar, seed=seed, block=block, paths=paths),
        HAZARDS_SCHEMA,
    )
    truth.add(
        "treatment_effects",
        part,
        effect_table(people, history, calendar, seed=seed, block=block, paths=paths),
        EFFECTS_SCHEMA,
    )


def _silently(_stage: str, _done: int, _total: int) -> None:
    """Show no progress."""
