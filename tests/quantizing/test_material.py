"""A person's own file of texts: what is read of it, and what is said where it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.errors import RequestError
from launcher.quantizing import material
from launcher.quantizing.material import Wish, gather


def _wish(texts: Path) -> Wish:
    return Wish(samples=8, pictures=False, texts=texts)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("none.txt", "none.txt cannot be read: No such file"),
        ("folder", "folder cannot be read: Is a directory"),
        ("/dev/zero", "/dev/zero is no text in UTF-8: it has zeros"),
        ("latin.txt", "latin.txt is no text in UTF-8"),
        ("cut.txt", "cut.txt is no text in UTF-8"),
        ("empty.txt", "empty.txt holds 0 texts"),
    ],
)
def test_a_file_that_holds_no_texts_is_told(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "latin.txt").write_bytes("café\n\n".encode("latin-1") * 20)
    (tmp_path / "cut.txt").write_bytes("图\n\n".encode() * 20 + "图".encode()[:2])
    (tmp_path / "empty.txt").write_bytes(b"")
    with pytest.raises(RequestError, match=said):
        gather(_wish(tmp_path / name), tmp_path / "folder")


@pytest.mark.parametrize("limit", range(995, 1001))
def test_a_file_larger_than_is_read_is_read_as_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Up to a place that may be inside a letter."""
    monkeypatch.setattr(material, "_MOST_TEXT_BYTES", limit)
    (tmp_path / "large.txt").write_text("图 and a\n\n" * 200, encoding="utf-8-sig")
    assert gather(_wish(tmp_path / "large.txt"), tmp_path)
