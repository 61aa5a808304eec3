"""The cache of environments: built once whoever asks, whole or not at all, honest about failures."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sagewright.core.errors import Failed
from sagewright.images import build, interpreters

OWN = f"3.{sys.version_info.minor}"
SIX = "six==1.17.0\n"


def recipe(*locks: str, name: str = "six-1", module: str = "six", interpreter: str = "") -> build.Recipe:
    return build.Recipe(name, OWN, interpreter or interpreters.find()[OWN], locks or (SIX,), module)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with one tiny environment in it, really built by uv from the package index."""
    folder = tmp_path_factory.mktemp("envs")
    build.build(folder, recipe(), lambda line: None)
    return folder


def built(cache: Path, one: build.Recipe | None = None) -> build.Built:
    there = build.load(cache, one or recipe())
    assert there is not None
    return there


def test_a_built_environment_runs_and_holds_what_the_lock_names(cache: Path) -> None:
    there = built(cache)
    answer = subprocess.run([there.python, "-c", "import six, sys; print(six.__version__, sys.prefix)"],
                            capture_output=True, text=True, check=True, env=dict(there.env))
    assert answer.stdout.split() == ["1.17.0", there.prefix]
    assert build.packages(Path(there.prefix)) == {"six": "1.17.0"}


def test_its_bytecode_is_compiled_and_the_kit_and_its_commands_are_inside(cache: Path) -> None:
    prefix = Path(built(cache).prefix)
    assert list(prefix.glob("lib/python3.*/site-packages/__pycache__/six.*.pyc"))
    answer = subprocess.run([prefix / "bin" / "python", "-c", "import sagewright_kit; print(sagewright_kit.__file__)"],
                            capture_output=True, text=True, check=True)
    assert answer.stdout.startswith(str(prefix / "kit"))
    for command in ("train", "serve"):
        assert os.access(prefix / "bin" / command, os.X_OK)


def test_binds_name_the_environment_and_an_interpreter_that_lives_elsewhere(cache: Path) -> None:
    there = built(cache)
    real = os.path.realpath(there.python)
    assert there.binds[0] == there.prefix
    assert any(real.startswith(folder + "/") for folder in (*there.binds, "/usr"))


def test_every_file_can_be_read_by_other_users(cache: Path) -> None:
    for path in Path(built(cache).prefix).rglob("*"):
        mode = path.stat().st_mode
        assert mode & 0o005 == 0o005 if path.is_dir() else mode & 0o004, path


def test_building_again_does_nothing(cache: Path) -> None:
    said: list[str] = []
    before = (Path(built(cache).prefix) / build.MARKER).stat().st_mtime_ns
    build.build(cache, recipe(), said.append)
    assert (Path(built(cache).prefix) / build.MARKER).stat().st_mtime_ns == before
    assert said == []


