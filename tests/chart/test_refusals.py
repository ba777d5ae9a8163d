"""Values that contradict each other or that nobody reads: refused, with the value's name and the remedy."""

import unittest

import chart

DIGEST = "sha256:" + "0" * 63


class Contradictions(unittest.TestCase):
    def refused(self, values, *parts):
        said = chart.refusal(values)
        for part in parts:
            self.assertIn(part, said)

    def test_a_claim_is_made_or_existing(self):
        self.refused({"dataClaim": {"existing": "mine"}}, "dataClaim.existing names 'mine'", "set dataClaim.create=false")
        self.refused({"dataClaim": {"create": False}}, "there is no claim for the data", "set dataClaim.existing")

    def test_a_claim_must_be_writable_by_more_than_one_pod(self):
        self.refused({"dataClaim": {"accessModes": ["ReadWriteOncePod"]}}, "ReadWriteOncePod", "use ReadWriteMany")
        self.refused({"dataClaim": {"accessModes": ["ReadOnlyMany"]}}, "no mode in which the volume can be written")

    def test_settings_that_other_values_stand_for_are_not_set_twice(self):
        for section, key, remedy in [
            ("Kubernetes", "DataDirPVCName", "set dataClaim.existing"),
            ("Kubernetes", "Namespace", "install the release in the namespace it is to serve"),
            ("kubernetes", "tmpsizelimit", "set content.tmpSizeLimit"),
            ("ExecutionEnvironments", "ConfigFilePath", "into runtimes"),
            ("Launcher", "ClusterDefinition", "into runtimes"),
            ("Launcher", "DataDirPVCName", "set dataClaim.existing"),
            ("Applications", "RunAs", "set runAs"),
            ("HTTP", "Listen", "set gateway.service.port"),
            ("https", "certificate", "set gateway.tls.secretName"),
            ("Gateway", "SessionKeyFile", "set gateway.sessionKeySecret"),
        ]:
            with self.subTest(setting=f"{section}.{key}"):
                self.refused({"config": {section: {key: "x"}}}, "which the chart sets itself", remedy)

    def test_every_setting_that_the_chart_writes_is_refused_in_config(self):
        full = chart.objects(files=[chart.CHART / "ci/full-values.yaml"]).config("reports")
        keys = {line.split(" ")[0] for line in chart.section(full, "Kubernetes")}
        for key in sorted(keys):
            with self.subTest(key=key):
                self.refused({"config": {"Kubernetes": {key: "x"}}}, f"config sets Kubernetes.{key}")

    def test_a_setting_in_two_spellings_is_refused(self):
        twice = {"Server": {"DataDir": "/a/b"}, "server": {"dataDir": "/c/d"}}
        self.refused({"config": twice}, "twice, in different spelling")

    def test_the_data_directory_is_a_place_where_a_volume_can_be(self):
        for path in ("data", "/", "/data/", "/a//b"):
            self.refused({"config": {"Server": {"DataDir": path}}}, "give an absolute path below the root")
        for path in ("/etc", "/etc/connect", "/tmp/data", "/usr/local/data", "/var", "/opt"):
            self.refused({"config": {"Server": {"DataDir": path}}}, "use a directory such as")

    def test_a_value_that_gcfg_can_not_hold_is_refused(self):
        self.refused({"config": {"R": {"ConfigActive": "a\x07b"}}}, "[R] ConfigActive", "control character")
        self.refused({"config": {"Packages": {"External": ["ok", "a\rb"]}}}, "[Packages] External")

    def test_a_name_can_not_add_lines_to_the_file(self):
        self.refused({"config": {"Server]\n[Evil": {"A": 1}}}, r'the section "Server]\n[Evil"')
        self.refused({"config": {'RPackageRepository "a\n"': {"URL": "x"}}}, "config has the section")
        self.refused({"config": {"R": {"A = 1\nB": 1}}}, r'the key "A = 1\nB" in [R]')

    def test_accounts_and_groups_agree(self):
        account = {"name": "payroll", "uid": 1100, "gid": 1100}
        self.refused({"accounts": [account, account]}, "accounts has 'payroll', which is there already")
        self.refused({"accounts": [{**account, "name": "rstudio-connect"}]}, "set runAs for the default account")
        self.refused({"accounts": [{**account, "name": "root"}]}, "accounts has 'root'")
        group = {"name": "reports", "gid": 2000}
        self.refused({"groups": [group, {**group, "name": "other"}]}, "or the gid 2000 twice")
        self.refused({"groups": [{**group, "members": ["nobodyelse"]}]}, "the member 'nobodyelse', which is no account")
        self.refused({"accounts": [account], "groups": [{"name": "payroll", "gid": 7}]}, "the group 'payroll' has another")
        high = {"accounts": [{**account, "gid": 70000}], "content": {"userNamespaces": True}}
        self.refused(high, "'payroll' has an id above 65535")
        shared = {"config": {"Applications": {"SharedRunAsUnixGroup": "analysts"}}}
        self.refused(shared, "'analysts', which is no group; add it to groups")

    def test_content_never_has_the_controllers_service_account(self):
        self.refused({"content": {"serviceAccount": {"name": "offhost"}}}, "the same service account 'offhost'")
        self.refused({"serviceAccount": {"create": False}}, "the controller has no service account")

    def test_the_gateway_has_a_service_account_of_its_own(self):
        for name in ("offhost", "offhost-content"):
            self.refused({"gateway": {"serviceAccount": {"name": name}}}, f"the gateway has the service account '{name}'")
        self.refused({"gateway": {"serviceAccount": {"create": False}}}, "the gateway has no service account")

    def test_nobody_gets_past_a_proxy_that_lets_people_log_in(self):
        proxy = {"logInProxy": {"container": {"name": "proxy", "image": "proxy:1"}}}
        known = {"Authentication": {"Provider": "proxy"}}
        self.refused({"gateway": proxy}, "set config.Authentication.Provider to proxy")
        self.refused({"gateway": proxy, "config": {"authentication": {"provider": "pam"}}}, "to proxy")
        self.refused({"gateway": proxy, "config": known}, "set config.ProxyAuth.From to [127.0.0.1]")
        wide = {"ProxyAuth": {"From": ["0.0.0.0/0"]}, **known}
        self.refused({"gateway": proxy, "config": wide}, "set config.ProxyAuth.From to [127.0.0.1]")
        tls = {"tls": {"secretName": "content-tls"}, **proxy}
        own = {"ProxyAuth": {"From": ["127.0.0.1"]}, **known}
        self.refused({"gateway": tls, "config": own}, "gateway.tls.secretName would let them past it")
        self.refused({"gateway": {"logInProxy": {"container": {"name": "proxy"}}}}, "has no name or no image")

    def test_ways_to_the_gateway_are_whole(self):
        self.refused({"gateway": {"ingress": {"enabled": True}}}, "gateway.ingress.hosts is empty")
        self.refused({"gateway": {"httpRoute": {"enabled": True}}}, "gateway.httpRoute.parentRefs is empty")
        scaling = {"enabled": True, "minReplicas": 5, "maxReplicas": 3}
        self.refused({"gateway": {"autoscaling": scaling}}, "gateway.autoscaling.minReplicas is 5, above")

    def test_people_are_bound_to_roles_that_are_there(self):
        people = {"create": False, "publishers": [{"kind": "Group", "name": "all"}]}
        self.refused({"roles": people}, "roles.create=false does not make")

    def test_variables_do_not_take_settings_from_the_chart(self):
        for name in ("POD_NAME", "OFFHOST_KUBERNETES_NAMESPACE", "OFFHOST_SERVER_DATADIR"):
            for part in ("controller", "gateway"):
                self.refused({part: {"extraEnv": [{"name": name, "value": "x"}]}}, f"{part}.extraEnv sets {name}")
        twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
        self.refused({"controller": {"extraEnv": twice}}, "controller.extraEnv sets A, which is there already")

    def test_labels_that_find_pods_stay_as_they_are(self):
        labels = {"podLabels": {"app.kubernetes.io/name": "mine"}}
        self.refused({"controller": labels}, "controller.podLabels sets app.kubernetes.io/name")
        self.refused({"gateway": labels}, "gateway.podLabels sets app.kubernetes.io/name")
        self.refused({"nameOverride": "offhost-content"}, "by which network policies find content")

    def test_tolerations_are_those_the_settings_can_hold(self):
        base = {"key": "a", "effect": "NoSchedule"}
        self.refused({"content": {"tolerations": [base]}}, "without a value; give its value, or operator: Exists")
        exists = {**base, "operator": "Exists", "value": "x"}
        self.refused({"content": {"tolerations": [exists]}}, "which takes no value")
        late = {**base, "operator": "Exists", "tolerationSeconds": 3}
        self.refused({"content": {"tolerations": [late]}}, "only the effect NoExecute takes")


