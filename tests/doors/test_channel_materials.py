"""Documents over HTTP: what they are is told by their content."""

import hashlib
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tasks.office import Office
from tests.doors.family import act, application, key, picture, submitted, uploaded, view, with_materials
from tests.doors.town import acting

TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "PDF": "application/pdf"}


@pytest.mark.parametrize(("kind", "media_type"), TYPES.items())
def test_what_is_taken(alipay: httpx.Client, office: Office, kind: str, media_type: str) -> None:
    made, content = submitted(alipay), picture(kind)
    answer = uploaded(alipay, made["id"], "commitment_letter", content)
    assert answer.status_code == 201, answer.text
    shown = view(answer)
    assert shown == {
        "id": shown["id"], "kind": "commitment_letter", "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content), "media_type": media_type,
    }  # fmt: skip
    listed = alipay.get(f"/v1/bindings/{made['id']}/materials")
    assert view(listed) == {"items": [shown], "next_cursor": None}
    assert view(alipay.get(f"/v1/bindings/{made['id']}"))["materials"] == [shown]
    assert office.windows.documents.get(shown["id"]) == content


def _head_of_a_picture(width: int, height: int) -> bytes:
    """The beginning of a PNG, which tells how large it is."""
    told = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + told + struct.pack(">I", zlib.crc32(told))


