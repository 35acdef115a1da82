"""From measurements to bounds, tables, the file of results and the documentation."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from loadtests.bench.bounds import figures
from loadtests.bench.bulk import BulkRound
from loadtests.bench.documentation import BEGIN, END, picture, write_documentation
from loadtests.bench.latency_svg import Line, latency_svg
from loadtests.bench.plan import HEADLINE
from loadtests.bench.results import Results, read_results
from loadtests.bench.sample import QUANTILES, Sample, latency_quantiles, ratio, select
from loadtests.bench.tables import server_rows

SVG = "{http://www.w3.org/2000/svg}"


def sample(server, number, rps, p99=5.0, **changes):
    """Return a measurement of a second at the headline scenario."""
    values = {
        "workers": 1, "scenario": HEADLINE, "model": "closed", "connections": 8, "rate": 0.0, "errors": {},
        "latency_ms": {str(share): p99 * share for share in QUANTILES}, "cpu_ms": 0.3, "store_cpu_ms": 0.1,
        "rss_mb": 150.0, "rss_total_mb": 280.0, "generator_busy_ratio": 0.2, "late_p99_ms": 0.0, "seconds": 1.0,
    }  # fmt: skip
    return Sample(server=server, round=number, requests=rps, **{**values, **changes})


def results(*samples):
    """Return results that hold *samples*."""
    return Results(
        plan="quick", made_at="2026-03-01T00:00:00+00:00", accounts=10_000, features=80, trees=300,
        model="keepgrow:abc", bento="keepgrow:def", samples=samples,
        bulk=(BulkRound(10.0, 300.0, {}), BulkRound(12.0, 300.0, {})), starts={"ours": [3.0, 9.0, 4.0]},
    )  # fmt: skip


def both(floor=(1000, 2000, 1500), ours=(900, 1500, 1500)):
    """Return three rounds of the floor and of the service."""
    return [sample("floor", i, rps) for i, rps in enumerate(floor)] + [
        sample("ours", i, rps) for i, rps in enumerate(ours)
    ]


def parsed(svg):
    """Return the picture as elements; malformed markup fails."""
    return ET.fromstring(svg)  # noqa: S314 - we drew it ourselves


def by_key(found):
    """Return figures by their keys."""
    return {figure.key: figure for figure in found}


def test_a_ratio_compares_what_was_measured_in_the_same_round():
    """The machine's speed changes from round to round; the median is taken of each round's own ratio."""
    spread = ratio(both(), "ours", "floor", HEADLINE)
    assert (spread.median, spread.least, spread.most) == (0.9, 0.75, 1.0)


def test_a_bound_is_judged_by_the_median():
    """Figures below the bound pass or fail by their direction."""
    found = by_key(results(*both()).figures)
    assert found["score.rps_ratio_to_floor"].passed
    assert found["bulk500.speedup_over_feast_sdk"].value == 27.5
    assert found["start_seconds"].value == 4.0
    slow = by_key(figures([sample("ours", 0, 100, p99=30.0)], [], []))
    assert not slow["score.p99_ms"].passed
    assert not slow["score.p999_ms"].passed


def test_what_was_not_measured_does_not_pass():
    """A figure without a measurement is neither shown nor passed."""
    found = by_key(figures([], [], []))
    assert not found["score.rps_ratio_to_floor"].measured
    assert not found["score.rps_ratio_to_floor"].passed
    assert not found["score.p99_ms"].passed


def test_errors_of_the_service_break_a_bound():
    """A single failed request is told."""
    found = by_key(figures([sample("ours", 0, 100, errors={"status 503": 1})], [], []))
    assert found["errors"].value == 1
    assert not found["errors"].passed


def test_the_file_of_results_has_the_documented_keys_and_can_be_read_again(tmp_path):
    """What was written is read back whole."""
    file = tmp_path / "build" / "bench.json"
    written = results(*both())
    written.write(file)
    content = json.loads(file.read_text(encoding="utf-8"))
    assert content["score"]["rps_ratio_to_floor"] == 0.9
    assert {"rps_ratio_to_floor", "rps_ratio_to_ordinary", "p99_ms", "p999_ms"} <= content["score"].keys()
    assert content["score"]["rps_ratio_to_ordinary"] is None
    assert content["bulk500"]["speedup_over_feast_sdk"] == 27.5
    assert content["start_seconds"] == 4.0
    assert content["rss_mb"] == 150.0
    assert len(content["rounds"]) == 6
    assert read_results(file)[0] == written


def test_latencies_become_quantiles_that_occurred():
    """Quantiles are values of the data, in milliseconds."""
    found = latency_quantiles(np.arange(1, 1001, dtype=np.int64) * 1_000_000)
    assert found["0.5"] == 501
    assert found["0.999"] == 1000
    assert math.isnan(latency_quantiles(np.array([], dtype=np.int64))["0.5"])


def test_the_table_has_a_row_a_server_and_marks_ours():
    """Rows come in the order of the servers; the spread is shown with the median."""
    rows = server_rows(results(*both()))
    assert [row.cells[0] for row in rows] == ["floor", "ours"]
    assert [row.ours for row in rows] == [False, True]
    assert rows[1].cells[3] == "1,500 (900 to 1,500)"


def test_documentation_is_replaced_between_its_marks_only(tmp_path):
    """What people wrote around the measured part stays, and writing twice changes nothing more."""
    page, image = tmp_path / "performance.md", tmp_path / "img" / "latency.svg"
    page.write_text(f"# Before\n\n{BEGIN}\nstale figures\n{END}\n\nAfter\n", encoding="utf-8")
    found = results(*both())
    found.write(tmp_path / "bench.json")
    write_documentation(*read_results(tmp_path / "bench.json"), page, image)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Before\n")
    assert text.endswith("\n\nAfter\n")
    assert "stale figures" not in text
    assert "| **ours** |" in text
    write_documentation(*read_results(tmp_path / "bench.json"), page, image)
    assert page.read_text(encoding="utf-8") == text
    assert parsed(image.read_text(encoding="utf-8")).tag == f"{SVG}svg"


def test_a_page_without_marks_is_refused(tmp_path):
    """A page into which nothing can be written is named."""
    page = tmp_path / "page.md"
    page.write_text("nothing", encoding="utf-8")
    with pytest.raises(SystemExit, match="lacks the marks"):
        write_documentation(results(*both()), {}, page, tmp_path / "x.svg")


def test_the_picture_holds_every_server_within_its_frame():
    """Each server is a line with a label, labels do not cover each other, and all points lie inside the picture."""
    drawn = parsed(picture(results(*both())))
    assert len(drawn.findall(f"{SVG}polyline")) == 2
    labels = [text for text in drawn.iter(f"{SVG}text") if "label" in text.get("class", "")]
    heights = sorted(float(text.get("y", "0")) for text in labels)
    assert len(heights) == 2
    assert heights[1] - heights[0] >= 15
    _, _, width, height = map(float, drawn.get("viewBox", "").split())
    for line in drawn.findall(f"{SVG}polyline"):
        for point in line.get("points", "").split():
            x, y = map(float, point.split(","))
            assert 0 < x < width
            assert 0 < y < height


def test_names_in_a_picture_stay_text_and_nothing_is_not_drawn():
    """Text that looks like markup stays text; no latency at all is an error."""
    drawn = latency_svg("a < b & c", "", [Line("ours", "<b>", ((0.5, 1.0), (0.999, 3.0)))])
    texts = [text.text for text in parsed(drawn).iter(f"{SVG}text")]
    assert "a < b & c" in texts
    assert "<b>" in texts
    with pytest.raises(ValueError, match="no latency"):
        latency_svg("t", "", [Line("ours", "ours", ())])


def test_rounds_of_another_scenario_are_left_out():
    """A selection holds one server under one scenario with one number of workers."""
    chosen = select([sample("ours", 0, 10), sample("ours", 0, 10, workers=2)], "ours", HEADLINE)
    assert len(chosen.samples) == 1
