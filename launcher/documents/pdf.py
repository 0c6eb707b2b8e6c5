"""A PDF's pages as pictures, by PDFium. Runs in the reading process."""

from __future__ import annotations

from collections.abc import Iterator

import pypdfium2
from PIL import Image

from launcher.documents.limits import MAX_PICTURES, PAGE_PX
from launcher.documents.told import Found, Reason, Refused

_REASONS: dict[int | None, Reason] = {
    pypdfium2.raw.FPDF_ERR_PASSWORD: "locked",
    pypdfium2.raw.FPDF_ERR_SUCCESS: "empty",  # it is whole, and there is nothing to be loaded
}


def pages(content: bytes) -> Iterator[Found | Refused | Image.Image]:
    """How many pages there are, then the first of them; or why there are none. Forms are not filled in, and
    no script of the file runs: this PDFium has no interpreter.

    Raises:
        PdfiumError: a page is damaged.
    """
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        yield Refused(_REASONS.get(error.err_code, "damaged"))
        return
    count = len(document)
    yield Found(count)
    for number in range(min(count, MAX_PICTURES)):
        yield _drawn(document[number])


def rehearse() -> None:
    """Draws a page that is made here: whatever is imported late is there afterwards."""
    _drawn(pypdfium2.PdfDocument.new().new_page(10, 10))


def _drawn(page: pypdfium2.PdfPage) -> Image.Image:
    """Its longer side has ``PAGE_PX``, or a pixel less where that is rounded."""
    width, height = page.get_size()
    if not (width > 0 and height > 0):
        raise ValueError("a page without a size")
    drawn = page.render(scale=(PAGE_PX - 1) / max(width, height), may_draw_forms=False)
    picture: Image.Image = drawn.to_pil()
    return picture.convert("RGB")
