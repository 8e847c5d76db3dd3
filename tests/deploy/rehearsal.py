"""Does what the Dockerfile says in a Debian root of its own, without a container engine, and starts it there.

    python -m tests.deploy.rehearsal --folder /var/tmp/rehearsal

Each stage begins with a root made by mmdebstrap (Debian package of that name; Python is that of Debian). RUN
goes by chroot, COPY by copying. Then the entry point runs as the image's user in namespaces of its own, with
a read-only root, no network but the loopback, memory file systems for /tmp and /dev/shm, and a folder for the
data: first `demo --once`, then `serve` until the image's health check passes. Takes root and 3 GB.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.deploy.dockerfile import Instruction, Stage, State, copied, read_stages

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "container" / "Dockerfile"
MISSING = "a rehearsal takes root and mmdebstrap, unshare and chroot (Debian packages mmdebstrap, util-linux)"
DATA = "/var/lib/overread"
_PACKAGES = "python3,python3-venv,ca-certificates"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HEALTH_TRIES = 240
_BUILT = """\
set -e
root=$1 folder=$2 words=$3; shift 3
mount --make-rprivate /
for path in /etc/resolv.conf /proc /dev "$@"; do
    if [ -d "$path" ]; then mkdir -p "$root$path"; else mkdir -p "$root${path%/*}"; touch "$root$path"; fi
    mount --bind "$path" "$root$path"
