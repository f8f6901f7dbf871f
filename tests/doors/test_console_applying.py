"""An application at the window is refused before its notices are read out, beside the field that is at fault."""

import re
from datetime import date

import pytest

from tests import life
from tests.doors.family import application
from tests.doors.test_console_counter import filled, marked
from tests.doors.visitor import Comes, text_of


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"holder.id_number": life.number(date(2015, 3, 1), 1)}, "holder-id_number", "账户所有人未达到规定年龄"),
        ({"initiator": "guardian"}, "initiator", "该发起人不能办理"),
    ],
)
def test_what_the_law_refuses(comes: Comes, change: dict[str, str], field: str, said: str) -> None:
    fields = filled(application()) | change
    page = comes("counter").post("/counter/new", fields=fields)
    assert (page.status_code, marked(page), said in text_of(page)) == (422, [field], True)
    assert fields["member.name"] in page.text  # what was typed is still there


def test_a_regions_code_says_how_it_is_written(comes: Comes) -> None:
    fields = re.findall(r'<input name="\w+\.insured_region"[^>]*>', comes("counter").get("/counter/new").text)
    for field in fields:
        assert ('title="六位区划代码' in field, "inputmode" in field) == (True, False)  # a place is found by its name
    assert len(fields) == 2