REFUSED = {
    "text": (b"hello", 415, "media_type_unsupported"),
    "empty": (b"", 415, "media_type_unsupported"),
    "program": (b"MZ" + bytes(500), 415, "media_type_unsupported"),
    "page": (b"<html><script>alert(1)</script></html>", 415, "media_type_unsupported"),
    "gif": (b"GIF89a" + bytes(100), 415, "media_type_unsupported"),
    "half a photograph": (picture()[:-200], 422, "document_unreadable"),
    "a photograph in name": (b"\xff\xd8\xff" + bytes(300), 422, "document_unreadable"),
    "a page behind a photograph": (picture("PNG") + b"<script>alert(1)</script>", 422, "document_unreadable"),
    "too many pixels": (_head_of_a_picture(9000, 6000) + bytes(9), 422, "document_unreadable"),
    "too large": (picture() + bytes(10 * 1024 * 1024), 413, "file_too_large"),
    "far too large": (bytes(12 * 1024 * 1024), 413, "request_too_large"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(alipay: httpx.Client, name: str) -> None:
    content, status, code = REFUSED[name]
    made = submitted(alipay)
    where = f"/v1/bindings/{made['id']}/materials"
    file = ("photo.jpg", content, "image/jpeg")
    answer = alipay.post(where, data={"kind": "other"}, files={"file": file})
    assert (answer.status_code, view(answer)["code"]) == (status, code), answer.text
    assert view(alipay.get(where))["items"] == []


def test_taken_back_before_hand_in_only(alipay: httpx.Client, wechat: httpx.Client) -> None:
    made = submitted(alipay)
    where = f"/v1/bindings/{made['id']}/materials"
    wrong = view(uploaded(alipay, made["id"], "other"))
    assert wechat.delete(f"{where}/{wrong['id']}").status_code == 404
    gone = alipay.delete(f"{where}/{wrong['id']}")
    assert (gone.status_code, gone.content) == (204, b"")
    assert alipay.delete(f"{where}/{wrong['id']}").status_code == 404
    early = act(alipay, made["id"], "submit_materials")
    assert (early.status_code, view(early)["code"]) == (409, "material_incomplete")
    with_materials(alipay, made)
    kept = view(alipay.get(where))["items"]
    assert act(alipay, made["id"], "submit_materials").status_code == 200
    late = alipay.delete(f"{where}/{kept[0]['id']}")
    assert (late.status_code, view(late)["code"]) == (409, "material_handed_in")
    assert view(alipay.get(where))["items"] == kept


def test_no_more_than_thirty_also_at_once(alipay: httpx.Client, office: Office, tmp_path: Path) -> None:
    made, content = submitted(alipay), picture()
    with office.ledger.connection() as conn:
        conn.execute(
            "insert into materials (id, binding_id, kind, sha256, size, media_type, pages, added_by, added_at)"
            " select 'mat_' || n, %s, 'other', '', 1, 'image/png', 1, 'channel:alipay', now()"
            " from generate_series(1, 27) n",
            (made["id"],),
        )
    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(lambda _: uploaded(alipay, made["id"], "other", content), range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 201, 409, 409, 409]
    assert {view(answer)["code"] for answer in answers if answer.status_code == 409} == {"too_many_files"}
    listed = view(alipay.get(f"/v1/bindings/{made['id']}/materials"))["items"]
    assert len(listed) == 30
    where = f"/v1/bindings/{made['id']}"
    assert "upload_material" not in view(alipay.get(where))["available_actions"]
    # what lost the race has left nothing behind
    assert len(list((tmp_path / "documents").rglob("mat_*"))) == 3
    assert alipay.delete(f"{where}/materials/{listed[0]['id']}").status_code == 204  # and there is room again
    assert "upload_material" in view(alipay.get(where))["available_actions"]


def test_who_has_seen_an_older_version_neither_adds_nor_takes_back(alipay: httpx.Client) -> None:
    made = submitted(alipay)
    where, told = f"/v1/bindings/{made['id']}/materials", {"If-Match": f'"{made["version"]}"'}
    file = {"file": ("page.jpg", picture(), "image/jpeg")}
    kept = view(alipay.post(where, data={"kind": "other"}, files=file, headers=told))
    for stale in (
        alipay.post(where, data={"kind": "other"}, files=file, headers={"If-Match": '"77"'}),
        alipay.delete(f"{where}/{kept['id']}", headers={"If-Match": '"77"'}),
    ):
        assert (stale.status_code, view(stale)["code"]) == (412, "stale_version")
    assert [one["id"] for one in view(alipay.get(where))["items"]] == [kept["id"]]
    assert alipay.delete(f"{where}/{kept['id']}", headers=told).status_code == 204


def test_documents_come_by_the_channel_that_applied(alipay: httpx.Client, wechat: httpx.Client) -> None:
    body = application()
    made = view(alipay.post("/v1/bindings", json=body, headers=key()))
    (seen,) = view(wechat.post("/v1/bindings/search", json=acting(body, "holder")))["items"]
    assert "withdraw" in seen["available_actions"]
    assert "upload_material" not in seen["available_actions"]
    assert "upload_material" in view(alipay.get(f"/v1/bindings/{made['id']}"))["available_actions"]


def test_where_documents_cannot_be_kept_the_channel_is_told_to_come_again(alipay: httpx.Client, tmp_path: Path) -> None:
    made = submitted(alipay)
    documents = tmp_path / "documents"
    documents.rename(tmp_path / "elsewhere")
    away = uploaded(alipay, made["id"], "commitment_letter")
    assert (away.status_code, view(away)["code"]) == (503, "unavailable")
    assert int(away.headers["Retry-After"]) > 0
    (tmp_path / "elsewhere").rename(documents)
    assert uploaded(alipay, made["id"], "commitment_letter").status_code == 201


@pytest.mark.parametrize("charset", ["unicode_escape", "utf-16", "nonsense"])
def test_a_form_is_read_as_utf_8_whatever_it_says(alipay: httpx.Client, charset: str) -> None:
    where = f"/v1/bindings/{submitted(alipay)['id']}/materials"
    parts = [("kind", None, b"other"), ("file", "a.jpg", picture()), ("\\ud800/~", "b", b"x")]
    told = b"".join(
        f'--XX\r\nContent-Disposition: form-data; name="{name}"'.encode()
        + (f'; filename="{file}"'.encode() if file else b"") + b"\r\n\r\n" + content + b"\r\n"
        for name, file, content in parts
    )  # fmt: skip
    sent = {"Content-Type": f"multipart/form-data; boundary=XX; charset={charset}"}
    answer = alipay.post(where, content=told + b"--XX--\r\n", headers=sent)
    assert answer.status_code == 422, answer.text
    assert [(one["pointer"], one["code"]) for one in view(answer)["errors"]] == [("/\\ud800~1~0", "unknown_field")]
