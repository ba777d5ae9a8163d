"""runtime/serve_node.js and install_node.js: real Node.js, and packages of npm's default registry."""

import json
import os
import shutil
import socket
import threading
import time
import unittest

from starters import StarterTest
from visitor import Connection, ServeTest, WebSocket

# Another Node.js can be tried by OFFHOST_TEST_NODE.
NODE = os.environ.get("OFFHOST_TEST_NODE") or shutil.which("node")
PLAIN = """
const server = require('http').createServer((request, response) => {
  response.end(JSON.stringify({ path: request.url, port: server.address().port, env: process.env.PORT,
    left: Object.keys(process.env).filter((name) => name.startsWith('OFFHOST_')) }));
});
server.listen(3000, 'localhost', () => console.log('listening on', server.address().port));
"""


@unittest.skipUnless(NODE, "Node.js is not installed")
class ServeNode(ServeTest):
    def listener(self):
        """What offhost-exec hands to the process: a socket that listens already."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.socket)
        listener.listen(128)
        self.addCleanup(listener.close)
        return listener

    def serve(self, entrypoint="app.js", listen="fd:3", **env):
        env = {"OFFHOST_LISTEN": listen, "OFFHOST_READY_FILE": self.ready, "OFFHOST_PREFIX": "/content/app", **env}
        command = [NODE, "--require", os.path.join(self.runtime, "serve_node.js"), entrypoint]
        return self.start(command, self.listener() if listen == "fd:3" else None, **env)

    def serve_ready(self, *args, **env):
        process = self.serve(*args, **env)
        self.wait_ready(process)
        return process

    def packages(self, **dependencies):
        """Installs packages as the installation does, and puts them where they are mounted: beside the application."""
        self.write("package.json", json.dumps({"name": "app", "version": "1.0.0", "dependencies": dependencies}))
        done = install(self)
        self.assertEqual(done.code, 0, done)
        os.symlink(os.path.join(self.place, "environment", "node_modules"), os.path.join(self.place, "node_modules"))


def lock(test):
    """Writes package-lock.json as a publisher has it, made without npm's own settings of this account."""
    env = {"HOME": test.tmp, "TMPDIR": test.tmp, "npm_config_cache": os.path.join(test.tmp, "cache")}
    done = test.run_command([shutil.which("npm"), "install", "--package-lock-only", "--no-audit", "--no-fund"], **env)
    test.assertEqual(done.code, 0, done)


def install(test, **env):
    if not os.path.exists(os.path.join(test.app, "package-lock.json")):
        lock(test)
    environment = test.directory("environment")
    return test.run_command([NODE, os.path.join(test.runtime, "install_node.js"), "--env", environment,
                             "--source", test.app], **env)