done
exec chroot "$root" /bin/sh -c "cd $folder && $words"
"""
_STARTED = """\
set -e
root=$1 data=$2 user=$3; shift 3
mount --make-rprivate /
mount --rbind "$root" "$root"
mount --bind "$data" "$root/var/lib/overread"
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/dev/shm"
mount -o remount,bind,ro "$root"
ip link set lo up
exec chroot --userspec="$user" "$root" "$@"
"""


def can_rehearse() -> bool:
    """Return whether this machine can."""
    return os.geteuid() == 0 and all(map(shutil.which, ("mmdebstrap", "unshare", "chroot", "ip")))


class Rehearsal:
    """Stages of the Dockerfile, each as a folder that is its root."""

    def __init__(self, folder: Path, suite: str) -> None:
        self._folder = folder
        self._suite = suite
        self.roots: dict[str, Path] = {}
        self.state = State()  # of the stage that was built last

    def build(self) -> None:
        """Do every instruction of every stage."""
        base = self._folder / "base"
        made = (
            "mmdebstrap",
            "--mode=root",
            "--variant=apt",
            f"--include={_PACKAGES}",
            self._suite,
            str(base),
        )
        subprocess.run(made, check=True)
        for number, stage in enumerate(read_stages(DOCKERFILE.read_text())):
            root = self._folder / f"stage{number}"
            subprocess.run(["cp", "--archive", str(base), str(root)], check=True)
            self.roots[stage.name] = root
            self._build(stage, root)

    def _build(self, stage: Stage, root: Path) -> None:
        self.state = State(environment={"PATH": _PATH}, arguments={})
        for instruction in stage.instructions:
            sys.stderr.write(f"{instruction.name} {instruction.words[:90]}\n")
            if self.state.note(instruction):
                continue
            if instruction.name == "RUN":
                self._run(root, instruction)
            elif instruction.name == "COPY":
                self._copy(root, instruction)
            else:
                raise ValueError(f"{instruction.name} is not rehearsed")

    def _run(self, root: Path, instruction: Instruction) -> None:
        state = self.state
        told, paths = _pip_settings()
        (root / state.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        asked = ("unshare", "--mount", "sh", "-c", _BUILT, "sh", str(root), state.folder, instruction.words)
        subprocess.run(  # what is mounted goes with the process, however it ends
            [*asked, *map(str, paths)],
            env={"HOME": "/root", **told, **state.arguments, **state.environment},
            check=True,
        )

    def _copy(self, root: Path, instruction: Instruction) -> None:
        stage, sources, target = copied(instruction.words)
        origin = ROOT if stage is None else self.roots[stage]
        to = root / Path(self.state.folder, target).as_posix().lstrip("/")
        for source in sources:
            path = origin / source.as_posix().lstrip("/")
            place = to / path.name if target.endswith("/") else to
            place.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, place, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(path, place)

    def start(self, data: Path, words: Sequence[str], **environment: str) -> "subprocess.Popen[bytes]":
        """Start the entry point of the image with these words, or with its own where there are none."""
        command = [*self.state.entrypoint, *(words or self.state.command)]
        user, group = (int(part) for part in self.state.user.split(":"))
        data.mkdir(parents=True, exist_ok=True)
        os.chown(data, user, group)
        root = list(self.roots.values())[-1]
        return subprocess.Popen(
            [
                *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child"),
                *("sh", "-c", _STARTED, "sh", str(root), str(data), self.state.user),
                *("/usr/bin/env", f"--chdir={self.state.folder}", *command),
            ],
            env={**self.state.environment, **environment},
            stdout=subprocess.PIPE,
        )

    def is_healthy(self, running: "subprocess.Popen[bytes]") -> bool:
        """Return whether the health check of the image passes in what is running."""
        first = _first_process(running)
        if first is None:
            return False
        root = list(self.roots.values())[-1]
        asked = [
            "nsenter",
            f"--target={first}",
            "--net",
            "--mount",
            "chroot",
            f"--userspec={self.state.user}",
        ]
        done = subprocess.run(
            [*asked, str(root), *self.state.health],
            env=self.state.environment,
            capture_output=True,
            check=False,
        )
        return done.returncode == 0


def _first_process(running: "subprocess.Popen[bytes]") -> int | None:
    """Return the process that unshare has put into its namespaces; None before that and after its end."""
    try:
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    except FileNotFoundError:  # it has ended and was waited for
        return None
    return int(children[0]) if children else None


def _stop(running: "subprocess.Popen[bytes]") -> int:
    """Ask the first process to stop, as an engine does (unshare itself ignores it); return its status."""
    first = _first_process(running)
    if first is not None:
        os.kill(first, signal.SIGTERM)
    try:
        return running.wait(timeout=60)
    except subprocess.TimeoutExpired:
        running.kill()  # with it goes all that is in its namespaces
        return running.wait()


def _pip_settings() -> tuple[dict[str, str], list[Path]]:
    """Return what pip is told on this machine, as variables, and the files that it is told of."""
    said = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    found = re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", said, re.MULTILINE)
    told = {f"PIP_{name.upper().replace('-', '_')}": value.replace("\\n", " ") for name, value in found}
    named = re.findall(r"(?:^|\s|file://)(/[^\s]+)", " ".join(told.values()))
    paths = {Path(name).parent if name.endswith("/simple") else Path(name) for name in named}
    return told, sorted(path for path in paths if path.exists())


def rehearse(folder: Path, suite: str) -> dict[str, object]:
    """Build and start; return what came of it."""
    rehearsal = Rehearsal(folder, suite)
    rehearsal.build()
    shown = rehearsal.start(folder / "demo", ["demo", "--once"])
    printed, _ = shown.communicate()
    serving = rehearsal.start(
        folder / "data",
        [],
        OVERREAD_API_TOKEN="rehearsal-rehearsal-rehearsal-01",
        OVERREAD_DICOM_CALLING_AE_TITLES="PACS",
        OVERREAD_HL7_SENDERS="127.0.0.1/32",
    )
    try:
        healthy = False
        for _ in range(_HEALTH_TRIES):
            if healthy := serving.poll() is None and rehearsal.is_healthy(serving):
                break
            try:
                serving.wait(timeout=1.0)
            except subprocess.TimeoutExpired:
                continue
            break
    finally:
        stopped = _stop(serving)
    size = subprocess.run(
        ["du", "--summarize", "--block-size=M", str(list(rehearsal.roots.values())[-1])],
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        "demo_status": shown.returncode,
        "demo": printed.decode(),
        "healthy": healthy,
        "stopped": stopped,
        "size": size.stdout.split()[0],
    }


def main() -> int:
    """Rehearse once; print what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, help="where the roots are made; must not exist")
    parser.add_argument("--suite", default="bookworm", help="of Debian")
    given = parser.parse_args()
    if not can_rehearse():
        parser.error(MISSING)
    with tempfile.TemporaryDirectory(prefix="overread-rehearsal-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        came = rehearse(folder, given.suite)
    sys.stdout.write(f"demo: status {came['demo_status']}, {len(str(came['demo']))} characters\n")
    sys.stdout.write(f"serve: health check {'passes' if came['healthy'] else 'fails'}\n")
    sys.stdout.write(f"stop: status {came['stopped']}\n")
    sys.stdout.write(f"size of the root: {came['size']}\n")
    return 0 if came["demo_status"] == 0 and came["healthy"] and came["stopped"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
