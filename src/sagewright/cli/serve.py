"""The server process: `python -m sagewright.cli.serve DATA_DIR [--port N ...]`, started by `sagewright up`.

Once it listens it writes `<data>/run/server.json` (pid, port, url; removed when it ends) and `<data>/credentials.json`.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
from pathlib import Path

from sagewright.aws.iam import accounts
from sagewright.cli import assembly
from sagewright.cli.place import write_private
from sagewright.core.config import Config


def arguments() -> argparse.ArgumentParser:
    """The server's flags: one per setting that people change."""
    parser = argparse.ArgumentParser(prog="sagewright-server")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--port", type=int, default=4566)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--account", default="123456789012")
    parser.add_argument("--region", default="us-west-2")
    parser.add_argument("--database-url", default="")
    parser.add_argument("--s3-url", default="")
    parser.add_argument("--hold", type=float, default=2.0)
    parser.add_argument("--egress", choices=("refuse", "registries", "allow"), default="registries")
    parser.add_argument("--egress-allow", action="append", default=[])
    parser.add_argument("--image-policy", choices=("exact", "nearest"), default="nearest")
    parser.add_argument("--runtime", choices=("auto", "bwrap", "docker", "process"), default="auto")
    parser.add_argument("--test-hooks", action="store_true")
    parser.add_argument("--allow-access-key", action="append", default=[], metavar="KEY:SECRET")
    return parser


def configured(argv: list[str]) -> Config:
    """The settings that these flags ask for."""
    flags = vars(arguments().parse_args(argv))
    flags["data_dir"] = flags["data_dir"].absolute()
    flags["egress_allow"] = tuple(flags["egress_allow"])
    flags["allow_access_keys"] = tuple(flags.pop("allow_access_key"))
    return Config(**flags)


def main(argv: list[str] | None = None) -> int:
    """Serve until told to stop."""
    config = configured(sys.argv[1:] if argv is None else argv)
    state = config.data_dir / "run" / "server.json"
    server = assembly.build(config)

    def ready() -> None:
        state.parent.mkdir(parents=True, exist_ok=True)
        keys = {who: list(pair) for who, pair in accounts.credentials(server.world).items()}
        write_private(config.data_dir / "credentials.json", {
            "account": config.account, "region": config.region, "role_arn": config.role_arn, "port": config.port,
            "keys": keys})
        partial = state.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps({"pid": os.getpid(), "port": config.port, "url": config.url}))
        partial.replace(state)

    try:
        server.serve(ready)
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise
        sys.exit(f"sagewright: {error.strerror}. Choose another port N, of which N and N + 1 are free: up --port N")
    finally:
        state.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
