"""Say what reviewers have decided and not taken back, even if their browser is closed."""

from __future__ import annotations

from tasks.office import Office
from workflows import holding

BATCH = 100


def send_decisions(office: Office) -> int:
    """Say every decision that has been held long enough; how many there were."""
    sent = 0
    while found := holding.send_due(office.desk, BATCH):
        sent += found
    return sent
