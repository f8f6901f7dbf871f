"""Real pictures and papers, whole, cut, huge and disguised."""

import hashlib
import io
import subprocess
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import pillow_heif
import pytest
from PIL import Image, ImageDraw
from pypdf import PdfWriter
from pypdf.generic import DictionaryObject, NameObject, TextStringObject

from gateways import inspection, inspection_child
from gateways.inspection import BadDocument, inspect

pillow_heif.register_heif_opener()
PICTURES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "HEIF": "image/heic"}


def picture(form: str, size: tuple[int, int] = (320, 200), mode: str = "RGB", **options: Any) -> bytes:
    image = Image.new(mode, size, "white")
    if mode == "RGB":
        ImageDraw.Draw(image).rectangle((20, 20, size[0] // 2, size[1] // 2), fill="red")
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def paper(pages: int = 1, change: Callable[[PdfWriter], Any] | None = None) -> bytes:
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(595, 842)
    if change:
        change(writer)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def scan(pages: int = 1) -> bytes:
    images = [Image.effect_noise((600, 800), 60).convert("RGB") for _ in range(pages)]
    file = io.BytesIO()
    images[0].save(file, "PDF", save_all=True, append_images=images[1:])
    return file.getvalue()


def opening(writer: PdfWriter, kind: str, what: str) -> None:
    """Let the paper do something when it is opened."""
    action = {NameObject("/S"): NameObject(kind), NameObject(what): TextStringObject("app.alert(1)")}
    writer.root_object[NameObject("/OpenAction")] = DictionaryObject(action)


def refusal(data: bytes) -> tuple[str, int]:
    with pytest.raises(BadDocument) as bad:
        inspect(data)
    return bad.value.code, bad.value.status


UNREADABLE = ("document_unreadable", 422)
TOO_LARGE = ("document_too_large", 422)
UNSUPPORTED = ("media_type_unsupported", 415)


@pytest.mark.parametrize("form", PICTURES)
def test_a_picture_is_known_by_its_content(form):
    data = picture(form)
    found = inspect(data)
    assert (found.media_type, found.pages, found.pixels) == (PICTURES[form], 1, 320 * 200)
    assert (found.size, found.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_papers_are_counted_by_the_page():
    assert inspect(scan(3)).pages == 3
    assert inspect(scan()).pixels >= 600 * 800
    assert inspect(paper(20)).media_type == "application/pdf"


@pytest.mark.parametrize("form", PICTURES)
@pytest.mark.parametrize("left", [0.3, 0.9, -1])
def test_a_picture_cut_short_is_unreadable(form, left):
    data = picture(form)
    assert refusal(data[: int(len(data) * left)] if left > 0 else data[:-1]) == UNREADABLE


@pytest.mark.parametrize("left", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("options", [{}, {"restart_marker_rows": 1}, {"progressive": True}])
def test_a_jpeg_cut_short_and_given_an_end_again_is_unreadable(left, options):
    file = io.BytesIO()
    Image.effect_noise((640, 480), 60).convert("RGB").save(file, "JPEG", **options)
    whole = file.getvalue()
    assert inspect(whole).pixels == 640 * 480
    assert refusal(whole[: int(len(whole) * left)].rstrip(b"\xff") + b"\xff\xd9") == UNREADABLE


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("colour", [0, 128, 255])
def test_a_flat_picture_is_whole(mode, colour):
    file = io.BytesIO()
    bands = len(Image.new(mode, (1, 1)).getbands())
    Image.new(mode, (333, 77), (colour,) * bands if bands > 1 else colour).save(file, "JPEG")
    assert inspect(file.getvalue()).pages == 1


def test_a_changed_byte_in_a_png_is_unreadable():
    data = bytearray(picture("PNG"))
    data[data.index(b"IDAT") + 9] ^= 0xFF
    assert refusal(bytes(data)) == UNREADABLE


def test_a_jpeg_may_be_filled_up_before_a_marker():
    data = picture("JPEG")
    assert inspect(data[:2] + b"\xff" + data[2:]).pages == 1


def test_a_paper_cut_short_is_unreadable():
    assert refusal(scan()[:-600]) == UNREADABLE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\x00" * 64,
        b"MZ" + b"\x00" * 64,
        b" %PDF-1.4\n",
        b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00mif1avif",
        b"\x00\x00\x00\x1cftypheic\x00\x00\x00\x00mif1avif",
    ],
)
def test_other_content_is_no_document(data):
    assert refusal(data) == UNSUPPORTED


@pytest.mark.parametrize("form", ["GIF", "TIFF", "BMP"])
def test_other_pictures_are_no_documents(form):
    assert refusal(picture(form)) == UNSUPPORTED


def test_too_many_bytes_are_refused_before_anything_is_looked_at():
    assert refusal(picture("JPEG").ljust(inspection.MAX_BYTES + 1, b"\0")) == ("file_too_large", 413)


def test_too_many_pages():
    assert refusal(paper(21)) == TOO_LARGE


def test_a_decompression_bomb_is_told_from_its_header():
    assert refusal(picture("PNG", (20_000, 20_000), "1")) == TOO_LARGE


def test_fifty_megapixels_pass_and_one_row_more_does_not():
    assert inspect(picture("PNG", (10_000, 5_000), "L")).pixels == 50_000_000
    assert refusal(picture("PNG", (10_000, 5_001), "L")) == TOO_LARGE


def test_a_picture_bomb_within_a_paper():
    def bomb(writer):
        from pypdf.generic import NumberObject, StreamObject

        image = StreamObject()
        image._data = zlib.compress(b"\0" * 100_000)
        image.update(
            {
                NameObject("/Type"): NameObject("/XObject"),
                NameObject("/Subtype"): NameObject("/Image"),
                NameObject("/Width"): NumberObject(30_000),
                NameObject("/Height"): NumberObject(30_000),
                NameObject("/Filter"): NameObject("/FlateDecode"),
            }
        )
        writer._add_object(image)

    assert refusal(paper(change=bomb)) == TOO_LARGE


def test_a_png_whose_header_lies_about_its_size():
    data = bytearray(picture("PNG"))
    header = data.index(b"IHDR")
    data[header + 4 : header + 8] = (640).to_bytes(4)
    data[header + 17 : header + 21] = zlib.crc32(data[header : header + 17]).to_bytes(4)
    assert refusal(bytes(data)) == UNREADABLE


@pytest.mark.parametrize("form", PICTURES)
@pytest.mark.parametrize("other", ["zip", "html", "pdf"])
def test_nobody_hides_in_a_picture(form, other):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", "a")
    hidden = {"zip": archive.getvalue(), "html": b"<script>alert(1)</script>", "pdf": paper()}[other]
    assert refusal(picture(form) + hidden) == UNREADABLE


def test_a_paper_that_is_an_archive_too():
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.txt", "a")
    assert refusal(paper() + archive.getvalue()) == UNREADABLE


def test_a_photograph_with_its_previews_is_one_page():
    data = picture("MPO", save_all=True, append_images=[Image.new("RGB", (80, 50))])
    assert inspect(data).pages == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda writer: opening(writer, "/JavaScript", "/JS"),
        lambda writer: writer.add_attachment("a.txt", b"a"),
        lambda writer: writer.encrypt("secret"),
        lambda writer: writer.encrypt("", "owner"),
        lambda writer: opening(writer, "/Launch", "/F"),
    ],
    ids=["script", "attachment", "password", "owner_password", "launch"],
)
def test_encrypted_and_active_papers_are_unreadable(change):
    assert refusal(paper(change=change)) == UNREADABLE


