"""Runs the starters the way the sandbox does: another account, no home, a private temporary directory."""

import os
import pwd
import shutil
import subprocess
import tempfile
import unittest

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RUNTIME = os.path.join(REPOSITORY, "runtime")
EXAMPLES = os.path.join(REPOSITORY, "examples")
PYTHON = "/usr/bin/python3"
R = ["R", "--no-echo", "--no-restore", "--no-save"]
# What pip and npm need to reach their index differs between machines and comes from the environment.
INHERITED = ("PIP_", "NODE_EXTRA_", "NPM_CONFIG_", "npm_config_", "SSL_", "REQUESTS_", "http_proxy", "https_proxy", "no_proxy", "HTTP", "NO_PROXY")


def account():
    """The account the starters run as; None is one's own."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


class Outcome:
    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def __repr__(self):
        return f"exit code {self.code}\n--- stdout\n{self.out[-3000:]}\n--- stderr\n{self.err[-3000:]}"


class StarterTest(unittest.TestCase):
    """A test with its own directory: `self.app` is the copy of the source, `self.report` the output."""

    def setUp(self):
        self.place = tempfile.mkdtemp(prefix="offhost-test-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, self.place, ignore_errors=True)
        os.chmod(self.place, 0o755)
        self.runtime = os.path.join(self.place, "runtime")
        shutil.copytree(RUNTIME, self.runtime, ignore=shutil.ignore_patterns("__pycache__"))
        self.app = self.directory("app")
        self.report = self.directory("report")
        self.tmp = self.directory("tmp")

    def directory(self, name):
        path = os.path.join(self.place, name)
        os.makedirs(path, exist_ok=True)
        self.give(path)
        return path

    def give(self, path):
        who = account()
        if who:
            subprocess.run(["chown", "-hR", f"{who.pw_uid}:{who.pw_gid}", path], check=True)

    def write(self, name, text):
        path = os.path.join(self.app, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.give(path)
        return path

    def example(self, name):
        shutil.copytree(os.path.join(EXAMPLES, name), self.app, dirs_exist_ok=True)
        self.give(self.app)

    def run_command(self, command, cwd=None, **env):
        base = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TMPDIR": self.tmp}
        base.update((k, v) for k, v in os.environ.items() if k.startswith(INHERITED))
        base.update(env)
        who = account()
        options = {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []} if who else {}
        done = subprocess.run(
            command, cwd=cwd or self.app, env=base, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, encoding="utf-8", errors="replace", timeout=900, check=False, **options,
        )
        return Outcome(done)

    def run_r(self, starter, *words, **env):
        return self.run_command(R + ["-f", os.path.join(self.runtime, starter), "--args", *words], **env)

    def run_python(self, starter, *words, python=PYTHON, **env):
        return self.run_command([python, os.path.join(self.runtime, starter), *words], **env)

    def assert_worked(self, outcome):
        self.assertEqual(outcome.code, 0, outcome)

    def assert_refused(self, outcome, *parts):
        """Ended with one sentence that says these things."""
        self.assertNotEqual(outcome.code, 0, outcome)
        sentence = [line for line in outcome.err.splitlines() if line.startswith("Error: ")]
        self.assertEqual(len(sentence), 1, outcome)
        for part in parts:
            self.assertIn(part, sentence[0], outcome)

    def read(self, *names):
        with open(os.path.join(*names), encoding="utf-8") as file:
            return file.read()
