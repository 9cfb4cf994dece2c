"""As much of psutil as the corpus uses, so that a control needs no package.

It does what the real one does: reads /proc and sends SIGKILL.
"""

import os
import signal


class Error(Exception):
    pass


class NoSuchProcess(Error):
    pass


class AccessDenied(Error):
    pass


class ZombieProcess(NoSuchProcess):
    pass


class Process:
    def __init__(self, pid=None):
        self.pid = os.getpid() if pid is None else pid
        try:
            with open(f"/proc/{self.pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            with open(f"/proc/{self.pid}/comm") as file:
                self._name = file.read().strip()
        except OSError as error:
            raise NoSuchProcess(self.pid) from error
        self._cmdline = [word.decode(errors="replace") for word in words if word]
        self.info = {"pid": self.pid, "name": self._name, "cmdline": self._cmdline}

    def name(self):
        return self._name

    def cmdline(self):
        return self._cmdline

    def kill(self):
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError as error:
            raise NoSuchProcess(self.pid) from error

    terminate = kill


def pids():
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def process_iter(attrs=None):
    for pid in pids():
        try:
            yield Process(pid)
        except NoSuchProcess:
            pass
