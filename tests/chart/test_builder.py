"""The builder of R packages from Git: what it may do, what it sees, and what builds do not."""

import re
import unittest

import chart
import yaml

BUILDER = chart.CHART / "ci/builder-values.yaml"


def with_builder():
    return chart.objects(files=[BUILDER])


class Builder(unittest.TestCase):
    # Proves: GB6 (P)
    def test_it_is_installed_only_where_it_is_wanted(self):
        self.assertNotIn("offhost-builder", chart.default().pods())
        self.assertFalse([role for role in chart.default().of("Role") if "builder" in role["metadata"]["name"]])
        self.assertIn("offhost-builder", with_builder().pods())

    # Proves: GB6 (P), OH4 (P)
    def test_its_pod_is_restricted_and_one(self):
        objects = with_builder()
        deployment = objects.one("Deployment", "offhost-builder")
        self.assertEqual((deployment["spec"]["replicas"], deployment["spec"]["strategy"]), (1, {"type": "Recreate"}))
        pod = objects.pods()["offhost-builder"]
        self.assertIs(pod["securityContext"]["runAsNonRoot"], True)
        for container in pod["containers"] + pod["initContainers"]:
            inner = container["securityContext"]
            self.assertIs(inner["allowPrivilegeEscalation"], False)
            self.assertIs(inner["readOnlyRootFilesystem"], True)
            self.assertEqual(inner["capabilities"], {"drop": ["ALL"]})
            self.assertIn("requests", container["resources"])

    # Proves: GB6 (P)
    def test_its_metrics_are_found_and_nothing_else_is_reached(self):
        objects = chart.objects({"serviceMonitor": {"enabled": True}}, files=[BUILDER])
        service = objects.one("Service", "offhost-builder-metrics")["spec"]
        deployment = objects.one("Deployment", "offhost-builder")["spec"]["template"]
        self.assertLessEqual(service["selector"].items(), deployment["metadata"]["labels"].items())
        (port,) = deployment["spec"]["containers"][0]["ports"]
        self.assertEqual([one["targetPort"] for one in service["ports"]], [port["name"]])
        monitor = objects.one("ServiceMonitor", "offhost-builder")["spec"]
        labels = objects.one("Service", "offhost-builder-metrics")["metadata"]["labels"]
        self.assertLessEqual(monitor["selector"]["matchLabels"].items(), labels.items())
        policy = objects.one("NetworkPolicy", "offhost-builder")["spec"]
        self.assertEqual(policy["podSelector"]["matchLabels"], service["selector"])
        self.assertEqual(policy["ingress"], [{"ports": [{"port": "http", "protocol": "TCP"}]}])
        monitoring = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
        objects = chart.objects({"networkPolicy": {"builder": {"from": monitoring}}}, files=[BUILDER])
        policy = objects.one("NetworkPolicy", "offhost-builder")["spec"]
        self.assertEqual(policy["ingress"][0]["from"], monitoring)

    # Proves: GB6 (P)
    def test_its_secret_is_in_no_other_pod_and_its_rights_are_those_of_the_page(self):
        objects = with_builder()
        for name, pod in objects.pods().items():
            has_secret = "git-credentials" in str(pod)
            self.assertEqual(has_secret, name == "offhost-builder", name)
        page = (chart.ROOT / "docs/rbac.md").read_text()
        section = re.search(r"^## The builder\n(.*?)^## ", page, re.M | re.S).group(1)
        said = set()
        for resources, verbs in re.findall(r"^\| (`[^|]+) \| (`[^|]+) \|", section, re.M):
            for resource in re.findall(r"`([^`]+)`", resources):
                said |= {(resource, verb) for verb in re.findall(r"`([^`]+)`", verbs)}
        rules = objects.one("Role", "offhost-builder")["rules"]
        self.assertEqual({(r, verb) for rule in rules for r in rule["resources"] for verb in rule["verbs"]}, said)
        subjects = objects.one("RoleBinding", "offhost-builder")["subjects"]
        self.assertEqual([subject["name"] for subject in subjects], ["offhost-builder"])

    # Proves: GB6 (P)
    def test_it_works_in_a_directory_of_the_volume_that_its_pods_see_alike(self):
        objects = with_builder()
        config = objects.one("ConfigMap", "offhost-builder")["data"]
        self.assertIn("BuildExecutor = kubernetes", config["rstudio-pm.gcfg"])
        self.assertIn('DataDirPVCSubPath = "connect/git-builds"', config["rstudio-pm.gcfg"])
        mounts = objects.pods()["offhost-builder"]["containers"][0]["volumeMounts"]
        self.assertEqual([m["subPath"] for m in mounts if m["name"] == "data"], ["connect/git-builds"])
        self.assertEqual(yaml.safe_load(config["builders.yaml"])["builders"][0]["name"], "praise")

    # Proves: GB6 (P)
    def test_what_can_not_be_is_refused(self):
        builders = {"builders": [{"name": "a", "url": "https://example.com/a.git"}]}
        refused = [
            ({"enabled": True}, "builder.builders is empty"),
            ({"enabled": True, **builders, "config": {"Server": {"DataDir": "/x"}}}, "which other values stand for"),
            ({"enabled": True, **builders, "serviceAccount": {"name": "offhost"}}, "give it one of its own"),
            ({"enabled": True, **builders, "extraEnv": [{"name": "POD_UID", "value": "x"}]}, "which is there already"),
        ]
        for values, message in refused:
            with self.subTest(message=message):
                self.assertIn(message, chart.refusal({"builder": values}))
