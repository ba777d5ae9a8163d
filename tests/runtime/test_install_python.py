"""runtime/install_python.py."""

import os
import subprocess
import zipfile

from starters import PYTHON, StarterTest

# Nothing of these tests is asked of a public index; uv must take that from pip's own PIP_NO_INDEX.
NO_INDEX = {"UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple"}


def make_wheel(directory, name, version, requires=()):
    """A pure wheel whose only module prints its version."""
    path = os.path.join(directory, f"{name}-{version}-py3-none-any.whl")
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = '{version}'\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        + "".join(f"Requires-Dist: {one}\n" for one in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(file, text)
        record = "".join(f"{file},,\n" for file in files) + f"{info}/RECORD,,\n"
        wheel.writestr(f"{info}/RECORD", record)


class InstallTest(StarterTest):
    def setUp(self):
        super().setUp()
        self.wheels = self.directory("wheels")
        make_wheel(self.wheels, "offhostlantern", "1.0")
        make_wheel(self.wheels, "offhostlantern", "2.0")
        make_wheel(self.wheels, "offhostharbour", "1.0", ["offhostlantern>=1"])
        # The environment is an empty directory that is already there: a mount.
        self.env = self.directory("env")

    def install(self, file, *words, **env):
        env = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": self.wheels, **env}
        return self.run_python("install_python.py", "--env", self.env, "--requirements", file, *words, **env)

    def version_of(self, module):
        done = subprocess.run([os.path.join(self.env, "bin", "python"), "-c", f"import {module}; print({module}.VERSION)"],
                              stdout=subprocess.PIPE, encoding="utf-8", check=True)
        return done.stdout.strip()


class InstallPython(InstallTest):
    # Proves: PK2 (L)
    def test_requirements_are_installed_and_locked(self):
        self.write("requirements.txt", "offhostharbour==1.0\noffhostlantern==1.0  # pinned\n")
        outcome = self.install("requirements.txt")
        self.assert_worked(outcome)
        self.assertEqual(self.version_of("offhostlantern"), "1.0")
        self.assertEqual(self.read(self.env, "requirements.txt.lock"), "offhostharbour==1.0\noffhostlantern==1.0\n")
        self.assertIn("Installed 2 packages", outcome.err)

    # Proves: PK2 (L)
    def test_inherited_pip_settings_do_not_lead_elsewhere(self):
        self.write("requirements.txt", "offhostlantern\n")
        self.assert_worked(self.install("requirements.txt", PIP_USER="1", PYTHONPATH=self.app, PIP_TARGET=self.app))
        self.assertEqual(self.version_of("offhostlantern"), "2.0")

    # Proves: PK2 (L)
    def test_what_can_not_be_had_fails_with_pips_own_words(self):
        self.write("requirements.txt", "offhostlantern==9\n")
        outcome = self.install("requirements.txt")
        self.assert_refused(outcome, "pip install of 'requirements.txt' failed")
        self.assertIn("offhostlantern==9", outcome.err + outcome.out)
        self.assertFalse(os.path.exists(os.path.join(self.env, "requirements.txt.lock")))
        self.assert_refused(self.install("reqs.txt"), "'reqs.txt' is not in the bundle")

    # Proves: PK2 (L)
    def test_packages_that_disagree_are_a_warning(self):
        make_wheel(self.wheels, "offhostquarrel", "1.0", ["offhostlantern<1"])
        self.write("requirements.txt", "offhostlantern==1.0\n")
        self.write("more.txt", "offhostquarrel\n")
        outcome = self.install("more.txt", PIP_NO_DEPS="1")
        self.assert_worked(outcome)
        self.assertIn("warning: the installed packages do not agree", outcome.err)

    # Proves: PK2 (L)
    def test_the_dependencies_of_a_project_are_installed_and_the_project_is_not(self):
        self.write("pyproject.toml", '[project]\nname = "content"\nversion = "1"\ndependencies = ["offhostlantern<2"]\n')
        self.assert_worked(self.install("pyproject.toml", "--format", "pyproject"))
        self.assertEqual(self.read(self.env, "requirements.txt.lock"), "offhostlantern==1.0\n")

    # Proves: PK2 (L)
    def test_projects_that_can_not_be_served_say_why(self):
        cases = {
            '[project]\nrequires-python = ">=99"\n': "requires Python >=99",
            '[project]\ndynamic = ["dependencies"]\n': "are dynamic",
            "[tool.poetry]\n": "has no [project] table",
            "[project\n": "can not be read as TOML",
        }
        for text, part in cases.items():
            with self.subTest(part):
                self.write("pyproject.toml", text)
                self.assert_refused(self.install("pyproject.toml", "--format", "pyproject"), part)

    # Proves: PK2 (L)
    def test_a_uv_lock_without_uv_says_what_to_do(self):
        self.write("uv.lock", "version = 1\n")
        self.assert_refused(self.install("uv.lock", "--format", "uv-lock"), "uv.lock needs uv")


class InstallWithUv(InstallTest):
    """uv, itself taken from pip's index."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        import shutil
        import tempfile

        cls.tools = tempfile.mkdtemp(prefix="offhost-uv-", dir="/var/tmp")
        cls.addClassCleanup(shutil.rmtree, cls.tools, ignore_errors=True)
        os.chmod(cls.tools, 0o755)
        subprocess.run([PYTHON, "-m", "venv", cls.tools], check=True)
        subprocess.run([os.path.join(cls.tools, "bin", "pip"), "install", "--quiet", "uv"], check=True)
        cls.uv = os.path.join(cls.tools, "bin", "uv")

    def install(self, file, *words, **env):
        return super().install(file, *words, "--manager", "uv", "--uv", self.uv, **{**NO_INDEX, **env})

    # Proves: PK2 (L)
    def test_uv_asks_only_what_pip_may_ask(self):
        self.write("requirements.txt", "offhostharbour==1.0\noffhostlantern==1.0\n")
        outcome = self.install("requirements.txt")
        self.assert_worked(outcome)
        self.assertEqual(self.version_of("offhostlantern"), "1.0")
        self.assertEqual(self.read(self.env, "requirements.txt.lock"), "offhostharbour==1.0\noffhostlantern==1.0\n")
        self.assertIn("Installed 2 packages", outcome.err)

    # Proves: PK2 (L)
    def test_what_uv_can_not_have_fails(self):
        self.write("requirements.txt", "offhostlantern==9\n")
        self.assert_refused(self.install("requirements.txt"), "uv pip install of 'requirements.txt' failed")

    # Proves: PK2 (L)
    def test_pips_files_hold_for_uv_too(self):
        self.write("pip.conf", f"[global]\nno-index = true\nfind-links = {self.wheels}\n")
        self.write("requirements.txt", "offhostlantern==1.0\n")
        env = {"PIP_CONFIG_FILE": os.path.join(self.app, "pip.conf"), "PIP_NO_INDEX": "", "PIP_FIND_LINKS": ""}
        self.assert_worked(self.install("requirements.txt", **env))

    # Proves: PK2 (L)
    def test_a_uv_lock_is_installed_as_locked(self):
        self.write("pyproject.toml", '[project]\nname = "content"\nversion = "1"\ndependencies = ["offhostlantern<2"]\n')
        lock = [self.uv, "lock", "--python", PYTHON, "--no-index", "--find-links", self.wheels]
        self.assert_worked(self.run_command(lock, UV_CACHE_DIR=self.tmp, **NO_INDEX))
        self.assert_worked(self.install("uv.lock", "--format", "uv-lock"))
        self.assertEqual(self.read(self.env, "requirements.txt.lock"), "offhostlantern==1.0\n")
