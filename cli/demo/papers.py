"""The families' documents: real files, drawn on the spot, with nothing of anybody on them."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageDraw
from pypdf import PdfWriter

AS_PDF = ("commitment_letter", "notarised_relationship")  # what is typed comes as PDF, what is photographed as JPEG


def document(kind: str) -> tuple[str, bytes, str]:
    """Return file name, content and media type of a document of this kind."""
    if kind in AS_PDF:
        return f"{kind}.pdf", _pdf(kind), "application/pdf"
    return f"{kind}.jpg", _jpeg(kind), "image/jpeg"


def _jpeg(kind: str) -> bytes:
    page = Image.new("RGB", (900, 600), "#f4efe2")
    pen = ImageDraw.Draw(page)
    pen.rectangle((30, 30, 870, 570), outline="#8a1c1c", width=4)
    pen.text((60, 60), f"kinbind demo: {kind}", fill="#222222")
    for line in range(8):
        pen.line((60, 140 + 50 * line, 840, 140 + 50 * line), fill="#c9bfa5", width=2)
    file = BytesIO()
    page.save(file, "JPEG", quality=80)
    return file.getvalue()


def _pdf(kind: str) -> bytes:
    writer = PdfWriter()
    writer.add_blank_page(width=595, height=842)  # points: A4
    writer.add_metadata({"/Title": f"kinbind demo: {kind}"})
    file = BytesIO()
    writer.write(file)
    return file.getvalue()
