"""One job of one contender: started, fed, and what came of it."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from dataclasses import dataclass

from contenders import Job, Offhost
from scene import HERE, PYTHON, end_all, processes

LIMIT = 30
with open(os.path.join(HERE, "probes.py")) as text:
    PROBES = text.read()


class Broken(Exception):
    """The promise is not kept; says how."""


class CanNot(Exception):
    """The contender has no words for what the case asks."""


@dataclass
class Outcome:
    """What came of a job."""

    code: int | None
    signal: int | None
    out: bytes
    err: str
    refused: str | None  # why it was not started, where the contender says so
    cause: str | None
    layers: list
    queued: int = 0  # bytes that wait to be read from its terminal


class Running:
    """A job that was started."""

    def __init__(self, process, contender, slave=None, master=None):
        self.process, self.contender, self.slave, self.master = process, contender, slave, master

    def tell(self, number):
        self.process.send_signal(number)

    def finish(self):
        out = b""
        try:
            if self.master is None:
                out, err = self.process.communicate(timeout=LIMIT)
            else:
                out, err = self.from_terminal(), b""
        except subprocess.TimeoutExpired:
            self.process.kill()
            end_all(processes(besides=[self.contender.scene.outsider().pid]))
            self.process.communicate()
            raise Broken("did not end") from None
        queued = 0
        if self.slave is not None:
            queued = struct.unpack("i", fcntl.ioctl(self.slave, termios.FIONREAD, b"\0" * 4))[0]
            os.close(self.slave)
            os.close(self.master)
        return self.outcome(out or b"", (err or b"").decode(errors="replace"), queued)

    def from_terminal(self):
        out, end = b"", time.monotonic() + LIMIT
        while self.process.poll() is None or select.select([self.master], [], [], 0)[0]:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("job", LIMIT)
            if select.select([self.master], [], [], 0.01)[0]:
                out += os.read(self.master, 4096)
        return out

    def outcome(self, out, err, queued):
        code = self.process.returncode
        told = self.contender.told()
        if not isinstance(self.contender, Offhost):
            ended = (code, None) if code >= 0 else (None, -code)
            return Outcome(*ended, out, err, None, None, [], queued)
        last = told[-1] if told else {"event": "failed", "step": "", "message": "no report", "hint": ""}
        layers = [layer for report in told if report["event"] == "started" for layer in report["layers"]]
        if last["event"] == "failed":
            refused = "; ".join(filter(None, (last["step"], last["message"], last["hint"])))
            return Outcome(None, None, out, err, refused, None, layers, queued)
        if last["event"] != "ended":
            return Outcome(None, -code if code < 0 else None, out, err, None, None, layers, queued)
        return Outcome(last["code"], last["signal"], out, err, None, last["cause"], layers, queued)


class Bench:
    """What a case works with: a contender and the scene."""

    def __init__(self, contender, scene, is_whole):
        # `is_whole` asks for every value where a case goes through many.
        self.contender, self.scene, self.is_whole = contender, scene, is_whole

    def needs(self, what):
        reason = self.contender.lacks.get(what)
        if reason:
            raise CanNot(reason)

    def job(self, argv, **more):
        if more.get("binds"):
            self.needs("bind")
        more.setdefault("masks", [self.scene.data, self.scene.credentials])
        return Job(argv, **more)

    def start(self, job, around=(), stdin=subprocess.DEVNULL, terminal=False, fds=(), **how):
        argv, numbers = self.contender.command(job)
        argv = [*around, *argv]
        master = slave = None
        if terminal:
            master, slave = open_terminal()
            how["preexec_fn"] = lambda: take(slave)
            stdin = slave
        out = slave if terminal else subprocess.PIPE
        how.setdefault("cwd", "/")
        how.setdefault("env", {"PATH": os.environ["PATH"]})
        try:
            process = subprocess.Popen(
                argv, stdin=stdin, stdout=out, stderr=out, pass_fds=[*numbers, *fds], start_new_session=not terminal,
                **how)
        finally:
            for number in numbers:
                os.close(number)
        return Running(process, self.contender, slave, master)

    def run(self, job, **how):
        return self.start(job, **how).finish()

    def sh(self, script, **more):
        return self.job(["/bin/sh", "-c", script], **more)

    def probe(self, name, told=None, how=None, **more):
        """Runs a probe; it must hold."""
        config = self.scene.config({"groups": more.get("groups", []), **(told or {})})
        job = self.job([PYTHON, "-I", "-S", "-c", PROBES, name, config], **more)
        outcome = self.run(job, **(how or {}))
        self.judge(outcome)
        return outcome

    def judge(self, outcome):
        lines = outcome.out.decode(errors="replace").split()
        if lines[:1] == ["held"]:
            return
        if lines[:1] == ["broken"]:
            raise Broken(" ".join(lines[1:]))
        raise Broken(why(outcome))


def why(outcome):
    if outcome.refused:
        return "not started: " + outcome.refused
    said = " ".join(outcome.err.split()[-14:])
    return f"ended with {outcome.code if outcome.signal is None else f'signal {outcome.signal}'}: {said}"


def open_terminal():
    master, slave = pty.openpty()
    modes = termios.tcgetattr(slave)
    # Without line mode every byte counts at once; without echo nothing comes back.
    modes[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(slave, termios.TCSANOW, modes)
    return master, slave


def take(slave):
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    # A job in the background must not be stopped for what it prints.
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
