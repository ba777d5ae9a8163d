"""The examples: bundles that are whole, and the packages they lock."""

import hashlib
import json
import os
import re
import subprocess
import unittest

from starters import EXAMPLES, REPOSITORY, StarterTest


def load(*names):
    with open(os.path.join(EXAMPLES, *names), encoding="utf-8") as file:
        return json.load(file)


APPS = sorted(os.listdir(os.path.join(EXAMPLES, "apps")))


class Examples(StarterTest):
    # Proves: PK9 (L, P)
    def test_each_manifest_names_the_files_as_they_are(self):
        for name in ("notebook", "report", *(f"apps/{app}" for app in APPS)):
            for file, entry in load(name, "manifest.json")["files"].items():
                with open(os.path.join(EXAMPLES, name, file), "rb") as content:
                    self.assertEqual(hashlib.md5(content.read()).hexdigest(), entry["checksum"], f"{name}/{file}")

    # Proves: PK1 (L)
    def test_the_demonstration_has_every_locked_package(self):
        config = self.read(EXAMPLES, "config", "rstudio-connect.gcfg")
        external = set(re.findall(r"^External = (\S+)$", config, re.M))
        made = set(re.search(r"packages=\((\w.*)\)", self.read(REPOSITORY, "scripts", "make-r-repo")).group(1).split())
        locked = set(load("report", "manifest.json")["packages"]) | set(load("site", "renv.lock")["Packages"])
        for app in APPS:
            locked |= set(load("apps", app, "manifest.json").get("packages", {}))
        self.assertEqual(locked - external, made)

    # Proves: PK8 (L)
    def test_the_script_prints_its_summary(self):
        self.example("script")
        outcome = self.run_command(["/usr/bin/python3", "summary.py", "--year", "2025"])
        self.assert_worked(outcome)
        self.assertEqual([line.split()[0] for line in outcome.out.splitlines()], ["west", "north", "south"])

    def test_the_shell_scripts_are_clean(self):
        scripts = [os.path.join(REPOSITORY, "scripts", name) for name in ("setup", "make-r-repo", "demo", "fetch-servers")]
        try:
            done = subprocess.run(["shellcheck", *scripts], stdout=subprocess.PIPE, encoding="utf-8", check=False)
        except FileNotFoundError:
            raise unittest.SkipTest("shellcheck is not installed")
        self.assertEqual(done.returncode, 0, done.stdout)
