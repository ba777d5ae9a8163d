"""Logging in with OpenID Connect: the chart's example for oauth2-proxy, as it is rendered, before a server and behind dex."""

import http.client
import json
import os
import secrets
import shutil
import subprocess
import unittest

from programs import program
from server import HERE, ROOT, ServeTest, free_port, python_with, script

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
EXAMPLE = os.path.join(ROOT, "examples", "cluster", "log-in-values.yaml")
# Everybody's password is `password`.
PEOPLE = os.path.join(ROOT, "tests", "fixtures", "people.json")
SECTIONS = ("Authentication", "ProxyAuth")


def rendered():
    """The gateway's Pod and the settings, as the chart makes them of the example."""
    show = ("import json, chart; objects = chart.objects(files=[%r]); sections = {name: chart.section(objects.config(), name)"
            " for name in ('Authentication', 'ProxyAuth', 'Gateway', 'Applications')};"
            "print(json.dumps([objects.pods()['offhost-gateway'], sections]))" % EXAMPLE)
    path = os.pathsep.join(filter(None, [os.environ.get("OFFHOST_CLUSTER_BIN"), os.environ["PATH"]]))
    if not shutil.which("helm4", path=path):
        raise AssertionError("helm4 is not there; set OFFHOST_CLUSTER_BIN to the last line of tests/cluster/build")
    done = subprocess.run([python_with("PyYAML==6.0.3"), "-c", show], cwd=os.path.join(ROOT, "tests", "chart"), check=True,
                          env={**os.environ, "PATH": path, "PYTHONPATH": ".", "PYTHONDONTWRITEBYTECODE": "1"},
                          stdout=subprocess.PIPE, encoding="utf-8")
    return json.loads(done.stdout)


def settings(sections):
    """Those of the example that say who visits."""
    lines = [line for name in SECTIONS for line in (f"[{name}]", *sections[name])]
    for name, key in (("Gateway", "TrustedProxies"), ("Applications", "MostPermissiveAccessType")):
        lines += [f"[{name}]", *(line for line in sections[name] if line.startswith(key))]
    return "\n".join(lines)


