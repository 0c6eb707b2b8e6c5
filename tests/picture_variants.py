"""Picture files of every format and of what stands in them, written by Pillow or by hand, for tests that
compare and that damage them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from functools import cache
from typing import Any

import pillow_heif
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

SIGNATURE = b"\x89PNG\r\n\x1a\n"
SIZE = (64, 48)
SRGB_POINTS = (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
P3_POINTS = (31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)
SIXTEEN_BITS = {"grey": 0, "rgb": 2, "rgba": 6}


def picture(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """All sorts of colours; in RGBA they get more opaque from top to bottom."""
    width, height = size
    colours = bytes(
        value
        for y in range(height)
        for x in range(width)
        for value in (
            x * 255 // (width - 1),
            y * 255 // (height - 1),
            (x * 3 + y * 5) % 256 if (x // 8 + y // 8) % 2 else 128,
        )
    )
    image = Image.frombytes("RGB", size, colours)
    if mode in ("RGBA", "LA"):
        image.putalpha(Image.linear_gradient("L").resize(size))
    return image.quantize(16) if mode == "P" else image.convert(mode)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    held = io.BytesIO()
    if kind == "HEIC":
        pillow_heif.from_pillow(image).save(held, quality=90, **options)
    else:
        image.save(held, kind, **options)
    return held.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def with_chunks(png: bytes, *chunks: bytes) -> bytes:
    """A PNG with more chunks after its header."""
    return png[:33] + b"".join(chunks) + png[33:]


def pixels_in(png: bytes) -> bytes:
    """The packed pixels of a PNG with one chunk of them."""
    at = png.index(b"IDAT")
    return png[at + 4 : at + 4 + int.from_bytes(png[at - 4 : at], "big")]


def png_16_bits(kind: str, transparent: int | None = None) -> bytes:
    samples = {"grey": 1, "rgb": 3, "rgba": 4}[kind]
    rows = b"".join(
        b"\0"
        + b"".join(
            struct.pack(f">{samples}H", *(x * 1000, y * 1300, x * y * 17 % 65536, x * 1040)[:samples])
            for x in range(SIZE[0])
        )
        for y in range(SIZE[1])
    )
    header = struct.pack(">IIBBBBB", *SIZE, 16, SIXTEEN_BITS[kind], 0, 0, 0)
    beside = chunk(b"tRNS", struct.pack(">H", transparent)) if transparent is not None else b""
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return SIGNATURE + chunk(b"IHDR", header) + beside + pixels + chunk(b"IEND", b"")


def apng_with_other_default() -> bytes:
    """All red to a program that knows no animation; a browser shows a smaller picture at (10, 5)."""
    default, first = saved(Image.new("RGBA", SIZE, "red"), "PNG"), saved(picture("RGBA", (32, 24)), "PNG")
    control = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 32, 24, 10, 5, 1000, 1, 0, 0))
    frame = control + chunk(b"fdAT", struct.pack(">I", 1) + pixels_in(first))
    begun = with_chunks(default, chunk(b"acTL", struct.pack(">II", 1, 0)))
    return begun[:-12] + frame + begun[-12:]


def text_bomb(unpacked_bytes: int) -> bytes:
    return chunk(b"zTXt", b"a\0\0" + packed_zeros(unpacked_bytes))


@cache
def packed_zeros(count: int) -> bytes:
    """Made at every collection of tests, so packed once and quickly."""
    return zlib.compress(bytes(count), level=1)


def swapped_profile() -> bytes:
    """sRGB with red and blue changing places: whoever ignores it is seen at once."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def gama(value: int) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", value))


def chrm(points: Sequence[int]) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *points))


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def turned_by_xmp() -> bytes:
    """As EXIF's own, and browsers do not go by it."""
    return (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>'
        b"</rdf:RDF></x:xmpmeta>"
    )


