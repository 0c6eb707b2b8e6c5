"""A short video's frames as pictures, by FFmpeg. Runs in the reading process."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Literal

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from launcher.documents.limits import MAX_PICTURES, MAX_VIDEO_S, PAGE_PX
from launcher.documents.told import Found, Refused

_FORMATS = {"mp4": "mov", "matroska": "matroska"}
"""FFmpeg's names: it does not guess, as some of its formats fetch other files."""

_CODECS = "h264,hevc,vp8,vp9,libvpx-vp9,av1,libdav1d,mpeg4"
"""What phones, screens' recorders and browsers write; other decoders are not run."""

_MOST_DECODED = 600
"""From the key frame before a wanted one."""


def frames(content: bytes, kind: Literal["mp4", "matroska"]) -> Iterator[Found | Refused | Image.Image]:
    """How many frames there are, then some of them, evenly over the whole; or why there are none.

    Raises:
        av.FFmpegError: it is damaged.
    """
    options = {"codec_whitelist": _CODECS, "protocol_whitelist": ""}
    with av.open(io.BytesIO(content), format=_FORMATS[kind], options=options) as container:
        if not container.streams.video:
            yield Refused("no picture" if container.streams else "damaged")
            return
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        times = _times(container, stream)
        if not times:
            yield Refused("no picture")
            return
        length_s = float((times[-1] - times[0]) * (stream.time_base or 0))
        if length_s > MAX_VIDEO_S:
            yield Refused("too long", length_s)
            return
        yield Found(len(times))
        for wanted in _evenly(times):
            yield _shown(_frame_at(container, stream, wanted))


def rehearse() -> None:
    """Shows a video that is made here: whatever is imported late is there afterwards."""
    made = io.BytesIO()
    with av.open(made, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=1, width=16, height=16, pix_fmt="yuv420p")
        for picture in (VideoFrame(16, 16, "yuv420p"), None):
            container.mux(stream.encode(picture))
    list(frames(made.getvalue(), "mp4"))


def _times(container: InputContainer, stream: VideoStream) -> list[int]:
    """When each frame is shown, in the stream's units, as its packets say: a header may say anything."""
    return sorted({packet.pts for packet in container.demux(stream) if packet.pts is not None})


def _evenly(times: Sequence[int]) -> list[int]:
    """The middles of as many equal parts as there may be pictures."""
    count = min(MAX_PICTURES, len(times))
    return [times[(2 * part + 1) * len(times) // (2 * count)] for part in range(count)]


def _frame_at(container: InputContainer, stream: VideoStream, wanted: int) -> VideoFrame:
    """The frame of this time, or the nearest before that can be had."""
    container.seek(wanted, stream=stream)
    nearest = None
    for decoded, frame in enumerate(container.decode(stream)):
        nearest = frame
        if decoded >= _MOST_DECODED or (frame.pts is not None and frame.pts >= wanted):
            break
    if nearest is None:
        raise ValueError("no frame can be decoded")
    return nearest


def _shown(frame: VideoFrame) -> Image.Image:
    """Upright, its longer side of ``PAGE_PX`` at most."""
    share = min(1.0, PAGE_PX / max(frame.width, frame.height))
    width, height = max(1, int(frame.width * share)), max(1, int(frame.height * share))
    pixels = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    picture = Image.fromarray(pixels)
    return picture.rotate(frame.rotation, expand=True) if frame.rotation % 360 else picture
