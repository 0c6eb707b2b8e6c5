"""What a document or a video may be and take."""

from __future__ import annotations

MAX_BYTES = 30_000_000
"""Below what the page's server takes of one file."""

MAX_PICTURES = 12
"""A longer document's first pages; a video's frames, evenly over its length."""

MAX_VIDEO_S = 600
"""Frames further apart than a minute tell little of a film."""

PAGE_PX = 1024
"""The longer side of a picture that is made of a page or a frame: the model sees it as one tile, people read
it."""

CPU_S = 20
"""Of the process that reads a file."""

WALL_S = 60.0

ADDRESS_SPACE_BYTES = 1 << 30
"""Of that process, all that it has mapped: 0.16 GiB while it shows small files (docs/measurements.md)."""

LIMITS = {"pictures": MAX_PICTURES, "bytes": MAX_BYTES, "video_s": MAX_VIDEO_S}
"""For those who tell people."""