class Plain(ServeNode):
    # Proves: PK5 (L, P)
    def test_the_first_server_gets_the_socket_whatever_it_asks_for(self):
        self.write("app.js", PLAIN)
        self.serve_ready()
        status, text = self.get("/x")
        self.assertEqual((status, json.loads(text)), (200, {"path": "/x", "port": 8000, "env": "8000", "left": []}))
        self.assertIn("listening on 8000", self.said())

    # Proves: PK5 (L, P)
    def test_modules_of_the_newer_form_work(self):
        self.write("app.mjs", "import { createServer } from 'node:http';\n"
                              "await new Promise((done) => setTimeout(done, 700));\n"
                              "createServer((_, response) => response.end('module')).listen(process.env.PORT);\n")
        started = time.monotonic()
        self.serve_ready("app.mjs")
        self.assertGreater(time.monotonic() - started, 0.7)
        self.assertEqual(self.get(), (200, "module"))

    # Proves: PK5 (P)
    def test_other_places_to_listen(self):
        self.write("app.js", PLAIN)
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(self.socket)
        stale.close()
        self.give(self.socket)
        self.serve_ready(listen=f"unix:{self.socket}").kill()
        os.unlink(self.ready)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.serve_ready(listen=f"tcp:{port}")
        self.assertEqual(json.loads(self.get(place=port)[1])["port"], port)
        process = self.serve(listen="fd3")
        self.assertEqual(self.wait_ended(process), 1)
        self.assertIn("Error: OFFHOST_LISTEN is 'fd3'", self.said())

    # Proves: PK5 (L, P)
    def test_who_looks_for_a_free_port_or_opens_a_pipe_does_not_take_it(self):
        self.write("app.js", "const net = require('net');\n"
                             "net.createServer().listen(process.env.OWN + '.pipe');\n"
                             "const probe = net.createServer();\n"
                             "probe.listen(0, () => probe.close(() => {" + PLAIN + "}));\n")
        self.serve_ready(OWN=self.socket)
        self.assertEqual(self.get()[0], 200)

    # Proves: PK5 (L, P)
    def test_a_server_of_its_own_protocol_is_served_if_it_asks_for_the_port(self):
        self.write("app.js", "require('net').createServer((peer) => peer.end('HTTP/1.0 200 OK\\r\\n\\r\\nbare'))"
                             ".listen(process.env.PORT);\n")
        self.serve_ready()
        self.assertEqual(self.get(), (200, "bare"))

    # Proves: PK5 (L, P)
    def test_children_and_threads_are_not_touched(self):
        self.write("child.js", "const server = require('http').createServer();\n"
                               "server.listen(0, '127.0.0.1', () => { console.log(typeof server.address().port,"
                               " require('fs').readdirSync('/proc/self/fd').includes('3') && "
                               "require('fs').readlinkSync('/proc/self/fd/3')); server.close(); });\n")
        self.write("app.js", "const { Worker } = require('worker_threads');\n"
                             "const run = () => require('child_process').execFileSync(process.execPath,"
                             " [...process.execArgv, 'child.js'], { encoding: 'utf8' });\n"
                             "process.stdout.write('child ' + run());\n"
                             "new Worker('./child.js').on('exit', () => {" + PLAIN + "});\n")
        self.serve_ready()
        self.assertEqual(json.loads(self.get()[1])["port"], 8000)
        child = [line for line in self.said().splitlines() if line.startswith("child number")]
        self.assertTrue(child and "socket" not in child[0], self.said())

    # Proves: PK5 (L, P)
    def test_a_cluster_of_workers_is_served(self):
        self.write("app.js", "const cluster = require('cluster');\n"
                             "if (cluster.isMaster) { cluster.fork(); cluster.fork(); } else {" + PLAIN + "}\n")
        process = self.serve_ready()
        self.assertEqual(json.loads(self.get("/w")[1])["path"], "/w")
        process.terminate()
        self.assertEqual(self.wait_ended(process, 10), 0, self.said())

    # Proves: PK5 (L, P)
    def test_what_fails_at_its_start_ends_with_its_message(self):
        self.write("app.js", "const read = () => { throw new Error('no such table'); };\nread();\n")
        self.assertEqual(self.wait_ended(self.serve()), 1)
        self.assertIn("no such table", self.said())
        self.assertFalse(os.path.exists(self.ready))


class Stop(ServeNode):
    SLOW = ("require('http').createServer((_, response) => { response.write('begun ');\n"
            "setTimeout(() => response.end('done'), %d); }).listen(3000);\n")

    def ask(self):
        answers = []
        asking = threading.Thread(target=lambda: answers.append(self.get()))
        asking.start()
        time.sleep(0.4)
        return asking, answers

    # Proves: PK5 (L, P)
    def test_requests_in_flight_are_answered_before_it_ends(self):
        self.write("app.js", self.SLOW % 1500)
        process = self.serve_ready()
        kept = Connection(self.socket)
        asking, answers = self.ask()
        process.terminate()
        asking.join()
        self.assertEqual(answers, [(200, "begun done")])
        self.assertEqual(self.wait_ended(process, 2), 0)
        kept.close()

    # Proves: PK5 (L, P)
    def test_it_does_not_wait_for_ever(self):
        self.write("app.js", self.SLOW % 60_000)
        process = self.serve_ready()
        connection = Connection(self.socket)
        connection.request("GET", "/")
        connection.getresponse()
        process.terminate()
        started = time.monotonic()
        self.assertEqual(self.wait_ended(process, 12), 0)
        self.assertGreater(time.monotonic() - started, 7)
        connection.close()

    # Proves: PK5 (L, P)
    def test_idle_connections_do_not_hold_it(self):
        self.write("app.js", PLAIN)
        process = self.serve_ready()
        kept = Connection(self.socket)
        kept.request("GET", "/")
        kept.getresponse().read()
        process.terminate()
        self.assertEqual(self.wait_ended(process, 2), 0)
        kept.close()

    # Proves: PK5 (L, P)
    def test_an_application_with_a_handler_of_its_own_says_how_it_ends(self):
        self.write("app.js", "process.on('SIGTERM', () => setTimeout(() => process.exit(7), 300));\n" + PLAIN)
        process = self.serve_ready()
        process.terminate()
        self.assertEqual(self.wait_ended(process, 5), 7)