def written(*objects: str, catalog: str = "", generation: int = 0) -> bytes:
    """A paper written by hand: catalog, pages, one page, then these objects from 4 on, of this generation."""
    plain = [
        f"<< /Type /Catalog /Pages 2 0 R {catalog} >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>",
    ]
    out, table = bytearray(b"%PDF-1.7\n"), "0000000000 65535 f \n"
    for number, said in enumerate([*plain, *objects], 1):
        of = generation if number > len(plain) else 0
        table += f"{len(out):010} {of:05} n \n"
        out += f"{number} {of} obj\n{said}\nendobj\n".encode()
    size, start = len(plain) + len(objects) + 1, len(out)
    out += f"xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


def test_papers_written_by_hand_pass():
    assert inspect(written()).pages == 1
    assert inspect(written("<< /Limits [(a) (b)] >>", catalog="/Names 4 1 R", generation=1)).pages == 1


SCRIPT = "<< /JavaScript << /Names [(a) << /S /JavaScript /JS (app.alert(1)) >>] >> >>"
CARRIED = "<< /EmbeddedFiles << /Names [(a) << /Type /Filespec /F (a.exe) >>] >> >>"


@pytest.mark.parametrize("generation", [0, 1, 7])
@pytest.mark.parametrize("names", [SCRIPT, CARRIED], ids=["script", "attachment"])
def test_active_objects_are_found_in_whatever_generation(names, generation):
    assert refusal(written(names, catalog=f"/Names 4 {generation} R", generation=generation)) == UNREADABLE


def test_both_generations_of_a_number_are_looked_at():
    """An update that gives a number anew leaves the old object there, under its old generation."""
    paper = written("<< /Limits [] >>", catalog="/Names 4 1 R")
    new, start = len(paper), len(paper) + len(update := f"4 1 obj\n{SCRIPT}\nendobj\n".encode())
    end = f"xref\n4 1\n{new:010} 00001 n \ntrailer\n<< /Size 5 /Root 1 0 R /Prev {paper.index(b'xref')} >>\n"
    assert refusal(paper + update + f"{end}startxref\n{start}\n%%EOF\n".encode()) == UNREADABLE


@pytest.mark.parametrize(
    "said", ["/AA << >>", "/OpenAction << /JS (a) >>", "/AcroForm << /XFA (a) >>", "/Names << /EmbeddedFiles << >> >>"]
)
def test_a_key_alone_makes_a_paper_active(said):
    """Though nothing in it says of what kind it is."""
    assert refusal(written(catalog=said)) == UNREADABLE


