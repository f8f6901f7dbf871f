"""A member's number turns out to be that of somebody whom the holder had bound before, in the same month."""

from contextlib import ExitStack

from tasks.office import Office
from tests.doors.family import act, view
from tests.doors.town import Town
from tests.store.invariants import rows


def test_the_months_place_that_lives_is_kept(base_url: str, office: Office) -> None:
    with ExitStack() as clients:
        town = Town(base_url, clients)
        seen, _ = town.active(holder_seed=1, member_seed=1)
        ended, other = town.active(holder_seed=1, member_seed=2)
        gone = town.at("supervisor").post(f"/v1/bindings/{ended['id']}/unbind", json={"reason": "wrong_person"})
        assert gone.json()["state"] == "unbound"
        places = "select binding_id, ended from month_seats order by ended"
        assert [row["ended"] for row in rows(office, places)] == [False, True]
        number = other["member"]["id_number"]
        changed = view(act(town.at("alipay"), seen["id"], "report_change", what="id_number", value=number))
        town.face("alipay", changed, "member")
        assert town.seen("alipay", seen["id"])["state"] == "active"
    # the holder counts once for that person, by the binding that is in force
    assert rows(office, places) == [{"binding_id": seen["id"], "ended": False}]
