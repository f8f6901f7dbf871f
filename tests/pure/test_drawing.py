"""The life drawn: every state has its place, every move of the machine its arrow, and nothing lies over anything."""

from itertools import combinations

import pytest

from console import drawing
from console.words import CODES
from workflows.case import STATES
from workflows.deadlines import DEADLINES
from workflows.diagram import arrows
from workflows.repairs.verbs import VERBS
from workflows.views.stuck import CAUSES


def test_every_state_has_a_place_of_its_own():
    assert set(drawing.PLACES) == set(STATES)
    wide, high = drawing.BOX
    for (x, y), (other_x, other_y) in combinations(drawing.PLACES.values(), 2):
        assert abs(x - other_x) >= wide or abs(y - other_y) >= high
    assert all(x + wide <= drawing.WIDE and y + high <= drawing.HIGH for x, y in drawing.PLACES.values())


def test_every_move_of_the_machine_is_drawn_and_no_other():
    alone = {(run.came_from, run.to) for run in drawing.runs()}
    framed = {(part.split(":")[0], run.to) for frame in drawing.frames() for run in frame.out
              for part in run.said.split("; ")}  # fmt: skip
    assert alone | framed == {(came_from, to) for came_from, to, _ in arrows()}
    assert alone & framed == set()
    assert {(run.came_from, run.to) for run in drawing.runs() if "L" in run.path} == set()  # none goes straight across


def test_a_life_fills_its_strip_however_uneven():
    stretches = [{"state": "submitted", "seconds": n} for n in (0.0, 3.0, 86_400.0, 31_536_000.0)]
    found = drawing.pieces(stretches)
    assert sum(one["wide"] for one in found) == pytest.approx(drawing.LIFE[0], abs=1)
    assert min(one["wide"] for one in found) >= drawing.LEAST
    assert [one["wide"] for one in found] == sorted(one["wide"] for one in found)
    assert drawing.pieces([]) == []


def test_one_in_a_thousand_is_still_to_be_seen():
    up, down = drawing.bars([1000, 1, 0], [0, 0, 500], 1000)
    assert ([bar.high for bar in up], len(down)) == ([31.0, 2.0], 1)
    assert all(bar.y >= 0 and bar.y + bar.high <= drawing.CHART[1] for bar in up + down)


def test_every_code_of_the_machine_has_words():
    assert set(CODES["cause"]) == set(CAUSES)
    assert set(CODES["verb"]) == set(VERBS)
    assert {one.name for one in DEADLINES} - set(CODES["deadline"]) == set()


def test_words_that_are_too_long_for_a_piece_stand_on_two_lines():
    assert drawing.lines("face check", 92) == ("face check",)
    assert drawing.lines("to be corrected", 92) == ("to be", "corrected")
    assert drawing.lines("to be corrected", 200) == ("to be corrected",)
    assert drawing.lines("转线下办理", 40) == ("转线下办理",)
