"""What is rendered: permissions, security contexts, configuration, accounts, network, notes."""

import unittest

import chart
import yaml

FULL = chart.CHART / "ci/full-values.yaml"
ACCOUNTS = chart.CHART / "ci/accounts-values.yaml"


def full():
    return chart.objects(files=[FULL])


class Security(unittest.TestCase):
    def test_no_permission_is_a_wildcard_or_reads_secrets(self):
        for objects in (chart.default(), full()):
            self.assertFalse(objects.of("ClusterRole") + objects.of("ClusterRoleBinding"))
            for role in objects.of("Role"):
                for rule in role["rules"]:
                    words = rule["apiGroups"] + rule["resources"] + rule["verbs"]
                    self.assertFalse([word for word in words if "*" in word], role["metadata"]["name"])
                    self.assertNotIn("secrets", rule["resources"], role["metadata"]["name"])
                    self.assertFalse({"escalate", "bind", "impersonate"} & set(rule["verbs"]))

    def test_every_pod_is_restricted(self):
        for objects in (chart.default(), full()):
            self.assertEqual(len(objects.pods()), 4)
            for name, pod in objects.pods().items():
                with self.subTest(pod=name):
                    context = pod["securityContext"]
                    self.assertEqual(context["seccompProfile"], {"type": "RuntimeDefault"})
                    self.assertIs(context["runAsNonRoot"], True)
                    self.assertGreater(context["runAsUser"], 0)
                    self.assertGreater(context["runAsGroup"], 0)
                    for container in pod["containers"] + pod.get("initContainers", []):
                        inner = container["securityContext"]
                        self.assertIs(inner["allowPrivilegeEscalation"], False)
                        self.assertIs(inner["readOnlyRootFilesystem"], True)
                        self.assertEqual(inner["capabilities"], {"drop": ["ALL"]})
                        self.assertIn("requests", container["resources"])
                    kinds = {key for volume in pod.get("volumes", []) for key in volume} - {"name"}
                    # The gateway's keys, where they are given as Secrets.
                    secrets = {"secret"} if name == "reports-gateway" else set()
                    self.assertLessEqual(kinds, {"configMap", "emptyDir", "persistentVolumeClaim"} | secrets)
                    for field in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"):
                        self.assertNotIn(field, pod)

    def test_giving_directories_away_adds_three_capabilities_and_nothing_else(self):
        pod = chart.objects(files=[ACCOUNTS]).pods()["offhost"]
        container = pod["containers"][0]["securityContext"]
        self.assertEqual(container["capabilities"], {"drop": ["ALL"], "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER"]})
        self.assertIs(container["allowPrivilegeEscalation"], False)
        self.assertIs(container["readOnlyRootFilesystem"], True)
        self.assertEqual((pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]), (0, 1001))
        self.assertEqual(pod["securityContext"]["seccompProfile"], {"type": "RuntimeDefault"})

    # Proves: OH4 (P)
    def test_tokens_are_mounted_where_they_are_used_alone(self):
        objects = chart.default()
        for account in objects.of("ServiceAccount"):
            self.assertIs(account["automountServiceAccountToken"], False)
        mounted = {name for name, pod in objects.pods().items() if pod["automountServiceAccountToken"]}
        self.assertEqual(mounted, {"offhost", "offhost-gateway", "offhost-test-doctor"})
        bound = {subject["name"] for binding in objects.of("RoleBinding") for subject in binding["subjects"]}
        self.assertEqual(bound, {"offhost", "offhost-gateway", "offhost-test"})
        self.assertIn('ServiceAccount = "offhost-content"', chart.section(objects.config(), "Kubernetes"))

    # Proves: OH4 (P)
    def test_content_is_reached_by_nobody_and_reaches_what_is_allowed_to_it(self):
        policy = chart.default().one("NetworkPolicy", "offhost-content")["spec"]
        self.assertEqual(policy["podSelector"], {"matchLabels": {"app.kubernetes.io/name": "offhost-content"}})
        self.assertEqual(policy["policyTypes"], ["Ingress", "Egress"])
        self.assertEqual(policy["ingress"], [])
        self.assertEqual([rule["ports"] for rule in policy["egress"]], [[
            {"port": 53, "protocol": "UDP"},
            {"port": 53, "protocol": "TCP"},
        ]])
        given = full().one("NetworkPolicy", "reports-content")["spec"]["egress"]
        self.assertEqual(given[1]["ports"], [{"port": 5432, "protocol": "TCP"}])
        nothing = chart.objects({"networkPolicy": {"dns": [], "install": {"egress": []}}})
        self.assertEqual(nothing.one("NetworkPolicy", "offhost-content")["spec"]["egress"], [])
        self.assertNotIn("offhost-install", nothing.names("NetworkPolicy"))

    def test_installations_reach_web_servers_but_no_metadata(self):
        policy = chart.default().one("NetworkPolicy", "offhost-install")["spec"]
        self.assertEqual(policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"], "install")
        self.assertEqual(policy["policyTypes"], ["Egress"])
        (rule,) = policy["egress"]
        self.assertEqual([port["port"] for port in rule["ports"]], [80, 443])
        self.assertIn("169.254.0.0/16", rule["to"][0]["ipBlock"]["except"])

    def test_the_controller_is_reached_at_its_ports_and_by_gateways_alone_at_the_third(self):
        rule, link = chart.default().one("NetworkPolicy", "offhost-controller")["spec"]["ingress"]
        self.assertEqual([port["port"] for port in link["ports"]], ["hub"])
        gateway = chart.default().one("Deployment", "offhost-gateway")["spec"]["template"]["metadata"]["labels"]
        (only,) = link["from"]
        self.assertLessEqual(only["podSelector"]["matchLabels"].items(), gateway.items())
        self.assertEqual([port["port"] for port in rule["ports"]], ["http", "upload"])
        self.assertNotIn("from", rule)
        narrow = full().one("NetworkPolicy", "reports-controller")["spec"]["ingress"][0]
        self.assertEqual(narrow["from"][0], {"ipBlock": {"cidr": "10.0.0.0/8"}})
        tests = narrow["from"][1]["podSelector"]["matchLabels"]
        labels = full().one("Pod", "reports-test-ready")["metadata"]["labels"]
        self.assertLessEqual(tests.items(), labels.items())


    # Proves: OH4 (P)
    def test_applications_are_reached_by_gateways_and_their_helpers_by_controllers(self):
        objects = chart.default()
        policy = objects.one("NetworkPolicy", "offhost-apps")["spec"]
        self.assertEqual(policy["podSelector"]["matchLabels"]["app.kubernetes.io/component"], "app")
        reached = {}
        for rule in policy["ingress"]:
            (peer,), (port,) = rule["from"], rule["ports"]
            reached[port["port"]] = peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        self.assertEqual(reached, {8000: "gateway", 8001: "controller"})

    def test_the_gateway_changes_nothing(self):
        for objects, name in ((chart.default(), "offhost-gateway"), (full(), "reports-gateway")):
            rules = objects.one("Role", name)["rules"]
            self.assertEqual({verb for rule in rules for verb in rule["verbs"]}, {"get", "list", "watch"})
            named = {resource: rule.get("resourceNames") for rule in rules for resource in rule["resources"]}
            self.assertEqual(named, {"contentapps": None, "leases": ["offhost-controller"]})
            mounts = objects.pods()[name]["containers"][0]["volumeMounts"]
            writable = [mount["mountPath"] for mount in mounts if not mount.get("readOnly")]
            self.assertEqual(writable, ["/tmp"])


class People(unittest.TestCase):
    # Proves: RA2 (P)
    def test_only_the_administrators_role_has_runas(self):
        objects = chart.default()
        having = [
            role["metadata"]["name"]
            for role in objects.of("Role")
            if any("runas" in rule["verbs"] for rule in role["rules"])
        ]
        self.assertEqual(having, ["offhost-administrator"])

    def test_publishers_reach_the_upload_service_and_no_other(self):
        role = chart.default().one("Role", "offhost-publisher")
        (rule,) = [rule for rule in role["rules"] if "services/proxy" in rule["resources"]]
        (service,) = [item for item in chart.default().of("Service") if item["metadata"]["name"].endswith("-upload")]
        self.assertEqual(service["metadata"]["labels"]["app.kubernetes.io/component"], "upload")
        self.assertEqual(rule["resourceNames"], [f"offhost-upload:{service['spec']['ports'][0]['port']}"])
        # What the API server makes of PUT.
        self.assertEqual(rule["verbs"], ["update"])

    def test_people_are_bound_as_the_values_say(self):
        objects = full()
        publishers = objects.one("RoleBinding", "reports-publisher")
        self.assertEqual(publishers["subjects"][0]["name"], "publishers")
        administrators = objects.one("RoleBinding", "reports-administrator")
        self.assertEqual([subject["name"] for subject in administrators["subjects"]], ["ada", "deployer"])
        self.assertEqual(sorted(chart.default().names("RoleBinding")), ["offhost-controller", "offhost-gateway", "offhost-test"])

    # Proves: RA2 (P)
    def test_the_policy_is_in_force_in_this_namespace_for_every_writing_of_a_job(self):
        objects = chart.default()
        (policy,) = objects.of("ValidatingAdmissionPolicy")
        (binding,) = objects.of("ValidatingAdmissionPolicyBinding")
        (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
        self.assertEqual((rule["resources"], rule["operations"]), (["contentapps", "contentjobs"], ["CREATE", "UPDATE"]))
        self.assertEqual(policy["spec"]["failurePolicy"], "Fail")
        self.assertEqual(binding["spec"]["policyName"], policy["metadata"]["name"])
        self.assertEqual(binding["spec"]["validationActions"], ["Deny"])
        selector = binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"]
        self.assertEqual(selector, {"kubernetes.io/metadata.name": chart.NAMESPACE})


class Configuration(unittest.TestCase):
    def test_values_that_stand_for_settings_become_settings(self):
        self.assertEqual(chart.section(full().config("reports"), "Kubernetes"), [
            'DataDirPVCName = "reports-data"',
            'DataDirPVCSubPath = "content"',
            'ExecImage = "registry.example.com/helpers/exec:1.2.3"',
            'HomeSizeLimit = "500Mi"',
            'ImagePullPolicy = "IfNotPresent"',
            'ImagePullSecret = "registry"',
            'ImagePullSecret = "content-registry"',
            'ImageVolumes = "never"',
            'Namespace = "content"',
            "NodeLostSeconds = 60",
            'NodeSelector = "example.com/pool=content"',
            'NodeSelector = "kubernetes.io/arch=amd64"',
            'PriorityClassName = "batch"',
            'RuntimeClassName = "gvisor"',
            'ServiceAccount = "content"',
            "TTLSecondsAfterFinished = 604800",
            'TmpSizeLimit = "5Gi"',
            'Toleration = "example.com/content:NoSchedule"',
            'Toleration = "example.com/spot=true:NoExecute:120"',
            "UserNamespaces = true",
        ])

    def test_what_is_left_empty_is_left_to_the_program(self):
        keys = [line.split(" ")[0] for line in chart.section(chart.default().config(), "Kubernetes")]
        self.assertEqual(keys, [
            "DataDirPVCName", "ExecImage", "HomeSizeLimit", "ImageVolumes", "Namespace", "NodeLostSeconds",
            "ServiceAccount", "TTLSecondsAfterFinished", "TmpSizeLimit", "UserNamespaces",
        ])

    # Proves: CN1 (P)
    def test_the_map_becomes_the_users_own_configuration_language(self):
        config = full().config("reports")
        self.assertEqual(chart.section(config, "Applications")[1:], [
            "BundleRetentionLimit = 1000000",
            "HomeMounting = true",
            'ProhibitedEnvironment = "LD_PRELOAD"',
            r'ProhibitedEnvironment = "WITH \"QUOTES\" and \\ and #;"',
            'RenderingSweepAge = "72h"',
        ])
        self.assertEqual(chart.section(config, "Packages"), ["External"])
        self.assertEqual(
            chart.section(config, 'RPackageRepository "CRAN"'), ['URL = "https://packages.example.com/cran"']
        )
        self.assertEqual(chart.section(config, "Scheduler"), ["CPURequest = 0.5", 'MemoryLimit = "2 GiB"'])

    def test_the_volume_is_where_the_settings_say(self):
        mounts = full().pods()["reports"]["containers"][0]["volumeMounts"]
        self.assertEqual(mounts[0], {"name": "data", "mountPath": "/data/connect", "subPath": "content"})
        spelt = chart.objects({"config": {"server": {"datadir": "/srv/connect"}}})
        mounts = spelt.pods()["offhost"]["containers"][0]["volumeMounts"]
        self.assertEqual(mounts[0], {"name": "data", "mountPath": "/srv/connect"})

    def test_a_changed_setting_or_account_restarts_the_controller(self):
        def checksums(values):
            deployment = chart.objects(values).one("Deployment", "offhost")
            return deployment["spec"]["template"]["metadata"]["annotations"]

        before = checksums({})
        setting = checksums({"config": {"R": {"ConfigActive": "prod"}}})
        account = checksums({"accounts": [{"name": "payroll", "uid": 1100, "gid": 1100}]})
        self.assertNotEqual(before["checksum/config"], setting["checksum/config"])
        self.assertNotEqual(before["checksum/accounts"], account["checksum/accounts"])
        self.assertEqual(before["checksum/config"], account["checksum/config"])

    # Proves: EX6 (P)
    def test_a_changed_runtime_changes_its_file_and_nothing_that_restarts(self):
        image = {"name": "registry.example.com/a:1", "r": {"installations": [{"version": "4.4.3", "path": "/usr/bin/R"}]}}
        before, after = chart.default(), chart.objects({"runtimes": [image]})
        self.assertEqual(before.one("Deployment", "offhost"), after.one("Deployment", "offhost"))
        file = after.one("ConfigMap", "offhost-runtimes")["data"]["runtimes.yaml"]
        self.assertEqual(yaml.safe_load(file), [image])
        # kubelet refreshes a directory, and never a subPath.
        mounts = after.pods()["offhost"]["containers"][0]["volumeMounts"]
        (mount,) = [mount for mount in mounts if mount["name"] == "runtimes"]
        self.assertNotIn("subPath", mount)
        path = f'ConfigFilePath = "{mount["mountPath"]}/runtimes.yaml"'
        self.assertEqual(chart.section(after.config(), "ExecutionEnvironments"), [path])

    # Proves: EX4 (P)
    def test_runtimes_are_taken_in_every_form_with_their_versions_as_text(self):
        file = full().one("ConfigMap", "reports-runtimes")["data"]["runtimes.yaml"]
        self.assertIn('version: "4.10"', file)
        text = "# mine\nimages:\n  - name: a:1\n    r: {installations: [{version: 4.10, path: /usr/bin/R}]}\n"
        rendered = chart.objects({"runtimes": text}).one("ConfigMap", "offhost-runtimes")["data"]["runtimes.yaml"]
        self.assertEqual(rendered, text)

    def test_without_runtimes_content_runs_in_the_projects_image(self):
        file = chart.default().one("ConfigMap", "offhost-runtimes")["data"]["runtimes.yaml"]
        (image,) = yaml.safe_load(file)["images"]
        self.assertEqual(image["name"], "offhost-content:0.1.0")
        self.assertEqual(image["r"]["installations"][0]["version"], "4.2.2")

    # Proves: RA5 (P)
    def test_the_controller_knows_the_accounts_and_groups_of_the_values(self):
        data = chart.objects(files=[ACCOUNTS]).one("ConfigMap", "offhost-accounts")["data"]
        self.assertEqual(data["passwd"].splitlines(), [
            "root:x:0:0:root:/root:/usr/sbin/nologin",
            "content:x:1001:1001::/home/content:/usr/sbin/nologin",
            "payroll:x:1100:1100::/srv/payroll:/usr/sbin/nologin",
            "research:x:1101:2000::/home/research:/usr/sbin/nologin",
            "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin",
        ])
        self.assertEqual(data["group"].splitlines(), [
            "root:x:0:",
            "publishers:x:2000:payroll,research,content",
            "secret:x:2001:",
            "content:x:1001:",
            "payroll:x:1100:",
            "nogroup:x:65534:",
        ])
        mounts = chart.default().pods()["offhost"]["containers"][0]["volumeMounts"]
        mounted = {mount["mountPath"]: mount.get("subPath") for mount in mounts if mount["name"] == "accounts"}
        self.assertEqual(mounted, {"/etc/passwd": "passwd", "/etc/group": "group"})

    def test_images_take_registry_and_tag_from_the_first(self):
        objects = chart.objects({"image": {"registry": "registry.example.com/team/", "tag": "9"}})
        self.assertEqual(objects.pods()["offhost"]["containers"][0]["image"], "registry.example.com/team/offhost:9")
        self.assertIn('ExecImage = "registry.example.com/team/offhost-exec:9"', objects.config())
        digest = "sha256:" + "0123456789abcdef" * 4
        image = full().pods()["reports"]["containers"][0]["image"]
        self.assertEqual(image, f"registry.example.com/offhost/server@{digest}")


class Running(unittest.TestCase):
    def test_the_controller_listens_where_probes_and_services_look(self):
        objects = chart.default()
        container = objects.pods()["offhost"]["containers"][0]
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        self.assertEqual(ports, {"http": 8080, "upload": 8081, "hub": 8082})
        self.assertIn("--listen=0.0.0.0:8080", container["args"])
        self.assertIn("--upload-listen=0.0.0.0:8081", container["args"])
        self.assertIn("--hub-listen=0.0.0.0:8082", container["args"])
        paths = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
        self.assertEqual([probe["path"] for probe in paths.values()], ["/livez", "/livez", "/readyz"])
        upload = objects.one("Service", "offhost-upload")["spec"]
        self.assertEqual((upload["ports"][0]["port"], upload["ports"][0]["targetPort"]), (8081, "upload"))
        for service in objects.of("Service"):
            prefix = "offhost-gateway" if "gateway" in service["metadata"]["name"] else "offhost"
            labels = objects.one("Deployment", prefix)["spec"]["template"]["metadata"]["labels"]
            self.assertLessEqual(service["spec"]["selector"].items(), labels.items())

    # Proves: PR2 (P)
    def test_gateways_reach_each_other_and_nobody_else_does(self):
        for objects, name in ((chart.default(), "offhost-gateway"), (full(), "reports-gateway")):
            container = [one for one in objects.pods()[name]["containers"] if one["name"] == "gateway"][0]
            self.assertIn("--peer-listen=0.0.0.0:8083", container["args"])
            self.assertIn({"name": "peers", "containerPort": 8083, "protocol": "TCP"}, container["ports"])
            variables = {one["name"]: one.get("valueFrom") for one in container["env"]}
            self.assertEqual(variables["POD_IP"], {"fieldRef": {"fieldPath": "status.podIP"}})
            for service in objects.of("Service"):
                self.assertNotIn("peers", [port["targetPort"] for port in service["spec"]["ports"]])
        visitors, peers = chart.default().one("NetworkPolicy", "offhost-gateway")["spec"]["ingress"]
        self.assertNotIn("peers", [port["port"] for port in visitors["ports"]])
        self.assertEqual([port["port"] for port in peers["ports"]], ["peers"])
        labels = chart.default().one("Deployment", "offhost-gateway")["spec"]["template"]["metadata"]["labels"]
        (only,) = peers["from"]
        self.assertLessEqual(only["podSelector"]["matchLabels"].items(), labels.items())

    def test_a_gateway_drains_before_it_is_killed(self):
        for objects, name in ((chart.default(), "offhost-gateway"), (full(), "reports-gateway")):
            pod = objects.pods()[name]
            pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
            (line,) = [line for line in chart.section(objects.config(name[:-8]), "Gateway") if "DrainTimeout" in line]
            drain = int(line.split('"')[1].rstrip("s"))
            self.assertGreater(pod["terminationGracePeriodSeconds"], pause + drain)
        strategy = chart.default().one("Deployment", "offhost-gateway")["spec"]["strategy"]["rollingUpdate"]
        self.assertEqual(strategy, {"maxSurge": 1, "maxUnavailable": 0})

    def test_who_logs_in_by_a_proxy_gets_to_the_gateway_through_it_alone(self):
        objects = chart.objects(files=[chart.ROOT / "examples/cluster/log-in-values.yaml"])
        pod = objects.pods()["offhost-gateway"]
        (proxy,) = pod["initContainers"]
        self.assertEqual((proxy["name"], proxy["restartPolicy"]), ("oauth2-proxy", "Always"))
        self.assertEqual(proxy["ports"], [{"name": "http", "containerPort": 4180, "protocol": "TCP"}])
        self.assertFalse(proxy["securityContext"]["allowPrivilegeEscalation"])
        self.assertEqual(proxy["securityContext"]["capabilities"], {"drop": ["ALL"]})
        (gateway,) = pod["containers"]
        self.assertIn("--listen=127.0.0.1:3939", gateway["args"])
        self.assertEqual([port["name"] for port in gateway["ports"]], ["admin", "peers"])
        service = objects.one("Service", "offhost-gateway")["spec"]
        self.assertEqual([port["targetPort"] for port in service["ports"]], [4180])
        policy = objects.one("NetworkPolicy", "offhost-gateway")["spec"]["ingress"]
        self.assertEqual([port["port"] for rule in policy for port in rule["ports"]], [4180, "admin", "peers"])
        self.assertIn('From = "127.0.0.1"', chart.section(objects.config(), "ProxyAuth"))
        (cookie,) = [arg.partition("=")[2] for arg in proxy["args"] if arg.startswith("--cookie-name=")]
        self.assertIn(f'Cookie = "{cookie}"', chart.section(objects.config(), "ProxyAuth"), "content does not get it")
        self.assertIn('Provider = "proxy"', chart.section(objects.config(), "Authentication"))
        self.assertNotIn("initContainers", chart.default().pods()["offhost-gateway"])

    def test_visitors_do_not_reach_the_gateways_probes(self):
        service = chart.default().one("Service", "offhost-gateway")["spec"]
        self.assertEqual([port["targetPort"] for port in service["ports"]], ["http"])
        service = full().one("Service", "reports-gateway")["spec"]
        self.assertEqual([(port["port"], port["targetPort"]) for port in service["ports"]], [(8080, "http"), (8443, "https")])

    def test_the_gateway_ends_tls_with_the_secret_of_the_values(self):
        objects = full()
        self.assertIn('Certificate = "/etc/offhost/tls/tls.crt"', chart.section(objects.config("reports"), "HTTPS"))
        volumes = {volume["name"]: volume for volume in objects.pods()["reports-gateway"]["volumes"]}
        self.assertEqual(volumes["tls"]["secret"]["secretName"], "content-tls")
        self.assertEqual(volumes["keys"]["secret"]["secretName"], "session-keys")
        self.assertEqual(chart.section(chart.default().config(), "HTTPS"), [])

    def test_a_wildcard_host_leads_to_the_gateway(self):
        ingress = full().one("Ingress", "reports-gateway")["spec"]
        self.assertEqual([rule["host"] for rule in ingress["rules"]], ["content.example.com", "*.apps.example.com"])
        route = full().one("HTTPRoute", "reports-gateway")["spec"]
        self.assertEqual(route["hostnames"], ["content.example.com", "*.apps.example.com"])
        self.assertEqual(route["rules"][0]["backendRefs"], [{"name": "reports-gateway", "port": 8080}])

    def test_an_autoscaler_decides_alone_how_many_gateways_run(self):
        self.assertNotIn("replicas", full().one("Deployment", "reports-gateway")["spec"])
        scaler = full().one("HorizontalPodAutoscaler", "reports-gateway")["spec"]
        self.assertEqual((scaler["minReplicas"], scaler["maxReplicas"]), (3, 12))

    def test_without_the_gateway_nothing_of_it_is_there(self):
        objects = chart.objects({"gateway": {"enabled": False}})
        self.assertFalse([item["metadata"]["name"] for item in objects if "gateway" in item["metadata"]["name"]])
        self.assertEqual(chart.section(objects.config(), "Gateway"), [])

    def test_no_service_of_the_namespace_looks_like_a_setting(self):
        pod = chart.default().pods()["offhost"]
        self.assertIs(pod["enableServiceLinks"], False)

    def test_evictions_leave_a_controller_where_there_are_two(self):
        self.assertEqual(chart.default().one("PodDisruptionBudget", "offhost")["spec"]["maxUnavailable"], 1)
        self.assertEqual(chart.default().one("PodDisruptionBudget", "offhost-gateway")["spec"]["maxUnavailable"], 1)
        single = {"replicas": 1}
        self.assertFalse(chart.objects({"controller": single, "gateway": single}).of("PodDisruptionBudget"))

    def test_a_volume_for_one_pod_at_a_time_is_handed_over(self):
        strategy = chart.objects({"controller": {"strategy": "Recreate"}}).one("Deployment", "offhost")["spec"]["strategy"]
        self.assertEqual(strategy, {"type": "Recreate"})

    def test_hooks_of_the_test_are_pods_that_are_there_when_logs_are_asked_for(self):
        hooks = [item for item in chart.default() if "helm.sh/hook" in item["metadata"].get("annotations", {})]
        self.assertEqual([item["kind"] for item in hooks], ["Pod", "Pod"])
        for item in hooks:
            self.assertEqual(item["metadata"]["annotations"]["helm.sh/hook"], "test")
            self.assertEqual(item["metadata"]["annotations"]["helm.sh/hook-delete-policy"], "before-hook-creation")
            self.assertEqual(item["spec"]["restartPolicy"], "Never")

    def test_the_data_outlives_the_release_unless_told_otherwise(self):
        claim = chart.default().one("PersistentVolumeClaim", "offhost-data")
        self.assertEqual(claim["metadata"]["annotations"], {"helm.sh/resource-policy": "keep"})
        self.assertEqual(claim["spec"]["accessModes"], ["ReadWriteMany"])
        loose = full().one("PersistentVolumeClaim", "reports-data")
        self.assertEqual(loose["metadata"]["annotations"], {"example.com/backup": "daily"})


class Notes(unittest.TestCase):
    def said(self, values, *parts):
        notes = chart.notes(values)
        for part in parts:
            self.assertIn(part, notes)

    def test_they_say_what_to_type_next(self):
        self.said({}, "kubectl -n content rollout status deployment/", "helm -n content test ")
        self.said({}, "kubectl -n content apply -f examples/cluster/jobs/", "wait --for=condition=Succeeded cjob/")

    def test_nothing_to_run_content_in_is_told(self):
        self.said({}, "no runtimes are given, so content runs in offhost-content:0.1.0")

    def test_a_volume_of_one_node_is_told(self):
        self.said(
            {"dataClaim": {"accessModes": ["ReadWriteOnce"]}},
            "WARNING: the volume can be mounted on one node only",
            "2 controllers share a volume of one node",
        )
        here = {"nodeSelector": {"kubernetes.io/hostname": "a"}}
        quiet = chart.notes({"dataClaim": {"accessModes": ["ReadWriteOnce"]}, "controller": here, "content": here})
        self.assertNotIn("WARNING", quiet)

    def test_what_protects_less_is_told(self):
        self.said({"admission": {"enabled": False}}, "WARNING: admission.enabled is false")
        self.said({"networkPolicy": {"enabled": False}}, "networkPolicy.enabled is false")
        self.said({"controller": {"giveAwayDirectories": True}}, "must allow Pods of the level baseline")
        account = {"name": "payroll", "uid": 1100, "gid": 1100}
        self.said({"accounts": [account]}, "refused until controller.giveAwayDirectories is true")
        self.said({"controller": {"replicas": 0}}, "WARNING: controller.replicas is 0")
        self.said({"crds": {"install": False}}, "kubectl apply --server-side -f crds/")
