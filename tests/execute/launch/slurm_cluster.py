"""A real Slurm of two nodes on this machine, for the tests marked `slurm`.

Both nodes are processes of this machine on loopback; accounting is off, as on many small clusters,
so `sacct` refuses. Needs root, slurm-wlm and munge (Debian's names).
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scontrol", "scancel")
NODES = ("n1", "n2")

_CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=bf_interval=1,sched_interval=1
SlurmdTimeout=10
SlurmctldTimeout=10
MinJobAge=300
ReturnToService=2
MpiDefault=none
KillWait=5
MaxArraySize={max_array}
JobRequeue=1
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
{nodes}
PartitionName=main Nodes=ALL Default=YES MaxTime=1:00:00 State=UP
"""


def missing() -> str:
    """Say why no cluster can be started here; "" where one can."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if absent:
        return f"no {', '.join(absent)} (Debian: slurm-wlm, munge)"
    return "" if os.geteuid() == 0 else "slurmctld and slurmd want to be started as root"


@dataclass(frozen=True)
class Cluster:
    """A cluster that runs."""

    folder: Path
    config: Path

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which Slurm's commands find this cluster."""
        return {**os.environ, "SLURM_CONF": str(self.config)}

    def command(self, *words: str) -> str:
        """Run one of Slurm's commands and return what it prints."""
        done = subprocess.run(
            words, capture_output=True, text=True, env=self.environment, check=True, timeout=60
        )
        return done.stdout

    def start_controller(self) -> None:
        """Start slurmctld."""
        subprocess.run(["slurmctld", "-f", self.config], env=self.environment, check=True)

    def start_node(self, name: str) -> None:
        """Start the slurmd of one node."""
        command = ["slurmd", "-N", name, "-f", str(self.config)]
        subprocess.run(command, env=self.environment, check=True)

    def stop(self, daemon: str, number: int = signal.SIGTERM) -> None:
        """Signal "slurmctld", "slurmd.n1" or "munged" by its own pid file, and wait for its end."""
        file = self.folder / f"{daemon}.pid"
        try:
            pid = int(file.read_text())
        except (OSError, ValueError):
            return
        if _program(pid) != daemon.partition(".")[0]:
            return
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        wait_until(lambda: _program(pid) != daemon.partition(".")[0], f"{daemon} did not end")
        file.unlink(missing_ok=True)

    def wait_until_idle(self) -> None:
        """Wait until both nodes take jobs."""
        wait_until(
            lambda: self.command("sinfo", "-h", "-N", "-o", "%t").split() == ["idle"] * len(NODES),
            "the nodes are not idle",
        )


def wait_until(true: Callable[[], bool], complaint: str, seconds: float = 60) -> None:
    """Poll until something is so; AssertionError with the complaint after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.1)


@contextmanager
def running_cluster(folder: Path, max_array: int = 1001) -> Iterator[Cluster]:
    """Start a cluster below `folder`, and stop all its daemons at the end."""
    for part in ("state", "munge"):
        (folder / part).mkdir(parents=True)
    key = folder / "munge" / "key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o600)
    folder.chmod(0o711)
    (folder / "munge").chmod(0o711)
    host, ports = socket.gethostname().partition(".")[0], _free_ports(1 + len(NODES))
    nodes = "\n".join(
        f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 "
        "RealMemory=4000 State=UNKNOWN"
        for name, port in zip(NODES, ports[1:], strict=True)
    )
    config = folder / "slurm.conf"
    config.write_text(
        _CONFIG.format(host=host, port=ports[0], folder=folder, max_array=max_array, nodes=nodes)
    )
    cluster = Cluster(folder, config)
    try:
        _start_munge(folder)
        cluster.start_controller()
        for name in NODES:
            cluster.start_node(name)
        cluster.wait_until_idle()
        yield cluster
    finally:
        for daemon in (*(f"slurmd.{name}" for name in NODES), "slurmctld", "munged"):
            cluster.stop(daemon)


def _start_munge(folder: Path) -> None:
    subprocess.run(
        [
            "munged",
            "--force",
            f"--key-file={folder}/munge/key",
            f"--socket={folder}/munge/socket",
            f"--pid-file={folder}/munged.pid",
            f"--log-file={folder}/munge/log",
            f"--seed-file={folder}/munge/seed",
        ],
        check=True,
        capture_output=True,
    )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _program(pid: int) -> str:
    try:
        name = Path(f"/proc/{pid}/comm").read_text().strip()
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""
    return "" if state == "Z" else name