ELSEWHERE = "<< /S /URI /URI (https://example.com) >>"


@pytest.mark.parametrize(
    "said", [ELSEWHERE, f"<< /S /GoTo /D [3 0 R /Fit] /Next {ELSEWHERE} >>", "<< /S /Named /N /Print >>"]
)
def test_a_paper_that_does_something_when_it_is_opened(said):
    assert refusal(written(catalog=f"/OpenAction {said}")) == UNREADABLE
    assert refusal(written(said, catalog="/OpenAction 4 0 R")) == UNREADABLE


@pytest.mark.parametrize("said", ["[3 0 R /Fit]", "<< /S /GoTo /D [3 0 R /Fit] >>"])
def test_a_paper_that_opens_at_a_page_and_one_with_a_link_pass(said):
    """As CamScanner makes them: each page with a link in its corner."""
    link = f"<< /Type /Annot /Subtype /Link /Rect [0 0 60 10] /A {ELSEWHERE} >>"
    assert inspect(written(link, catalog=f"/OpenAction {said}")).pages == 1


@pytest.mark.parametrize(
    "action",
    ["<< /S /GoTo /S /Launch /F (calc.exe) >>", "<< /A << /S /GoTo /S /Launch >> >>", "<< /Rotate 0 /Rotate 90 >>"],
)
def test_a_key_said_twice_is_unreadable(action):
    """Of the two one reader keeps the first, and another the last."""
    assert refusal(written(action, catalog="/OpenAction 4 0 R")) == UNREADABLE


@pytest.mark.parametrize("generation", [0, 1])
@pytest.mark.parametrize("key", ["/S", "/Type", "/Subtype"])
def test_a_kind_that_is_only_referred_to_is_told(key, generation):
    data = written("/Launch", f"<< {key} 4 0 R /F (calc.exe) >>", catalog=f"/OpenAction 5 {generation} R",
                   generation=generation)  # fmt: skip
    assert refusal(data) == UNREADABLE


def test_a_picture_whose_kind_and_size_are_only_referred_to():
    image = "<< /Subtype 4 0 R /Width 5 0 R /Height 5 0 R /Length 0 >>\nstream\n\nendstream"
    assert refusal(written("/Image", "30000", image)) == TOO_LARGE


@pytest.mark.parametrize("names", [SCRIPT, CARRIED], ids=["script", "attachment"])
def test_the_second_reader_is_asked_too(monkeypatch, names):
    monkeypatch.setattr(inspection_child, "_walk_pdf", lambda *_: 0)
    assert inspection_child._decode_pdf(written(), 20, 1_000_000)[0] == 1
    with pytest.raises(inspection_child.Refused, match="document_unreadable"):
        inspection_child._decode_pdf(written(names, catalog="/Names 4 0 R"), 20, 1_000_000)


def child(monkeypatch: pytest.MonkeyPatch, returncode: int, stdout: bytes = b"") -> dict[str, Any]:
    """Put a child in the place of ours; what it was started with is noted."""
    seen: dict[str, Any] = {}

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        seen.update(options)
        return subprocess.CompletedProcess(command, returncode, stdout)

    monkeypatch.setattr(subprocess, "run", run)
    return seen


def test_the_child_gets_neither_our_keys_nor_our_urls(monkeypatch):
    seen = child(monkeypatch, 0, b'{"pages": 1, "pixels": 1}')
    inspect(b"%PDF-")
    assert seen["env"] == {}


@pytest.mark.parametrize("returncode", [-9, -11, 1])
def test_a_child_that_dies_found_it_unreadable(monkeypatch, returncode):
    child(monkeypatch, returncode)
    assert refusal(b"%PDF-") == UNREADABLE


def test_a_child_without_decoders_is_our_fault_not_the_familys(monkeypatch):
    child(monkeypatch, 3)
    with pytest.raises(RuntimeError):
        inspect(b"%PDF-")


def test_a_child_that_takes_too_long_is_ended(monkeypatch):
    monkeypatch.setattr(inspection, "_SECONDS", 0.001)
    assert refusal(picture("PNG", (4000, 4000))) == UNREADABLE


def test_how_many_are_inspected_at_once_is_said_and_not_told_by_the_processors(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 96)
    monkeypatch.delenv("KINBIND_INSPECTIONS", raising=False)
    assert inspection.at_once() == 2
    assert inspection._places.__wrapped__()._value == 2
    monkeypatch.setenv("KINBIND_INSPECTIONS", "5")
    assert inspection._places.__wrapped__()._value == 5


@pytest.mark.parametrize("asked", ["0", "-1", "17", "two", "2.5", "٢"])
def test_a_number_of_inspections_that_cannot_be(monkeypatch, asked):
    monkeypatch.setenv("KINBIND_INSPECTIONS", asked)
    with pytest.raises(ValueError, match="KINBIND_INSPECTIONS is a number from 1 to 16"):
        inspection.at_once()
