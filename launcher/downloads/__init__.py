"""Fetching a checkpoint from a hub to this machine; owns what is fetched, resuming, sizes, hashes and room on
the disk.

``hubs`` asks what a hub holds (``hub_failures`` words what goes wrong then), ``selection`` takes what a model
needs of it, ``transfer`` brings one file over, ``places`` says where it goes. Where a checkpoint is looked
for afterwards is ``launcher.checkpoints``' business, progress bars the terminal's.
"""

from launcher.downloads.hub_failures import Source
from launcher.downloads.hubs import RemoteFile, Repository, find_repository, new_client
from launcher.downloads.places import (
    Destination,
    FolderDestination,
    HubCacheDestination,
    modelscope_cache_folder,
)
from launcher.downloads.pulling import Download, plan_download, repository_facts
from launcher.downloads.selection import needed_files
from launcher.downloads.transfer import Progress, Report

__all__ = [
    "Destination",
    "Download",
    "FolderDestination",
    "HubCacheDestination",
    "Progress",
    "RemoteFile",
    "Report",
    "Repository",
    "Source",
    "find_repository",
    "modelscope_cache_folder",
    "needed_files",
    "new_client",
    "plan_download",
    "repository_facts",
]