def test_many_builders_at_once_build_once(tmp_path: Path) -> None:
    said: list[str] = []
    found: list[build.Built] = []
    threads = [threading.Thread(target=lambda: found.append(build.build(tmp_path, recipe(), said.append)))
               for _ in range(4)]
    command = ("import sys; from pathlib import Path; from sagewright.images import build; "
               f"r = build.Recipe('six-1', {OWN!r}, {recipe().interpreter!r}, ({SIX!r},), 'six'); "
               "build.build(Path(sys.argv[1]), r, print)")
    other = subprocess.Popen([sys.executable, "-c", command, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    output, _ = other.communicate(timeout=120)
    lines = [*said, *output.splitlines()]
    assert other.returncode == 0
    assert sum("Training image ready" in line for line in lines) == 1
    assert len(found) == 4 and len({one.prefix for one in found}) == 1
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == []


def test_a_builder_killed_half_way_leaves_nothing_that_is_used(tmp_path: Path) -> None:
    script = ("import os, signal, sys; from pathlib import Path; from sagewright.images import build\n"
              "def say(line):\n"
              "    if 'Installed' in line: os.kill(os.getpid(), signal.SIGKILL)\n"
              f"build.build(Path(sys.argv[1]), build.Recipe('six-1', {OWN!r}, {recipe().interpreter!r}, ({SIX!r},), "
              "'six'), say)")
    dead = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, check=False)
    assert dead.returncode == -signal.SIGKILL
    assert build.load(tmp_path, recipe()) is None
    assert list((tmp_path / "tmp").iterdir())
    build.build(tmp_path, recipe(), lambda line: None)
    assert build.load(tmp_path, recipe()) is not None
    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_environment_whose_interpreter_has_gone_is_built_again(tmp_path: Path) -> None:
    prefix = Path(build.build(tmp_path, recipe(), lambda line: None).prefix)
    (prefix / "bin" / "python").unlink()
    (prefix / "bin" / "python").symlink_to("/gone/python3")
    assert build.load(tmp_path, recipe()) is None
    assert Path(build.build(tmp_path, recipe(), lambda line: None).python).exists()


def test_the_next_list_is_tried_where_the_first_is_not_offered(tmp_path: Path) -> None:
    one = recipe("six==1.17.0+cpu\n", SIX)
    there = build.build(tmp_path, one, lambda line: None)
    assert build.packages(Path(there.prefix)) == {"six": "1.17.0"}


@pytest.mark.parametrize(("one", "words"), [
    (recipe("six==999.0\n"), "six==999.0"),
    (recipe(module="no_such_module"), "no_such_module"),
    (recipe(interpreter="/nowhere/python3.11"), "/nowhere/python3.11"),
], ids=["no such version", "does not import", "no interpreter"])
def test_a_build_that_fails_says_why_and_leaves_nothing(tmp_path: Path, one: build.Recipe, words: str) -> None:
    with pytest.raises(Failed, match=words):
        build.build(tmp_path, one, lambda line: None)
    assert build.load(tmp_path, one) is None
    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_index_that_cannot_be_reached_is_a_reason_and_no_traceback(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(Failed, match="six-1 could not be built"):
        build.build(tmp_path / "envs", recipe(), lambda line: None)


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/dev/shm").exists(), reason="needs root to mount a small disk")
def test_a_full_disk_is_a_reason_and_leaves_nothing_behind(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount: {mounted.stderr.decode().strip()}")
    try:
        with pytest.raises(Failed, match="No space left on device"):
            build.build(small, recipe(), lambda line: None)
        assert build.load(small, recipe()) is None
    finally:
        subprocess.run(["umount", small], check=True)


def test_the_directory_depends_on_every_ingredient_and_on_nothing_else() -> None:
    assert recipe().directory == recipe().directory
    assert recipe().directory.startswith("six-1-py")
    assert len({recipe().directory, recipe("six==1.16.0\n").directory, recipe(SIX, SIX).directory,
                recipe(name="six-2").directory,
                build.Recipe("six-1", "3.7", recipe().interpreter, (SIX,)).directory}) == 5


def test_the_same_ingredients_name_the_same_directory_in_another_process() -> None:
    script = (f"from sagewright.images import build; "
              f"print(build.Recipe('six-1', {OWN!r}, 'x', ({SIX!r},)).directory)")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONHASHSEED": "7"})
    assert done.stdout.strip() == recipe().directory


def test_prune_removes_what_nothing_asks_for_and_keeps_the_rest(tmp_path: Path) -> None:
    kept, gone = recipe(), recipe(name="six-old")
    build.build(tmp_path, kept, lambda line: None)
    build.build(tmp_path, gone, lambda line: None)
    assert build.prune(tmp_path, {kept.directory}) == [gone.directory]
    assert build.load(tmp_path, kept) is not None
    assert not (tmp_path / gone.directory).exists()
    assert build.prune(tmp_path / "never made", set()) == []


def test_the_marker_says_what_the_environment_is_made_of(cache: Path) -> None:
    marker = json.loads((Path(built(cache).prefix) / build.MARKER).read_text())
    assert marker["environment"] == "six-1"
    assert marker["python"].startswith(OWN + ".")
    assert marker["seconds"] > 0