class LogIn(ServeTest):
    @classmethod
    def setUpClass(cls):
        pod, sections = rendered()
        (cls.sidecar,), (cls.gateway,) = pod["initContainers"], pod["containers"]
        cls.settings = settings(sections)
        super().setUpClass()
        echo = os.path.join(HERE, "echo")
        cls.server.serve("echo", echo, idleTimeoutSeconds=600)
        for name, users, groups in (("sales", [], ["sales"]), ("bobs", ["bob@example.org"], [])):
            cls.server.serve(name, echo, idleTimeoutSeconds=600, access={"type": "Named", "users": users, "groups": groups})
        cls.ports = {name: free_port() for name in ("dex", "proxy", "ingress")}
        cls.address = f"https://127.0.0.1:{cls.ports['ingress']}"
        cls.issuer = f"http://127.0.0.1:{cls.ports['dex']}"
        cls.secrets = {"client-id": "offhost", "client-secret": secrets.token_hex(16), "cookie-secret": secrets.token_hex(16)}
        cls.server.start()
        for name in ("echo", "sales"):
            cls.server.wait(lambda name=name: cls.visited(name), f"{name} is there for the first visit")
        cls.begin("dex", [program("dex"), "serve", cls.dex()], "/.well-known/openid-configuration")
        proxy = program("oauth2-proxy")
        cls.begin("proxy", [proxy, *cls.arguments()], cls.sidecar["readinessProbe"]["httpGet"]["path"], **cls.variables())
        keys = os.path.join(ROOT, "tests", "fixtures", "tls")
        behind = f"127.0.0.1:{cls.ports['proxy']}"
        cls.begin("ingress", ["node", script("ingress.js"), str(cls.ports["ingress"]), behind, keys])

    @classmethod
    def visited(cls, name):
        headers = {"X-Forwarded-Email": "ann@example.org", "X-Forwarded-Groups": "sales"}
        return cls.server.get(f"/content/{name}/", **headers)[0] == 200

    @classmethod
    def begin(cls, name, command, ready=None, **env):
        log = open(os.path.join(cls.server.place, f"{name}.log"), "wb")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **env})
        cls.addClassCleanup(lambda: (process.kill(), process.wait(), log.close()))

        def said():
            with open(log.name, encoding="utf-8", errors="replace") as file:
                return file.read()[-4000:]

        def is_ready():
            if process.poll() is not None:
                raise AssertionError(f"{name} ended\n{said()}")
            return ready is None or cls.server.answers(cls.ports[name], ready)

        cls.server.wait(is_ready, f"{name} gets ready")

    @classmethod
    def dex(cls):
        """Its configuration: JSON is YAML."""
        with open(PEOPLE, encoding="utf-8") as file:
            config = json.load(file)
        config.update({
            "issuer": cls.issuer, "web": {"http": f"127.0.0.1:{cls.ports['dex']}"},
            "staticClients": [{"id": cls.secrets["client-id"], "secret": cls.secrets["client-secret"], "name": "offhost",
                               "redirectURIs": [f"{cls.address}/oauth2/callback"]}],
        })
        path = os.path.join(cls.server.place, "etc", "dex.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        return path

    @classmethod
    def arguments(cls):
        """The sidecar's own, where only the places are others."""
        text = "\n".join(cls.sidecar["args"])
        for there, here in (("0.0.0.0:4180", f"127.0.0.1:{cls.ports['proxy']}"), ("https://log-in.example.com", cls.issuer),
                            ("http://127.0.0.1:3939", f"http://127.0.0.1:{cls.server.port}"),
                            ("https://content.example.com", cls.address),
                            # The Ingress controller's.
                            ("--trusted-proxy-ip=10.0.0.0/8", "--trusted-proxy-ip=127.0.0.1")):
            assert text.count(there) == 1, f"{there} in {text}"
            text = text.replace(there, here)
        return text.split("\n")

    @classmethod
    def variables(cls):
        given = {entry["name"]: entry["valueFrom"]["secretKeyRef"] for entry in cls.sidecar["env"]}
        assert {entry["name"] for entry in given.values()} == {"log-in"}
        return {name: cls.secrets[entry["key"]] for name, entry in given.items()}

    # Proves: PR1 (L, P)
    def test_a_visitor_logs_in_and_out_with_a_browser(self):
        if not os.path.exists(CHROMIUM):
            self.skipTest(f"{CHROMIUM} is not there; run scripts/setup --browser, or set CHROMIUM")
        said = self.visit("node", script("browse_login.js"), self.address, self.issuer)
        self.assertEqual(said.count("ok "), 6, said)

    # Proves: PR1 (L, P)
    def test_who_has_not_logged_in_gets_nothing_by_the_proxy(self):
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
                   "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
        forged = {"X-Forwarded-Email": "ann@example.org", "X-Forwarded-User": "ann", "X-Forwarded-Groups": "sales"}
        spelled = {name.replace("-", "_"): value for name, value in forged.items()}
        for headers in ({}, forged, spelled, upgrade, {**upgrade, **forged}, {"X-Forwarded-Uri": "/ping", **forged},
                        {"User-Agent": "kube-probe/1.33", **forged}):
            status, fields, _ = self.server.get("/content/echo/headers", port=self.ports["proxy"], **headers)
            self.assertIn(status, (302, 401, 403), headers)
            if status == 302:
                self.assertTrue(fields["location"].startswith(self.issuer), fields["location"])
        status, _, _ = self.server.get("/content/echo/", port=self.ports["proxy"], Accept="application/json")
        self.assertEqual(status, 401, "a program is told")

    def straight(self, source, *names):
        """Status of a request to the gateway itself, from an address, with one header a name."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60, source_address=(source, 0))
        connection.putrequest("GET", "/content/echo/headers")
        for name in names:
            connection.putheader("X-Forwarded-Email", name)
        connection.endheaders()
        status = connection.getresponse().status
        connection.close()
        return status

    # Proves: PR1 (L, P)
    def test_the_gateway_believes_the_proxy_alone(self):
        self.assertEqual(self.straight("127.0.0.1", "ann@example.org"), 200, "as the proxy would say it")
        self.assertEqual(self.straight("127.0.0.2", "ann@example.org"), 401, "an address that is not named")
        self.assertEqual(self.straight("127.0.0.1"), 401)
        self.assertEqual(self.straight("127.0.0.1", "ann@example.org", "bob@example.org"), 400)
        self.assertIn("--listen=127.0.0.1:3939", self.gateway["args"], "nobody else gets there")


if __name__ == "__main__":
    unittest.main(verbosity=2)
