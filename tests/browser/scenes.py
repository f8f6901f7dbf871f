"""Towns to look at: bindings in every state, some of them stuck, reviewers who decide, letters that went astray."""

from datetime import timedelta

from tasks.feed import fan_out
from tasks.office import Office
from tests import life
from workflows.case import AGENCY_REVIEW, STATES, Actor

SANDBOX = ("sandbox-reviewer", "sandbox-reviewer-2")
_MANY = {"submitted": 4, "face_check": 3, "offline_fallback": 3, "agency_review": 4, "active": 7, "unbinding": 2}


def with_endpoint(office: Office, channel: str = "alipay") -> None:
    """An address of a channel's that nobody answers."""
    with office.ledger.connection() as conn:
        conn.execute(
            "insert into webhook_endpoints (id, channel, url, secrets, created_at)"
            " values ('whe_' || %s, %s, 'https://channel.invalid/hook', '', kinbind_now()) on conflict do nothing",
            (channel, channel),
        )


def parked_letters(office: Office, binding_id: str, why: str = "http_503") -> None:
    """Its letters were tried for three days, and put aside."""
    fan_out(office)
    with office.ledger.connection() as conn:
        conn.execute(
            "update deliveries set state = 'parked', attempts = 12, last_error = %s, settled_at = kinbind_now()"
            " where binding_id = %s",
            (why, binding_id),
        )


def town(office: Office) -> dict[str, list[str]]:
    """A day and a half of a town, everybody a person of his own; the ids by state."""
    with_endpoint(office)
    seeds = iter(range(1, 900))
    found: dict[str, list[str]] = {}
    ended = [state for state in STATES if state != "expired"]
    for round_of in range(7):
        for state in ended:
            if round_of < _MANY.get(state, 1):
                found.setdefault(state, []).append(life.to_state(office, state, seed=next(seeds)))
        life.skip(office, hours=3)
    _decide(office, [life.to_state(office, AGENCY_REVIEW, seed=next(seeds)) for _ in range(9)])
    life.skip(office, hours=5)
    found["expired"] = found["submitted"][:1]
    with office.ledger.connection() as conn:
        for name, ago in (("keep_up", 600), ("sweep", 0), ("worker:celery@node-1", 4), ("worker:celery@node-2", 7)):
            conn.execute("insert into heartbeats values (%s, clock_timestamp() - %s)", (name, timedelta(seconds=ago)))
    return found


def _decide(office: Office, ids: list[str]) -> None:
    """Two reviewers, who decide as they do."""
    words: tuple[tuple[str, dict[str, str]], ...] = (
        ("approve", {}),
        ("approve", {}),
        ("reject", {"reason": "relation_unproven"}),
        ("approve", {}),
    )
    for place, binding_id in enumerate(ids):
        reviewer = Actor("reviewer", SANDBOX[place % 3 == 0], regions=("000000",))
        said, facts = words[place % len(words)]
        life.claim(office, binding_id, reviewer)
        life.say(office, said, binding_id, reviewer, **facts)


def gone_wrong(office: Office, found: dict[str, list[str]]) -> None:
    """What an operator finds in the morning: lost deadlines, a poisoned step, letters put aside."""
    with office.ledger.connection() as conn:
        conn.execute("delete from deadlines where binding_id = any(%s)", (found["face_check"][:2],))
        conn.execute(
            "update deadlines set parked = 'step_poisoned', attempts = 10, due_at = kinbind_now() - interval '2 hours'"
            " where binding_id = %s",
            (found["submitted"][1],),
        )
    for binding_id in found["active"][:3]:
        parked_letters(office, binding_id)
