import os
import socket

import psutil

from ablate.store.processes import is_alive, process_start

HERE = socket.gethostname()


def test_this_process_lives():
    assert is_alive(HERE, os.getpid(), process_start()) is True
    assert is_alive(HERE, os.getpid(), psutil.Process().create_time()) is True


def test_another_process_of_the_same_pid_does_not_count():
    assert is_alive(HERE, os.getpid(), process_start() + 100) is False


def test_unknown_is_not_dead():
    assert is_alive("another-host", os.getpid(), process_start()) is None


def test_a_killed_process_is_dead_also_before_it_is_reaped(start_python):
    child = start_python("import time; print('up', flush=True); time.sleep(600)")
    child.stdout.readline()
    start = process_start(child.pid)
    assert is_alive(HERE, child.pid, start) is True
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_alive(HERE, child.pid, start) is False
    child.wait()
    assert is_alive(HERE, child.pid, start) is False


def test_a_clock_that_jumps_does_not_kill(monkeypatch):
    start = process_start()
    real = psutil.Process.create_time
    monkeypatch.setattr(psutil.Process, "create_time", lambda self: real(self) + 3600)
    assert is_alive(HERE, os.getpid(), start) is True
