"""The few files of /etc that a sandbox sees in place of the host's. Called by the agent before it starts a box."""

from __future__ import annotations

from pathlib import Path


def write_etc(directory: Path, hostname: str, uid: int | None) -> None:
    """`etc/` below the box's directory. Names resolve to the sandbox itself; there is no name server to ask."""
    etc = directory / "etc"
    etc.mkdir(mode=0o755, exist_ok=True)
    root = "root:x:0:0:root:/root:/bin/bash\n"
    nobody = "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
    job = f"job:x:{uid}:{uid}:job:/root:/bin/bash\n" if uid is not None else ""
    files = {
        "passwd": root + nobody + job,
        "group": "root:x:0:\nnogroup:x:65534:\n" + (f"job:x:{uid}:\n" if uid is not None else ""),
        "hosts": f"127.0.0.1 localhost {hostname}\n::1 ip6-localhost\n",
        "resolv.conf": "",
        "nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    }
    for name, text in files.items():
        path = etc / name
        path.write_text(text)
        path.chmod(0o644)
