"""Installs a content item's Python packages into a new virtual environment. Standard library only.

    python install_python.py --env PATH --requirements FILE [--manager pip|uv] [--uv PATH]
        [--format requirements|pyproject|uv-lock]

PATH is made, or is an empty directory (a mount). Everything pip prints is passed on; the exit code is pip's.
The packages that were installed are written to PATH/requirements.txt.lock.
"""

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
import venv

# Settings of pip's own that would lead it away from the new environment.
MISLEADING = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")

# Run by the new environment's interpreter: before Python 3.11 only pip has a TOML reader, its own copy.
READ_TOML = """
import json, sys
try:
    import tomllib as toml
except ModuleNotFoundError:
    from pip._vendor import tomli as toml
with open(sys.argv[1], 'rb') as file:
    print(json.dumps(toml.load(file), default=str))
"""

SATISFIES = """
import sys
from pip._vendor.packaging.specifiers import SpecifierSet
sys.exit(0 if SpecifierSet(sys.argv[1]).contains('.'.join(map(str, sys.version_info[:3])), prereleases=True) else 1)
"""


class Failure(Exception):
    """A sentence for the publisher, and the exit code."""

    def __init__(self, text, code=1):
        super().__init__(text)
        self.code = code


def say(text):
    print(text, file=sys.stderr, flush=True)


def clean_environment():
    """The server's own settings of pip and uv stay in force: indexes, certificates, proxies."""
    for name in MISLEADING:
        os.environ.pop(name, None)
    if not usable(os.environ.get("PIP_CACHE_DIR")):
        os.environ.pop("PIP_CACHE_DIR", None)
        os.environ["PIP_NO_CACHE_DIR"] = "1"
    if not usable(os.environ.get("UV_CACHE_DIR")):
        os.environ["UV_CACHE_DIR"] = tempfile.mkdtemp(prefix="uv-")
    os.environ["UV_PYTHON_DOWNLOADS"] = "never"
    os.environ["NO_COLOR"] = "1"


def usable(directory):
    return bool(directory) and os.path.isdir(directory) and os.access(directory, os.W_OK)


def pip_settings(python):
    """pip's settings in force, from its files and variables: name -> value, without the section."""
    done = subprocess.run([python, "-m", "pip", "config", "list"], stdout=subprocess.PIPE, check=True)
    found = {}
    for section in ("global.", "install.", ":env:."):
        for line in done.stdout.decode("utf-8", "replace").splitlines():
            name, _, value = line.partition("=")
            # pip takes an empty value for none.
            if name.startswith(section) and ast.literal_eval(value):
                found[name[len(section):]] = ast.literal_eval(value)
    return found


