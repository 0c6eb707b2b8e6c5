"""What a model is given of a picture is what Chromium shows of it, within two levels.

Left out, as Chromium differs: HEIC (it has none), AVIF with transparency (it stretches what libavif takes as
it is), a JPEG without its end mark (it leaves out the last rows), and a broken profile in AVIF (it refuses).
"""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser

from launcher.images import load_picture
from tests.picture_variants import variants

pytestmark = pytest.mark.browser

IN_PAGE = """async (address) => {
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(image, 0, 0);
  const bytes = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  return [canvas.width, canvas.height, btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))];
}"""


def test_models_are_given_what_chromium_shows(chromium: Browser, tmp_path: Path) -> None:
    page, differences = chromium.new_page(), {}
    for name, content in variants().items():
        kind = name.split()[0].replace("apng", "png")
        if kind == "heic":
            continue
        width, height, data = page.evaluate(
            IN_PAGE, f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
        )
        shown = Image.frombytes("RGBA", (width, height), base64.b64decode(data)).convert("RGB")
        (tmp_path / "picture").write_bytes(content)
        given = load_picture(tmp_path / "picture")
        assert given.size == shown.size, name
        differences[name] = max(most for _, most in ImageChops.difference(shown, given).getextrema())
    page.close()
    assert {name: most for name, most in differences.items() if most > 2} == {}
    assert len(differences) > 70
