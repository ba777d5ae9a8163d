"""The chart as a whole: both Helms, every way of installing it, the schemas of Kubernetes."""

import subprocess
import unittest

import chart
import yaml


class Render(unittest.TestCase):
    def each(self):
        for file in chart.values_files():
            for program in chart.HELMS:
                with self.subTest(values=file.name, helm=program):
                    yield file, program

    def test_both_helms_lint_it_without_a_word(self):
        for file, program in self.each():
            done = chart.helm("lint", files=[file], program=program, more=["--strict"])
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertNotRegex(done.stdout, r"\[(WARNING|ERROR)\]")

    def test_rendering_says_nothing_on_the_side(self):
        for file, program in self.each():
            self.assertEqual(chart.template_of(file, program).stderr, "")

    def test_the_same_values_give_the_same_bytes(self):
        for file, program in self.each():
            again = chart.helm("template", files=[file], program=program).stdout
            self.assertEqual(again, chart.text(files=[file], program=program))

    def test_both_helms_render_the_same_objects(self):
        for file in chart.values_files():
            with self.subTest(values=file.name):
                of3, of4 = (chart.objects(files=[file], program=program) for program in chart.HELMS)
                order = lambda item: (item["kind"], item["metadata"]["name"])
                self.assertEqual(sorted(of3, key=order), sorted(of4, key=order))

    def test_every_object_fits_the_schemas_of_the_oldest_and_the_newest_kubernetes(self):
        for version in chart.KUBERNETES:
            location = f"{chart.schemas(version)}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
            for file in chart.values_files():
                with self.subTest(values=file.name, kubernetes=version):
                    rendered = chart.text(files=[file], kubernetes=version)
                    command = ["kubeconform", "-strict", "-skip", "ServiceMonitor,HTTPRoute", "-schema-location", location]
                    done = subprocess.run(command, input=rendered, capture_output=True, text=True, check=False)
                    self.assertEqual(done.returncode, 0, done.stdout)

    def test_an_older_kubernetes_is_refused(self):
        for program in chart.HELMS:
            done = chart.helm("template", program=program, kubernetes="1.32.9")
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("kubeVersion: >=1.33.0-0", done.stderr)

    def test_no_object_is_rendered_twice_and_none_leaves_the_namespace(self):
        no_namespace = {
            "CustomResourceDefinition",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
        }
        for file in chart.values_files():
            with self.subTest(values=file.name):
                objects = chart.objects(files=[file])
                names = [(item["kind"], item["metadata"]["name"]) for item in objects]
                self.assertEqual(len(names), len(set(names)))
                for item in objects:
                    wanted = None if item["kind"] in no_namespace else chart.NAMESPACE
                    self.assertEqual(item["metadata"].get("namespace"), wanted, item["metadata"]["name"])

    def test_every_object_can_be_found_by_its_release(self):
        for item in chart.default():
            labels = item["metadata"]["labels"]
            self.assertEqual(labels["app.kubernetes.io/instance"], "offhost", item["metadata"]["name"])
            self.assertEqual(labels["app.kubernetes.io/part-of"], "offhost", item["metadata"]["name"])

    def test_long_names_stay_short_enough(self):
        objects = chart.objects({"fullnameOverride": "a" * 44 + "b"})
        for item in objects:
            if item["kind"] == "Service":
                self.assertLessEqual(len(item["metadata"]["name"]), 63)

    def test_somebody_with_rights_in_one_namespace_can_install_it(self):
        file = chart.CHART / "ci/no-cluster-rights-values.yaml"
        kinds = {item["kind"] for item in chart.objects(files=[file])}
        # What a namespace's `edit` can not make. The test's own access is made when the test is run.
        cluster = {"CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
        self.assertFalse(kinds & cluster)

    def test_definitions_are_the_kept_ones_and_outlive_the_release_unless_told_otherwise(self):
        files = sorted((chart.CHART / "files/crds").glob("*.yaml"))
        self.assertTrue(files)
        for keep in (True, False):
            rendered = chart.objects({"crds": {"keep": keep}}).of("CustomResourceDefinition")
            self.assertEqual(len(rendered), len(files))
            for file, definition in zip(files, rendered):
                kept = yaml.safe_load(file.read_text())
                self.assertEqual(definition["spec"], kept["spec"])
                policy = definition["metadata"].get("annotations", {}).get("helm.sh/resource-policy")
                self.assertEqual(policy, "keep" if keep else None)
        self.assertFalse(chart.objects({"crds": {"install": False}}).of("CustomResourceDefinition"))
