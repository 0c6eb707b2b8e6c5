"""What stands around all that is served, the page and the endpoint alike."""

from __future__ import annotations

from launcher.ui.guard.crowds import Crowds
from launcher.ui.guard.hosts import AllowedHosts, HostCheck
from launcher.ui.guard.origins import OriginCheck
from launcher.ui.headers import App, SafeHeaders
from launcher.ui.root_path import WithRootPath


def outside(app: App, *, hosts: AllowedHosts, root_path: str) -> App:
    """The app behind the checks of every request, the first to be asked last.

    Args:
        app: what is served.
        hosts: the names under which it may be asked for.
        root_path: the path below which a proxy shows it, or its whole address there.
    """
    app = WithRootPath(app, root_path)
    app = OriginCheck(app, root_path)
    app = HostCheck(app, hosts)
    app = Crowds(app)
    return SafeHeaders(app)
