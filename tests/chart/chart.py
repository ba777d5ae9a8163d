"""What the tests of the chart share: rendering it, and finding objects in what comes out."""

import functools
import json
import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "charts/offhost"
HELMS = ("helm3", "helm4")
NAMESPACE = "content"
# The oldest the chart allows, and the newest there are schemas for.
KUBERNETES = ("1.33.0", "1.37.0")


def values_files():
    """The files that stand for the ways in which the chart is installed."""
    return sorted((CHART / "ci").glob("*-values.yaml"))


def helm(command, values=None, files=(), program="helm4", kubernetes=KUBERNETES[0], more=()):
    """Runs helm on the chart; `values` is one map that comes last."""
    arguments = [program, command]
    arguments += ["offhost"] if command == "template" else []
    arguments += [str(CHART), "--namespace", NAMESPACE, *more]
    arguments += ["--kube-version", kubernetes] if command != "install" else []
    for file in files:
        arguments += ["--values", str(file)]
    given = None
    if values is not None:
        arguments += ["--values", "-"]
        given = json.dumps(values)
    return subprocess.run(arguments, input=given, capture_output=True, text=True, check=False)


@functools.cache
def template_of(file, program, kubernetes=KUBERNETES[0]):
    return helm("template", None, [file], program, kubernetes)


def text(values=None, files=(), program="helm4", kubernetes=KUBERNETES[0]):
    """What the chart renders to. One file of values without more is rendered once for all tests."""
    if values is None and len(files) == 1:
        done = template_of(files[0], program, kubernetes)
    else:
        done = helm("template", values, files, program, kubernetes)
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout


def refusal(values, program="helm4"):
    """What helm says where the values are refused."""
    done = helm("template", values, program=program)
    assert done.returncode, "the values were taken"
    return done.stderr


class Objects(list):
    """Rendered objects."""

    def of(self, kind):
        return [item for item in self if item["kind"] == kind]

    def one(self, kind, name):
        found = [item for item in self.of(kind) if item["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} of {kind} {name}"
        return found[0]

    def names(self, kind):
        return [item["metadata"]["name"] for item in self.of(kind)]

    def config(self, prefix="offhost"):
        return self.one("ConfigMap", f"{prefix}-config")["data"]["rstudio-connect.gcfg"]

    def pods(self):
        """The specification of every Pod, by the name of what makes it."""
        found = {item["metadata"]["name"]: item["spec"] for item in self.of("Pod")}
        for item in self.of("Deployment"):
            found[item["metadata"]["name"]] = item["spec"]["template"]["spec"]
        return found


def objects(values=None, files=(), **how):
    return Objects(item for item in yaml.safe_load_all(text(values, files, **how)) if item)


@functools.cache
def default():
    return objects()


def notes(values=None, files=()):
    """What NOTES.txt says; the chart is not installed."""
    done = helm("install", values, files, more=["--dry-run=client", "--generate-name"])
    assert done.returncode == 0, done.stderr
    said = done.stdout.partition("\nNOTES:\n")[2]
    return re.sub(r"\s+", " ", said)


def section(config, name):
    """Lines of each occurrence of a section of a gcfg file."""
    lines = []
    current = None
    for line in config.splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif line and not line.startswith(";") and current == name:
            lines.append(line)
    return lines


@functools.cache
def schemas(version):
    """Schemas of Kubernetes as kubeconform takes them: the package's name an address, which nobody is to ask."""
    import kubernetes_validate

    source = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema" / f"v{version}-local-strict"
    place = pathlib.Path(sys.prefix) / "schemas" / version
    if not place.exists():
        half = place.with_name(f"{version}.half")
        half.mkdir(parents=True, exist_ok=True)
        for file in source.glob("*.json"):
            schema = json.loads(file.read_text())
            schema.pop("$id", None)
            refers = json.dumps(schema).replace('"/api/_definitions.json#', '"_definitions.json#')
            (half / file.name).write_text(refers)
        half.rename(place)
    return place
