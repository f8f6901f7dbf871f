"""The other language: one click away on every page, and nothing that somebody has begun is lost by it."""

import re

import pytest

from tasks.office import Office
from tests import life
from tests.doors.visitor import Comes, claimed, fields_of, in_review


@pytest.mark.parametrize("deed", ["claim", "decide", "escalate", "note"])
def test_a_refused_page_can_be_read_in_english(comes: Comes, office: Office, deed: str) -> None:
    binding_id = in_review(office)
    one, two = comes("reviewer"), comes("reviewer-2")
    claimed(one, binding_id)
    version = life.look(office, binding_id).version
    refused = two.post(f"/reviews/{binding_id}/{deed}", fields={"action": "approve", "version": version})
    assert refused.status_code in (409, 422)
    switched = two.post("/language", fields=fields_of(refused, "/language"))
    page = two.follow(switched)
    assert (page.status_code, "Print the case sheet" in page.text) == (200, True)


@pytest.mark.parametrize(
    ("role", "address"),
    [
        ("operator", "/ops?span=fortnight"),
        ("operator", "/ops/moves?state=submitted&way=in&span=day"),
        ("operator", "/ops/faces?provider=sandbox&status=failed"),
        ("operator", "/ops/life?region=4401&channel=alipay"),
        ("reviewer", "/reviews?q=is%3Aescalated"),
        ("supervisor", "/supervision/packs/CN-44-guangdong/account_sharing?relationship=CHILD&age=adult"),
    ],
)
def test_what_was_asked_for_is_still_asked_for(comes: Comes, role: str, address: str) -> None:
    visitor = comes(role)
    switched = visitor.post("/language", fields=fields_of(visitor.get(address), "/language"))
    assert switched.headers["location"] == f"/console{address}"


def test_a_half_filled_application_is_not_emptied(comes: Comes) -> None:
    clerk = comes("counter")
    page = clerk.get("/counter/new").text
    button = re.search(r'<button[^>]* form="draft" formaction="/console([^"]+)" [^>]*name="to" value="(\w+)"', page)
    assert button
    assert '<form id="draft" method="post" action="/console/counter/new"' in page
    typed = {"holder.name": "王小明", "member.id_number": "4401", "relationship": "SPOUSE", "product": "family_account"}
    switched = clerk.post(button[1], fields={"to": button[2]} | typed)
    assert (switched.status_code, "New application" in switched.text) == (200, True)
    for kept in ('value="王小明"', 'value="4401"', 'value="SPOUSE" selected'):
        assert kept in switched.text, kept
    assert "New application" in clerk.get("/counter/new").text  # remembered
