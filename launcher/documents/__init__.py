"""A PDF's pages and a short video's frames -> pictures, which go the way of any others.

The libraries that read such files are large, written in C, and given what strangers upload. So they run in a
process of their own (``reader``), which has little time and memory and may open nothing: no file, no
connection. What comes back is a size and pixels, of which the launcher makes the pictures itself
(``opening``). One file is read at a time.
"""

from __future__ import annotations

from launcher.documents.kinds import ACCEPTED, kind_of
from launcher.documents.limits import LIMITS, MAX_BYTES, MAX_PICTURES
from launcher.documents.opening import Opened, open_document

__all__ = ["ACCEPTED", "LIMITS", "MAX_BYTES", "MAX_PICTURES", "Opened", "kind_of", "open_document"]
