"""Carry repairs on: a batch at a time, as fast as each allows."""

from __future__ import annotations

from tasks.office import Office
from workflows.repairs import carrying

ROUNDS = 20  # batches in one call; what is left is carried on by the next


def carry_repairs(office: Office) -> int:
    """Plan, do and undo what operators have ordered; return how many batches there were. Safe to run twice at once."""
    rounds = 0
    while rounds < ROUNDS and carrying.round_of(office.desk):
        rounds += 1
    return rounds
