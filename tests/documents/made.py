"""Documents and videos that tests make on the spot: whole ones, and ones that are meant badly."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from PIL import Image, ImageDraw


def pdf(path: Path, pages: int, size: tuple[int, int] = (300, 400)) -> Path:
    """Page N shows the number N, large."""
    drawn = []
    for number in range(1, pages + 1):
        page = Image.new("RGB", size, "white")
        ImageDraw.Draw(page).text((20, 20), str(number), fill="black", font_size=120)
        drawn.append(page)
    drawn[0].save(path, "PDF", save_all=True, append_images=drawn[1:])
    return path


def video(path: Path, frames: int, codec: str = "h264", apart_s: Fraction = Fraction(1, 10)) -> Path:
    """Frame N of ``frames``, so far apart, is a grey of N / frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=1 / apart_s, width=160, height=120, pix_fmt="yuv420p")
        stream.codec_context.time_base = apart_s
        for number in range(frames):
            grey = np.full((120, 160, 3), round(255 * number / frames), np.uint8)
            frame = VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = number, apart_s
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def sound(path: Path) -> Path:
    """A video's container with sound alone."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def raw_pdf(*objects: str, trailer: str = "") -> bytes:
    """A PDF of these objects, numbered from 1; the first is its catalog."""
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, text in enumerate(objects, 1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n{text}\nendobj\n".encode("latin-1"))
    table = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.writelines(f"{place:010} 00000 n \n".encode() for place in places)
    out.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\n".encode())
    out.write(f"startxref\n{table}\n%%EOF".encode())
    return out.getvalue()


CATALOG, PAGES = "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"


def stream(text: str, facts: str = "") -> str:
    return f"<< /Length {len(text)} {facts} >>\nstream\n{text}\nendstream"


def empty_pdf() -> bytes:
    return raw_pdf(CATALOG, "<< /Type /Pages /Kids [] /Count 0 >>")


def locked_pdf() -> bytes:
    key = "ab" * 32
    lock = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{key}> /U <{key}> /P -4 >> /ID [<00> <00>]"
    return raw_pdf(CATALOG, PAGES, "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>", trailer=lock)


def endless_pdf(depth: int = 12) -> bytes:
    """A page that draws a form ten times, each of which draws another ten times, and so on."""
    forms = [
        stream(
            "/F Do " * 10,
            "/Type /XObject /Subtype /Form /BBox [0 0 9 9]"
            f" /Resources << /XObject << /F {number + 1} 0 R >> >>",
        )
        for number in range(5, 5 + depth)
    ]
    last = stream("0 0 9 9 re f", "/Type /XObject /Subtype /Form /BBox [0 0 9 9]")
    uses = "/Contents 4 0 R /Resources << /XObject << /F 5 0 R >> >>"
    page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] {uses} >>"
    return raw_pdf(CATALOG, PAGES, page, stream("/F Do"), *forms, last)
