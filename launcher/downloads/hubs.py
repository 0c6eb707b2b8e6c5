"""What a model's repository on a hub holds: names, sizes, hashes and addresses of its files. Asks; fetches no
file.

Both hubs are asked through their plain HTTP interface: Hugging Face's ``/api/models`` (address, mirror, token
and cache are huggingface_hub's, with its environment variables), ModelScope's ``/api/v1/models`` (its address
from MODELSCOPE_DOMAIN, as its own package has it).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, Field, ValidationError

from launcher.checkpoints import hub_cache
from launcher.connection_failures import what_happened
from launcher.downloads import client
from launcher.downloads.hub_failures import Source, not_reached, refuse, shown
from launcher.downloads.names import Names
from launcher.downloads.redirects import forbidden_target
from launcher.errors import CheckpointError

WRONGLY_WRITTEN = "its user, password or host is wrongly written"
"""Of an address whose error the library's words might tell a password of."""

CONNECT_S = 10.0
"""A hub that has not taken the connection by then is not reached."""
READ_S = 30.0
"""Between two pieces of an answer; mirrors may fetch a file themselves first."""
MAX_LISTING_BYTES = 16 * 2**20
"""A repository of thousands of files has about one MiB."""

_MAX_FILE_BYTES = 2**50
"""A file of a million gigabytes: what announces more is no hub."""
_HUGGING_FACE, _MODELSCOPE = "https://huggingface.co", "www.modelscope.cn"
"""Where no variable says another; huggingface_hub takes an empty one at its word."""
_Form = TypeVar("_Form", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a repository. Git LFS gives a sha256, plain git its blob's sha1, ModelScope for some files
    neither."""

    name: str
    size_bytes: int
    url: str
    sha256: str = ""
    git_sha1: str = ""

    @property
    def has_hash(self) -> bool:
        """Whether more than its size can be checked."""
        return bool(self.sha256 or self.git_sha1)


@dataclass(frozen=True, slots=True)
class Repository:
    """A model's repository as it is now. ``revision`` is the commit, or the branch where the hub does not
    tell commits."""

    source: Source
    revision: str
    files: tuple[RemoteFile, ...]


class _LfsFacts(BaseModel):
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class _HfFile(BaseModel):
    rfilename: str
    size: int = Field(ge=0, le=_MAX_FILE_BYTES)
    blobId: str = Field(pattern=r"^[0-9a-f]{40}$")  # noqa: N815 - the hub's name
    lfs: _LfsFacts | None = None


class _HfModel(BaseModel):
    sha: str = Field(pattern=r"^[0-9a-f]{40}$")
    siblings: list[_HfFile]


class _ModelScopeFile(BaseModel):
    Path: str
    Type: str
    Size: int = Field(ge=0, le=_MAX_FILE_BYTES)
    Sha256: str | None = Field(default=None, pattern=r"^([0-9a-f]{64})?$")


class _ModelScopeFiles(BaseModel):
    Files: list[_ModelScopeFile]


class _ModelScopeAnswer(BaseModel):
    Data: _ModelScopeFiles


def new_client() -> httpx.Client:
    """One connection pool for a download; proxies and certificates come from the environment. It follows a
    hub to other hosts; where that leads inside from outside, it raises ``CheckpointError``."""
    names = Names()

    def check_redirect(response: httpx.Response) -> None:
        if target := forbidden_target(response, names):
            raise CheckpointError(
                "{host} leads to {target}, where no download is: that is not followed",
                "Leave the mirror out (unset HF_ENDPOINT), or take the other hub (--from).",
                host=response.url.host,
                target=target,
            )

    # Files are taken as they lie there: a compressed answer has no size that could be checked and cannot
    # be resumed.
    return client.new_client(
        names,
        headers={"User-Agent": "launcher", "Accept-Encoding": "identity"},
        follow_redirects=True,
        event_hooks={"response": [check_redirect]},
        timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
    )


def find_repository(client: httpx.Client, source: Source) -> Repository:
    """Asks the hub for the repository; the client carries the user's token from then on, where there is one.

    Raises:
        CheckpointError: the hub is not reached, knows no such model, or does not let this user have it.
    """
    return _on_hugging_face(client, source) if source.hub == "hf" else _on_modelscope(client, source)


def _on_hugging_face(client: httpx.Client, source: Source) -> Repository:
    hub_cache()  # says it where huggingface_hub refuses the environment
    from huggingface_hub import constants, get_token, hf_hub_url

    if constants.HF_HUB_OFFLINE:
        raise CheckpointError(
            "HF_HUB_OFFLINE is set: nothing is downloaded from Hugging Face",
            "Type: unset HF_HUB_OFFLINE TRANSFORMERS_OFFLINE; {again}",
            again=source.again,
        )
    token, endpoint = get_token(), constants.ENDPOINT or _HUGGING_FACE
    if token:
        client.headers["Authorization"] = (
            f"Bearer {token}"  # httpx takes it off where it is led to another host
        )
    found = _asked(client, source, endpoint, f"/api/models/{source.name}?blobs=true", _HfModel)
    files = (
        RemoteFile(
            name=each.rfilename,
            size_bytes=each.size,
            url=hf_hub_url(source.name, each.rfilename, revision=found.sha, endpoint=endpoint),
            sha256=each.lfs.sha256 if each.lfs else "",
            git_sha1="" if each.lfs else each.blobId,
        )
        for each in found.siblings
    )
    return Repository(source, found.sha, tuple(files))


def _on_modelscope(client: httpx.Client, source: Source) -> Repository:
    domain = os.environ.get("MODELSCOPE_DOMAIN") or _MODELSCOPE
    endpoint = domain.rstrip("/") if "://" in domain else f"https://{domain}"
    path = f"/api/v1/models/{source.name}/repo"
    found = _asked(
        client, source, endpoint, f"{path}/files?Revision=master&Recursive=true", _ModelScopeAnswer
    )
    base = endpoint + path
    files = (
        RemoteFile(
            each.Path,
            each.Size,
            f"{base}?Revision=master&FilePath={quote(each.Path, safe='')}",
            each.Sha256 or "",
        )
        for each in found.Data.Files
        if each.Type == "blob"
    )
    return Repository(source, "master", tuple(files))


def _asked(client: httpx.Client, source: Source, endpoint: str, path: str, form: type[_Form]) -> _Form:
    """The hub's answer in the form that it has to have."""
    try:
        with client.stream("GET", endpoint + path) as response:
            content = _bounded(response)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError) as error:  # of a host: idna's
        raise CheckpointError(
            "{endpoint} is not an address that can be asked: {reason}",
            "Set HF_ENDPOINT or MODELSCOPE_DOMAIN to an address such as https://example.org, or to nothing.",
            endpoint=shown(endpoint),
            reason=what_happened(error) if endpoint == shown(endpoint) else WRONGLY_WRITTEN,
        ) from error
    except httpx.RequestError as error:
        raise not_reached(source, endpoint, error) from error
    if response.status_code != httpx.codes.OK:
        refuse(source, endpoint, response)
    try:
        return form.model_validate_json(content)
    except ValidationError as error:
        raise CheckpointError(
            "{endpoint} does not answer as a hub does when it is asked for {name}",
            "Is a mirror set, or does this network ask for a login first? Look at it in a browser.",
            endpoint=shown(endpoint),
            name=source.name,
        ) from error


def _bounded(response: httpx.Response) -> bytes:
    content = b""
    for (
        piece
    ) in response.iter_raw():  # as it comes: it was asked not to be packed, and may unpack to anything
        content += piece
        if len(content) > MAX_LISTING_BYTES:
            break
    return content
