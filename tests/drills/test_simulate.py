"""`kinbind simulate`: the same seed gives the same end, bit for bit, another seed another; no fault is found."""

import re
from datetime import timedelta
from xml.etree import ElementTree as ET

import psycopg
import pytest

from cli.checking.findings import Findings
from cli.simulate.page import BREACHES, page
from cli.simulate.run import Result, Scale, simulate
from cli.simulate.windows import BEGIN
from tests.conftest import address_of, own_database
from tests.drills import parts

SCALE = Scale(4, 120, 7, timedelta(minutes=20)) if not parts.LONG else Scale(30, 5000, 7)
SEEDS = (7, 7, 8)
pytestmark = pytest.mark.timeout(parts.size(180, 3600))


def whole(url: str) -> list[tuple[object, ...]]:
    """Everything that the desk wrote, as far as it does not speak of real time."""
    with psycopg.connect(url) as conn:
        kept = []
        for statement in (
            "select binding_id, sequence, event, at, actor, reason, after::text, hash from history order by 1, 2",
            "select id, state, version, state_since, head, progress::text from bindings order by 1",
            "select binding_id, name, due_at, watch, attempts, parked from deadlines order by 1, 2",
            "select scope, holder, n, member, binding_id from seats order by 1, 2, 3",
            "select binding_id, code, agency, opened_at, due_at from counter_tickets order by 1",
        ):
            kept += conn.execute(statement).fetchall()
    return kept


def test_the_same_seed_gives_the_same_end_bit_for_bit(server_url: str, template: str) -> None:
    ends, results = [], []
    for seed in SEEDS:
        with own_database(server_url, "simulate", cloned_from=template) as name:
            url = address_of(server_url, name)
            results.append(simulate(url, Scale(SCALE.days, SCALE.bindings, seed, SCALE.tick)))
            ends.append(whole(url))
    first, again, other = results
    assert [result.findings.faults.total() for result in results] == [0, 0, 0], first.findings.told
    assert ends[0] == ends[1]
    assert (first.findings.digest, first.figures, first.refused, first.counted) == (
        again.findings.digest, again.figures, again.refused, again.counted)  # fmt: skip
    assert other.findings.digest != first.findings.digest
    looks_alive(first)
    parts.figures("simulated twice", {"lines": first.counted["lines"]} | dict(first.findings.counted))


def looks_alive(result: Result) -> None:
    """It is no simulation of nothing: families come through, fail, go offline, and faults were injected."""
    states = {name for name in result.findings.counted if name.startswith("state ")}
    assert states >= {"state active", "state rejected", "state submitted"}
    assert result.counted["callbacks lost"]
    assert result.counted["ticks with every hint doubled"]
    assert result.figures.offline
    written = page(result)
    assert result.findings.digest in written
    assert "<script" not in written
    throughput, waits, offline = (ET.fromstring(svg) for svg in re.findall("<svg.*?</svg>", written))
    assert throughput.findall("polyline")
    assert len(waits.findall("rect")) == 2 * sum(row[0] not in ("active", "unbound") for row in result.figures.waits)
    assert len(offline.findall("rect")) == 4 * len(result.figures.offline)
    applied = {row[0]: row[1] for row in result.figures.stages}["submitted"]
    assert f"<dt>申请 applied</dt><dd>{applied:,}</dd>" in written
    assert all(came_in == went_on + there for _, came_in, went_on, there, _ in result.figures.stages)
    assert {what for what, *_ in result.figures.breaches} == set(BREACHES)


def test_a_fault_is_told_with_its_place() -> None:
    found = Findings(BEGIN, settled=True)
    found.fault("chain_broken", "bnd_1", 3)
    assert found.lines()[-2:] == ["1 faults", "chain_broken bnd_1 3"]
