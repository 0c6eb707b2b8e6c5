"""LMDeploy's own server, to be measured beside the launcher's endpoint:

    python3 -m tests.gpu.api_server FOLDER [OPTIONS OF lmdeploy serve api_server]

It is ``lmdeploy serve api_server``, told of the launcher's tokenizers and configs first: so it needs none of
the code that comes with a checkpoint, as the launcher needs none either.
"""

from __future__ import annotations

import sys

from launcher.models import register


def main() -> None:
    from lmdeploy.cli.entrypoint import run

    register()
    sys.argv[1:] = ["serve", "api_server", *sys.argv[1:]]
    run()


if __name__ == "__main__":
    main()