class Schema(unittest.TestCase):
    def test_what_the_schema_refuses_is_named_by_both_helms(self):
        version = {"name": "a:1", "r": {"installations": [{"version": 4.1, "path": "/usr/bin/R"}]}}
        cases = [
            ({"controler": {}}, "controler"),
            ({"controller": {"replica": 1}}, "replica"),
            ({"controller": {"replicas": "two"}}, "replicas"),
            ({"controller": {"strategy": "Rolling"}}, "strategy"),
            ({"image": {"digest": DIGEST}}, "digest"),
            ({"image": {"pullPolicy": "Sometimes"}}, "pullPolicy"),
            ({"dataClaim": {"subPath": "../other"}}, "subPath"),
            ({"dataClaim": {"subPath": "/top"}}, "subPath"),
            ({"dataClaim": {"subPath": "a/../../b"}}, "subPath"),
            ({"dataClaim": {"size": "ten"}}, "size"),
            ({"runAs": {"uid": 0}}, "uid"),
            ({"runAs": {"gid": 0}}, "gid"),
            ({"accounts": [{"name": "a", "uid": 0, "gid": 5}]}, "uid"),
            ({"accounts": [{"name": "a:b", "uid": 5, "gid": 5}]}, "name"),
            ({"config": {"Server": "x"}}, "Server"),
            ({"config": {"Server": {"DataDir": {"a": 1}}}}, "DataDir"),
            ({"runtimes": [version]}, "version"),
            ({"runtimes": [{"name": "a:1", "matchng": "any"}]}, "matchng"),
            ({"content": {"tolerations": [{"operator": "Exists"}]}}, "tolerations"),
            ({"content": {"imageVolumes": "maybe"}}, "imageVolumes"),
            ({"gateway": {"drainSeconds": -1}}, "drainSeconds"),
            ({"gateway": {"ingress": {"hosts": ["Content.example.com"]}}}, "hosts"),
        ]
        for values, part in cases:
            for program in chart.HELMS:
                with self.subTest(values=values, helm=program):
                    said = chart.refusal(values, program=program)
                    self.assertIn("schema", said)
                    self.assertIn(part, said)