class Frameworks(ServeNode):
    EXPRESS = ("const express = require('express');\nconst app = express();\n"
               "app.use(express.raw({ type: '*/*', limit: '10mb' }));\n"
               "app.get('/hello', (request, response) => response.json({ hello: request.get('host') }));\n"
               "app.post('/size', (request, response) => response.json(request.body.length));\n"
               "app.listen(process.env.PORT || 3000, () => console.log('up'));\n")

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_express_4_and_5(self):
        for version in ("4.21.2", "5.1.0"):
            with self.subTest(version=version):
                self.setUp()
                self.packages(express=version)
                self.write("app.js", self.EXPRESS)
                self.serve_ready()
                self.assertEqual(self.get("/hello"), (200, '{"hello":"apps.example.test"}'))
                self.assertEqual(self.get("/size", "POST", os.urandom(3_000_000), Content_Type="application/x"),
                                 (200, "3000000"))

    # Proves: PK5 (L, P)
    def test_fastify(self):
        self.packages(fastify="4.29.1")
        self.write("app.js", "const app = require('fastify')();\n"
                             "app.get('/', async () => ({ hello: app.server.address().port }));\n"
                             "app.listen({ port: 3000 }).then((at) => console.log('at', at));\n")
        self.serve_ready()
        self.assertEqual(self.get(), (200, '{"hello":8000}'))

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_websockets_of_ws(self):
        self.packages(ws="8.18.3")
        self.write("app.mjs", "import { WebSocketServer } from 'ws';\n"
                              "new WebSocketServer({ port: process.env.PORT }).on('connection', (peer) => {\n"
                              "  peer.on('message', (data) => peer.send('echo ' + data)); });\n")
        process = self.serve_ready("app.mjs", NODE_PATH="")
        session = WebSocket(self.socket, "/")
        session.send("x" * 300)
        self.assertEqual(session.receive(), "echo " + "x" * 300)
        process.terminate()
        self.assertEqual(self.wait_ended(process, 2), 0)

    # Proves: PK5 (L, P), PK9 (L, P)
    def test_the_example(self):
        self.example("apps/nodejs")
        self.assertEqual(install(self).code, 0)
        os.symlink(os.path.join(self.place, "environment", "node_modules"), os.path.join(self.place, "node_modules"))
        self.serve_ready()
        self.assertIn("Waiting for the first figure", self.get()[1])
        self.assertEqual(len(json.loads(self.get("/sales?region=west&year=2024")[1])), 12)
        session = WebSocket(self.socket, "/live")
        session.send("north")
        self.assertRegex(session.receive(), r'^{"region":"north","total":\d{4}}$')


@unittest.skipUnless(NODE, "Node.js is not installed")
class InstallNode(StarterTest):
    def package(self, **fields):
        self.write("package.json", json.dumps({"name": "app", "version": "1.0.0", **fields}))

    # Proves: PK5 (L, P), PK9 (L, P)
    def test_what_the_lock_says_is_installed_and_nothing_for_developers(self):
        self.package(dependencies={"ms": "^2.1.0"}, devDependencies={"escape-html": "1.0.3"},
                     scripts={"postinstall": "touch ran", "prepare": "touch ran"})
        lock(self)
        done = install(self)
        self.assertEqual(done.code, 0, done)
        self.assertIn("Installed 1 packages", done.err)
        self.assertEqual(done.out, "")
        environment = os.path.join(self.place, "environment")
        self.assertEqual(sorted(os.listdir(environment)), ["node_modules", "package-lock.json", "package.json"])
        self.assertTrue(os.path.exists(os.path.join(environment, "node_modules/ms/index.js")))

    # Proves: PK5 (L, P)
    def test_a_lock_that_is_another_s_or_is_missing_is_refused(self):
        self.package(dependencies={"ms": "2.1.3"})
        lock(self)
        self.package(dependencies={"ms": "2.1.3", "escape-html": "1.0.3"})
        self.assert_refused(install(self), "npm ended with code 1", "'package-lock.json'")
        os.unlink(os.path.join(self.app, "package-lock.json"))
        command = [NODE, os.path.join(self.runtime, "install_node.js"), "--env", self.report, "--source", self.app]
        self.assert_refused(self.run_command(command), "'package-lock.json' can not be read", "npm install")
        self.assert_refused(self.run_command(command[:2]), "option '--env' is required")
        self.assert_refused(self.run_command(command[:2] + ["--evn", "x"]), "unknown option '--evn'")

    # Proves: PK5 (L, P)
    def test_settings_of_the_bundle_are_used_and_not_kept(self):
        self.package(dependencies={"ms": "2.1.3"})
        lock(self)
        self.write(".npmrc", "registry=http://127.0.0.1:1/\nreplace-registry-host=always\nfetch-retries=0\n")
        self.assert_refused(install(self), "npm ended with code 1")
        self.assertNotIn(".npmrc", os.listdir(os.path.join(self.place, "environment")))