@cache
def variants() -> dict[str, bytes]:
    """Name -> file. HEIC ones begin with "heic": Chromium shows none."""
    plain, palette = saved(picture(), "PNG"), picture("P")
    files = {f"png {mode}": saved(picture(mode), "PNG") for mode in ("RGB", "RGBA", "L", "LA", "P", "1")}
    files |= {f"png 16 {kind}": png_16_bits(kind) for kind in SIXTEEN_BITS}
    files |= {
        "png 16 grey tRNS": png_16_bits("grey", transparent=5000),
        "png P tRNS": saved(palette, "PNG", transparency=bytes([0, 128] + [255] * 14)),
        "png P tRNS one": saved(palette, "PNG", transparency=3),
        "png L tRNS": saved(picture("L"), "PNG", transparency=100),
        "png RGB tRNS": saved(picture(), "PNG", transparency=picture().getpixel((5, 5))),
        "png EXIF": saved(picture(), "PNG", exif=turned()),
        "png sRGB gAMA": with_chunks(plain, gama(100_000), chunk(b"sRGB", b"\0")),
        "png gAMA cHRM": with_chunks(plain, gama(100_000), chrm(SRGB_POINTS)),
        "png gAMA 2.2 cHRM": with_chunks(plain, gama(45_455), chrm(SRGB_POINTS)),
        "png cHRM": with_chunks(plain, chrm(P3_POINTS)),
        "png P3": with_chunks(plain, gama(45_455), chrm(P3_POINTS)),
        "png L gAMA": with_chunks(saved(picture("L"), "PNG"), gama(100_000)),
        "png text of 2 MiB": with_chunks(plain, text_bomb(2 << 20)),
        "png wrong checksum of a text": with_chunks(plain, chunk(b"tEXt", b"a\0b")[:-1] + b"x"),
        "png no end": plain[:-12],
        "png tail": plain + b"tail" * 9,
        "apng": saved(picture(), "PNG", save_all=True, append_images=[Image.new("RGB", SIZE)]),
        "apng with another default": apng_with_other_default(),
    }
    files |= {f"png gAMA {value}": with_chunks(plain, gama(value)) for value in (45_455, 55_556, 100_000)}
    best = {"quality": 95}
    files |= {
        "jpeg": saved(picture(), "JPEG", subsampling=0, **best),
        "jpeg 4:2:0": saved(picture(), "JPEG", subsampling=2, **best),
        "jpeg progressive": saved(picture(), "JPEG", progressive=True, **best),
        "jpeg L": saved(picture("L"), "JPEG", **best),
        "jpeg CMYK": saved(picture("CMYK"), "JPEG", **best),
        "jpeg EXIF": saved(picture(), "JPEG", exif=turned(), **best),
        "jpeg tail": saved(picture(), "JPEG", **best) + b"tail" * 9,
        "webp": saved(picture(), "WEBP", quality=90),
        "webp lossless": saved(picture(), "WEBP", lossless=True),
        "webp RGBA": saved(picture("RGBA"), "WEBP", lossless=True, exact=True),
        "webp RGBA lossy": saved(picture("RGBA"), "WEBP", quality=90),
        "webp EXIF": saved(picture(), "WEBP", lossless=True, exif=turned()),
        "webp tail": saved(picture(), "WEBP", lossless=True) + b"tail" * 9,
        "webp animated": saved(picture(), "WEBP", save_all=True, append_images=[Image.new("RGB", SIZE)]),
        "gif": saved(picture("P"), "GIF"),
        "gif transparent": saved(palette, "GIF", transparency=3),
        "gif animated": saved(picture("P"), "GIF", save_all=True, append_images=[Image.new("P", SIZE)]),
        "gif no end": saved(picture("P"), "GIF")[:-1],
        "bmp": saved(picture(), "BMP"),
        "bmp RGBA": saved(picture("RGBA"), "BMP"),
        "bmp P": saved(palette, "BMP"),
        "bmp 1": saved(picture("1"), "BMP"),
        "avif": saved(picture(), "AVIF", **best),
        "avif EXIF": saved(picture(), "AVIF", exif=turned(), subsampling="4:4:4", **best),
        "heic": saved(picture(), "HEIC"),
        "heic RGBA": saved(picture("RGBA"), "HEIC"),
    }
    for kind in ("JPEG", "WEBP", "AVIF"):
        files[f"{kind.lower()} XMP"] = saved(picture(), kind, xmp=turned_by_xmp(), **best)
    told = PngInfo()
    told.add_itxt("XML:com.adobe.xmp", turned_by_xmp().decode())
    files["png XMP"] = saved(picture(), "PNG", pnginfo=told)
    for name, profile in (("sRGB", srgb_profile()), ("swapped", swapped_profile()), ("broken", b"none" * 50)):
        files |= {
            f"png {mode} {name}": saved(picture(mode), "PNG", icc_profile=profile)
            for mode in ("RGB", "RGBA", "P", "L")
        }
        files[f"jpeg {name}"] = saved(picture(), "JPEG", icc_profile=profile, **best)
        files[f"jpeg CMYK {name}"] = saved(picture("CMYK"), "JPEG", icc_profile=profile, **best)
        files[f"webp {name}"] = saved(picture(), "WEBP", lossless=True, icc_profile=profile)
        files[f"heic {name}"] = saved(picture(), "HEIC", icc_profile=profile)
        if name != "broken":  # which Chromium refuses in this format alone
            files[f"avif {name}"] = saved(picture(), "AVIF", icc_profile=profile, subsampling="4:4:4", **best)
    return files
