"""Stored colours -> what a browser shows: sRGB on white, eight bits."""

from __future__ import annotations

import io
from functools import cached_property

from PIL import Image, ImageChops, ImageCms

_WITHIN = 1
"""Levels by which a profile may change colours and still count as sRGB: such pictures stay bit for bit."""


class Colours:
    """What a picture's values mean, as an ICC profile says. None means sRGB, and so does one that is damaged
    or for other channels."""

    def __init__(self, profile: bytes | None) -> None:
        self._bytes = profile

    def leaves(self, image: Image.Image) -> bool:
        """Whether an opaque RGB picture is shown as it is."""
        return not image.has_transparency_data and self._is_srgb

    def seen(self, image: Image.Image) -> Image.Image:
        """A picture of any mode on white, in sRGB, mode RGB."""
        image = self._in_srgb(_eight_bits(image))
        if image.mode != "RGBA":
            return image.convert("RGB")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")

    def _in_srgb(self, image: Image.Image) -> Image.Image:
        if self._is_srgb or image.mode == "CMYK":
            return image
        if self._space == "GRAY":
            return _applied(self._profile, image, "L", "RGB") if image.mode == "L" else image
        if image.mode == "L":
            image = image.convert("RGB")
        return _applied(self._profile, image, image.mode, image.mode)

    @cached_property
    def _is_srgb(self) -> bool:
        """Tried on colours of all kinds, whatever the profile calls itself."""
        if self._profile is None:
            return True
        mode = "L" if self._space == "GRAY" else "RGB"
        probe = _PROBES[mode]
        try:
            shown = _applied(self._profile, probe, mode, "RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            return True
        pairs = zip(probe.convert("RGB").tobytes(), shown.tobytes(), strict=True)
        return all(abs(before - after) <= _WITHIN for before, after in pairs)

    @cached_property
    def _profile(self) -> ImageCms.ImageCmsProfile | None:
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(self._bytes)) if self._bytes else None
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            return None
        if profile is None or profile.profile.xcolor_space.strip() not in ("RGB", "GRAY"):
            return None
        return profile

    @property
    def _space(self) -> str:
        return "" if self._profile is None else self._profile.profile.xcolor_space.strip()


def _eight_bits(image: Image.Image) -> Image.Image:
    """In L, RGB, RGBA or CMYK."""
    if image.mode.startswith("I"):
        return _grey(image)
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode in ("L", "CMYK") else image.convert("L" if image.mode == "1" else "RGB")


def _grey(image: Image.Image) -> Image.Image:
    """16-bit grey: Pillow's own conversion clips what is above 255 to white, and has no transparency."""
    wide = image.convert("I")
    grey = wide.point(lambda value: value * (1 / 257)).convert("L")
    transparent = image.info.get("transparency")
    if not isinstance(transparent, int):
        return grey
    # 1 where the value is another one: the difference, limited to eight bits on the way to L.
    other = ImageChops.add(
        wide.point(lambda value: value * 1 + (-transparent)).convert("L"),
        wide.point(lambda value: value * -1 + transparent).convert("L"),
    )
    grey = grey.convert("RGBA")
    grey.putalpha(other.point([0] + [255] * 255))
    return grey


def _applied(profile: ImageCms.ImageCmsProfile | None, image: Image.Image, mode: str, to: str) -> Image.Image:
    assert profile is not None
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), mode, to)
    shown = ImageCms.applyTransform(image, transform)
    assert shown is not None
    return shown


def _probe() -> Image.Image:
    steps = range(0, 256, 17)
    colours = bytes(
        value for red in steps for green in steps for blue in steps for value in (red, green, blue)
    )
    return Image.frombytes("RGB", (64, 64), colours)


_PROBES = {"L": Image.frombytes("L", (256, 1), bytes(range(256))), "RGB": _probe()}
