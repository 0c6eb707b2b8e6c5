"""PNG's own way to say what colours mean (gAMA, cHRM), as an ICC profile, so that there is one way to convert
them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_SRGB = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
"""White, red, green and blue, x and y each, as cHRM has them."""

_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_USUAL_POWERS = (2.1, 2.3)
"""Such a power alone is meant as sRGB's curve, and browsers take it so."""

_Vector = Sequence[float]
_Matrix = Sequence[_Vector]


def profile_from(gamma: bytes | None, chromaticities: bytes | None) -> bytes | None:
    """A profile for the two chunks' data; None where they say nothing new, or what cannot be.

    Without gAMA, cHRM alone means nothing, as in browsers.
    """
    if gamma is None or len(gamma) != 4 or not (stored := int.from_bytes(gamma, "big")):
        return None
    points: _Vector = _SRGB
    if chromaticities is not None and len(chromaticities) == 32:
        points = [value / 100_000 for value in struct.unpack(">8I", chromaticities)]
    power = 100_000 / stored
    is_usual = chromaticities is None and _USUAL_POWERS[0] < power < _USUAL_POWERS[1]
    if is_usual or not 0.1 < power < 10:
        return None
    try:
        return _profile(_primaries(points), power)
    except ZeroDivisionError:
        return None


def _primaries(points: _Vector) -> _Matrix:
    """Red, green and blue in XYZ, as seen under D50: columns."""
    white, *colours = (_xyz(points[at], points[at + 1]) for at in range(0, 8, 2))
    columns = _transposed(colours)
    strengths = _times(_inverse(columns), white)
    scaled = [[value * strength for value, strength in zip(row, strengths, strict=True)] for row in columns]
    return _product(_adaptation(white), scaled)


def _xyz(x: float, y: float) -> _Vector:
    return (x / y, 1.0, (1 - x - y) / y)


def _adaptation(white: _Vector) -> _Matrix:
    """What was seen under this white, seen under D50."""
    was, becomes = _times(_BRADFORD, white), _times(_BRADFORD, _D50)
    scale = [[becomes[row] / was[row] if row == column else 0.0 for column in range(3)] for row in range(3)]
    return _product(_inverse(_BRADFORD), _product(scale, _BRADFORD))


def _profile(primaries: _Matrix, power: float) -> bytes:
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(power * 256)) + b"\0\0"
    tags = [(b"wtpt", _xyz_tag(_D50))]
    for column, name in enumerate((b"r", b"g", b"b")):
        tags += [(name + b"XYZ", _xyz_tag([row[column] for row in primaries])), (name + b"TRC", curve)]
    begin = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags:
        table += name + struct.pack(">II", begin + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", begin + len(body), b"\0\0\0\0", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + _fixed(_D50)
    return head.ljust(128, b"\0") + table + body


def _xyz_tag(values: _Vector) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _fixed(values: _Vector) -> bytes:
    return struct.pack(">3i", *(round(value * 65_536) for value in values))


def _times(matrix: _Matrix, vector: _Vector) -> _Vector:
    return [sum(one * other for one, other in zip(row, vector, strict=True)) for row in matrix]


def _product(left: _Matrix, right: _Matrix) -> _Matrix:
    return _transposed([_times(left, column) for column in _transposed(right)])


def _transposed(matrix: _Matrix) -> _Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


def _inverse(matrix: _Matrix) -> _Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    cofactors = (
        (e * i - f * h, c * h - b * i, b * f - c * e),
        (f * g - d * i, a * i - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    size = a * cofactors[0][0] + b * cofactors[1][0] + c * cofactors[2][0]
    return [[value / size for value in row] for row in cofactors]
