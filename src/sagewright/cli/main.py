"""`sagewright`: the commands and their flags. Each command's work is in a module of its own."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sagewright import __version__
from sagewright.cli.place import place


def parser() -> argparse.ArgumentParser:
    """All commands."""
    top = argparse.ArgumentParser(prog="sagewright", description="Amazon SageMaker on your own machine.")
    top.add_argument("--version", action="version", version=f"sagewright {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _up(commands)
    down = _command(commands, "down", "stop the server")
    down.add_argument("--purge", action="store_true", help="also remove the AWS profile and the data directory")
    status = _command(commands, "status", "the server, its endpoints and latest jobs")
    status.add_argument("--json", action="store_true")
    env = _command(commands, "env", 'print shell exports: eval "$(sagewright env)"')
    env.add_argument("--proxy", action="store_true", help="also make AWS host names lead to this server")
    run = _command(commands, "run", "run a command so that its AWS calls, by whatever host name, come here")
    run.add_argument("--as-is", action="store_true", help="leave the sleeps of SageMaker SDK 2 as they are")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    logs = _command(commands, "logs", "print the log of a training job or endpoint")
    logs.add_argument("name")
    logs.add_argument("--follow", "-f", action="store_true")
    checks = _command(commands, "doctor", "what of sandboxes, engines, GPUs and disk is there, and what to install")
    checks.add_argument("--json", action="store_true")
    ops = _command(commands, "ops", "where an operation lives, derived or written, tested or not")
    ops.add_argument("operation")
    ops.add_argument("--json", action="store_true")
    return top


def _command(commands: argparse._SubParsersAction, name: str, words: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
    made.add_argument("--data-dir", type=Path, help="default: $SAGEWRIGHT_HOME or ~/.sagewright")
    return made


def _up(commands: argparse._SubParsersAction) -> None:
    up = _command(commands, "up", "start the server")
    up.add_argument("--detach", "-d", action="store_true", help="leave it running in the background")
    up.add_argument("--port", type=int, default=4566)
    up.add_argument("--json", action="store_true")
    for flag, words in (("--host", "address to listen on (default 127.0.0.1)"), ("--region", "default us-west-2"),
                        ("--account", "default 123456789012"), ("--database-url", "PostgreSQL instead of SQLite"),
                        ("--s3-url", "an external S3 instead of local disk"),
                        ("--hold", "longest seconds that an answer about a changing resource is held"),
                        ("--egress", "refuse, registries or allow: other hosts behind the proxy"),
                        ("--image-policy", "exact or nearest"), ("--runtime", "auto, bwrap, docker or process")):
        up.add_argument(flag, help=words)


def main(argv: list[str] | None = None) -> int:
    """Run one command; its exit status."""
    from sagewright.cli import doctor, environment, look, up

    asked = parser().parse_args(argv)
    here = place(asked.data_dir)
    if asked.command == "up":
        return up.up(here, asked.detach, _server_flags(asked), asked.json)
    if asked.command == "down":
        return up.down(here, asked.purge)
    if asked.command == "status":
        return look.status(here, asked.json)
    if asked.command == "env":
        return environment.env(here, asked.proxy)
    if asked.command == "run":
        command = asked.argv[1:] if asked.argv[:1] == ["--"] else asked.argv
        return environment.run(here, command, asked.as_is)
    if asked.command == "logs":
        return look.logs(here, asked.name, asked.follow)
    if asked.command == "ops":
        return look.ops(asked.operation, asked.json)
    return doctor.doctor(here, asked.json)


def _server_flags(asked: argparse.Namespace) -> list[str]:
    flags = ["--port", str(asked.port)]
    for name in ("host", "region", "account", "database_url", "s3_url", "hold", "egress", "image_policy", "runtime"):
        value = getattr(asked, name)
        if value is not None:
            flags += [f"--{name.replace('_', '-')}", value]
    return flags


if __name__ == "__main__":
    sys.exit(main())
