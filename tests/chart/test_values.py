"""Every value is commented, is in the schema, and is used; the pages say what the chart does."""

import json
import re
import unittest

import chart
import yaml

VALUES = (chart.CHART / "values.yaml").read_text()
SCHEMA = json.loads((chart.CHART / "values.schema.json").read_text())


def paths(values, schema, prefix=""):
    """Each value by its path. A map that users fill with names of their own is one value."""
    for key, value in values.items():
        inner = resolved(schema["properties"][key])
        if isinstance(value, dict) and "properties" in inner:
            yield from paths(value, inner, f"{prefix}{key}.")
        else:
            yield prefix + key


def resolved(schema):
    reference = schema.get("$ref")
    return SCHEMA["definitions"][reference.rsplit("/", 1)[1]] if reference else schema


def commented():
    """The path of each key whose comment begins with `# --`."""
    found, stack, comment = set(), [], ""
    for line in VALUES.splitlines():
        key = re.match(r"( *)([A-Za-z]+):", line)
        if line.strip().startswith("#"):
            comment = comment or line.strip()
        elif key:
            stack = stack[: len(key[1]) // 2] + [key[2]]
            if comment.startswith("# -- "):
                found.add(".".join(stack))
            comment = ""
        else:
            comment = ""
    return found


def allowed(schema, prefix=""):
    for key, inner in schema["properties"].items():
        inner = resolved(inner)
        if "properties" in inner:
            yield from allowed(inner, f"{prefix}{key}.")
        else:
            yield prefix + key


class Values(unittest.TestCase):
    def test_every_value_is_documented(self):
        values = set(paths(yaml.safe_load(VALUES), SCHEMA))
        self.assertEqual(values - commented(), set())

    def test_the_schema_allows_what_is_documented_and_nothing_else(self):
        values = set(paths(yaml.safe_load(VALUES), SCHEMA))
        # Helm hands this to every chart of a release.
        self.assertEqual(set(allowed(SCHEMA)) - {"global"}, values)

    def test_no_object_of_the_schema_is_open_by_accident(self):
        free = []

        def walk(schema, place):
            if isinstance(schema, dict):
                if schema.get("type") == "object" and "properties" in schema:
                    self.assertIs(schema.get("additionalProperties"), False, place)
                elif schema == {"type": "object"}:
                    free.append(place.rsplit("/", 1)[-1] if not place.endswith("items") else place.split("/")[-2])
                for key, inner in schema.items():
                    walk(inner, f"{place}/{key}")
            elif isinstance(schema, list):
                for inner in schema:
                    walk(inner, place)

        walk(SCHEMA, "")
        # Kubernetes' own types, which the API server checks.
        kubernetes = {
            "affinity", "container", "dns", "egress", "extraVolumeMounts", "extraVolumes", "from", "parentRefs", "resources", "tolerations", "topologySpreadConstraints", "valueFrom",
        }
        self.assertEqual(set(free), kubernetes | {"global"})

    def test_every_value_is_used(self):
        templates = "".join(path.read_text() for path in (chart.CHART / "templates").rglob("*.*"))
        for path in paths(yaml.safe_load(VALUES), SCHEMA):
            self.assertRegex(templates, rf"\b{path.rsplit('.', 1)[-1]}\b", path)


def named(group, resource):
    """As kubectl writes it: `contentjobs.offhost.dev/status`."""
    kind, slash, part = resource.partition("/")
    return (f"{kind}.{group}" if group else kind) + slash + part


class Pages(unittest.TestCase):
    def test_each_permission_of_each_role_has_its_reason(self):
        page = (chart.ROOT / "docs/rbac.md").read_text()
        sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", page, re.M | re.S))
        roles = {
            "offhost-controller": "The controller",
            "offhost-gateway": "The gateway",
            "offhost-publisher": "Publishers",
            "offhost-test": "`helm test`",
        }
        for role, title in roles.items():
            granted = {
                (named(group, resource), verb)
                for rule in chart.default().one("Role", role)["rules"]
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
            }
            said = set()
            for resources, verbs, reason in re.findall(r"^\| (`[^|]+) \| (`?[^|]+) \| ([^|]+) \|$", sections[title], re.M):
                self.assertGreater(len(reason.strip()), 10)
                for resource in re.findall(r"`([^`]+)`", resources):
                    said |= {(resource, verb) for verb in re.findall(r"`([^`]+)`", verbs)}
            self.assertEqual(said, granted, title)

    def test_the_administrators_role_is_the_publishers_and_runas(self):
        publisher = chart.default().one("Role", "offhost-publisher")["rules"]
        administrator = chart.default().one("Role", "offhost-administrator")["rules"]
        runas = {"apiGroups": ["offhost.dev"], "resources": ["contentapps", "contentjobs"], "verbs": ["runas"]}
        self.assertEqual(administrator, [*publisher, runas])

    def test_pages_name_values_that_there_are(self):
        known = set(allowed(SCHEMA))
        prefixes = {path.split(".")[0] for path in known if "." in path}
        count = 0
        for page in ("docs/install-cluster.md", "docs/rbac.md", "examples/README.md"):
            for name in re.findall(r"`([a-zA-Z]+(?:\.[a-zA-Z]+)+)(?:=[^`]*)?`", (chart.ROOT / page).read_text()):
                if name.split(".")[0] in prefixes and "/" not in name and not name.endswith((".md", ".yaml", ".dev")):
                    count += 1
                    self.assertTrue(name in known or any(path.startswith(name + ".") for path in known), f"{page}: {name}")
        self.assertGreater(count, 10)

    def test_the_examples_values_can_be_installed(self):
        for file in sorted((chart.ROOT / "examples/cluster").glob("*values.yaml")):
            with self.subTest(file=file.name):
                self.assertTrue(chart.objects(files=[file]).of("Deployment"))