def index_options(python):
    """uv reads neither pip's files nor its variables. What a server says to pip holds for uv too: otherwise packages
    that are meant to come from a private index would be taken from the public one."""
    pip = pip_settings(python)
    if pip.get("cert"):
        os.environ.setdefault("SSL_CERT_FILE", pip["cert"])
    if pip.get("trusted-host"):
        os.environ.setdefault("UV_INSECURE_HOST", pip["trusted-host"])
    # uv, unlike pip, refuses a directory of packages that is not there.
    links = [link for link in pip.get("find-links", "").split() if "://" in link or os.path.exists(link)]
    options = [word for link in links for word in ("--find-links", link)]
    if pip.get("no-index", "").lower() in ("1", "true", "yes", "on", "y", "t"):
        # An index that a lock file names would still be asked.
        if not any("://" in link for link in links):
            os.environ["UV_OFFLINE"] = "1"
        return options + ["--no-index"]
    if pip.get("index-url") and not (os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")):
        options += ["--default-index", pip["index-url"]]
    for url in pip.get("extra-index-url", "").split():
        options += ["--index", url]
    return options


def create(env):
    try:
        venv.EnvBuilder(with_pip=True, symlinks=True).create(env)
    except (OSError, subprocess.CalledProcessError, SystemExit, ModuleNotFoundError) as error:
        raise Failure(
            f"the environment '{env}' could not be made with {sys.executable} ({describe(error)}): "
            "check that its venv and ensurepip modules are installed and that there is space"
        )
    return os.path.join(env, "bin", "python")


def describe(error):
    output = getattr(error, "output", None)
    text = output.decode("utf-8", "replace") if isinstance(output, bytes) else str(error)
    return " ".join(text.split()) or type(error).__name__


def run(command, **options):
    return subprocess.run(command, check=False, **options).returncode


def must_run(command, what, **options):
    code = run(command, **options)
    if code != 0:
        raise Failure(f"{what} failed: see its messages above", code if 0 < code < 126 else 1)


def read_toml(python, path):
    done = subprocess.run([python, "-c", READ_TOML, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        raise Failure(f"'{path}' can not be read as TOML: {lines[-1]}")
    return json.loads(done.stdout)


def project_dependencies(python, path):
    """The project's own dependencies; the project itself is content, not a package to build."""
    document = read_toml(python, path)
    project = document.get("project")
    if project is None:
        raise Failure(f"'{path}' has no [project] table: list the dependencies there, or add requirements.txt")
    if "dependencies" in project.get("dynamic", []):
        raise Failure(f"the dependencies of '{path}' are dynamic: list them under [project], or add requirements.txt")
    wanted = project.get("requires-python")
    if wanted and run([python, "-c", SATISFIES, wanted], stderr=subprocess.DEVNULL) != 0:
        raise Failure(
            f"'{path}' requires Python {wanted} and this is {sys.version.split()[0]}: "
            "choose another Python for the content, or relax requires-python"
        )
    return project.get("dependencies", [])


def write_requirements(lines):
    with tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False, encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in lines))
        return file.name


def requirements_file(python, options):
    if options.format == "pyproject":
        return write_requirements(project_dependencies(python, options.requirements))
    return options.requirements


def install_with_pip(python, options):
    if options.format == "uv-lock":
        raise Failure("uv.lock needs uv: install uv beside Python and set Python.PackageManager, or add requirements.txt")
    pip = [python, "-m", "pip", "--no-input", "--disable-pip-version-check", "--no-color"]
    file = requirements_file(python, options)
    must_run(
        pip + ["install", "--progress-bar", "off", "--no-warn-script-location", "-r", file],
        f"pip install of '{options.requirements}'",
    )
    if run(pip + ["check"]) != 0:
        say("warning: the installed packages do not agree with one another, see above; correct requirements.txt")
    return subprocess.run(pip + ["freeze"], stdout=subprocess.PIPE, check=True).stdout


def install_with_uv(python, options):
    uv = options.uv
    indexes = index_options(python)
    if options.format == "uv-lock":
        directory = os.path.dirname(os.path.abspath(options.requirements))
        os.environ["UV_PROJECT_ENVIRONMENT"] = options.env
        must_run(
            [uv, "sync", "--frozen", "--no-install-project", "--no-dev", "--inexact", "--no-progress",
             "--compile-bytecode", "--python", python] + indexes,
            f"uv sync of '{options.requirements}'",
            cwd=directory,
        )
    else:
        file = requirements_file(python, options)
        must_run(
            [uv, "pip", "install", "--no-progress", "--compile-bytecode", "--python", python, "-r", file] + indexes,
            f"uv pip install of '{options.requirements}'",
        )
    if run([uv, "pip", "check", "--python", python]) != 0:
        say("warning: the installed packages do not agree with one another, see above; correct requirements.txt")
    frozen = subprocess.run(
        [uv, "pip", "freeze", "--quiet", "--python", python], stdout=subprocess.PIPE, check=True
    ).stdout
    # What came with the environment is not the content's; pip's own listing leaves it out as well.
    own = (b"pip==", b"setuptools==", b"wheel==")
    return b"".join(line for line in frozen.splitlines(True) if not line.startswith(own))


def parse_arguments():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--env", required=True)
    parser.add_argument("--requirements", required=True)
    parser.add_argument("--manager", choices=("pip", "uv"), default="pip")
    parser.add_argument("--uv", default="uv")
    parser.add_argument("--format", choices=("requirements", "pyproject", "uv-lock"), default="requirements")
    return parser.parse_args()


def main():
    options = parse_arguments()
    if not os.path.isfile(options.requirements):
        raise Failure(f"'{options.requirements}' is not in the bundle: add it, or correct the manifest")
    clean_environment()
    say(f"making an environment with Python {sys.version.split()[0]}")
    python = create(options.env)
    say(f"installing '{options.requirements}' with {options.manager}")
    install = install_with_uv if options.manager == "uv" else install_with_pip
    frozen = install(python, options)
    with open(os.path.join(options.env, "requirements.txt.lock"), "wb") as file:
        file.write(frozen)
    say(f"Installed {len(frozen.splitlines())} packages")


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        say(f"Error: {failure}.")
        sys.exit(failure.code)
