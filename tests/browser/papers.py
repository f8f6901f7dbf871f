"""Papers to look at: a page with a heading, lines and a stamp, and nothing of anybody on it."""

import io

from PIL import Image, ImageDraw


def paper(kind: str, size: tuple[int, int] = (900, 600)) -> bytes:
    """A picture of a document of this kind."""
    page = Image.new("RGB", size, "#f6f1e4")
    pen = ImageDraw.Draw(page)
    pen.rectangle((30, 30, size[0] - 30, size[1] - 30), outline="#7d2a2a", width=4)
    pen.text((70, 70), kind.replace("_", " ").upper(), fill="#20303a", font_size=34)
    for line in range(7):
        pen.line((70, 170 + 50 * line, size[0] - 70, 170 + 50 * line), fill="#c7baa0", width=3)
    pen.ellipse((size[0] - 240, size[1] - 240, size[0] - 90, size[1] - 90), outline="#b3261e", width=6)
    held = io.BytesIO()
    page.save(held, "JPEG", quality=85)
    return held.getvalue()
