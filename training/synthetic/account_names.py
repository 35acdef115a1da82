"""Names of companies that do not exist."""

from __future__ import annotations

_NAME_FIRST = (
    "Alder", "Amber", "Arbor", "Aurora", "Basalt", "Beacon", "Birch", "Blue Heron", "Bright", "Café",
    "Cedar", "Cobalt", "Copper", "Coral", "Delta", "Elm", "Ember", "Fjord", "Garnet", "Glacier",
    "Granite", "Harbor", "Hazel", "Indigo", "Iris", "Juniper", "Kestrel", "Lark", "Lumière", "Maple",
    "Meridian", "Mistral", "Nimbus", "Nørre", "Oak", "Onyx", "Orchid", "Osprey", "Pine", "Prairie",
    "Quartz", "Río", "Saffron", "Sierra", "Slate", "Solstice", "Tundra", "Umbra", "Vega", "Willow",
    "Zephyr", "Zürich",
)  # fmt: skip
_NAME_MIDDLE = (
    "", "", "", " Bay", " Bridge", " Creek", " Field", " Gate", " Hill", " Lake", " Point", " Ridge",
    " River", " Stone", " Street", " Valley",
)  # fmt: skip
_NAME_LAST = (
    "Analytics", "Bikes", "Clinics", "Consulting", "Distribution", "Education", "Energy", "Foods",
    "Freight", "Games", "Group", "Homes", "Insurance", "Labs", "Legal", "Logistics", "Media", "Networks",
    "Outfitters", "Partners", "Robotics", "Software", "Studios", "Supply", "Systems", "Tools", "Travel",
    "Works",
)  # fmt: skip


def company_name(first: float, middle: float, last: float) -> str:
    """Return a name chosen by three uniform values on [0, 1)."""
    start = _NAME_FIRST[int(first * len(_NAME_FIRST))]
    return f"{start}{_NAME_MIDDLE[int(middle * len(_NAME_MIDDLE))]} {_NAME_LAST[int(last * len(_NAME_LAST))]}"
