"""runtime/serve_python.py with applications that need no framework."""

import ast
import os
import socket
import threading
import time

from serving import PREFIX, PUBLIC, ServeTest
from starters import RUNTIME, StarterTest

WSGI = """
import json, sys, time

def app(environ, start_response):
    if environ["PATH_INFO"] == "/slow":
        time.sleep(2)
    if environ["PATH_INFO"] == "/body":
        body = str(sum(len(chunk) for chunk in iter(lambda: environ["wsgi.input"].read(65536), b""))).encode()
    else:
        keep = {key: value for key, value in environ.items() if isinstance(value, str)}
        keep["scheme"] = environ["wsgi.url_scheme"]
        body = json.dumps(keep).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
"""

EVENTS = """
import time

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/event-stream")])
    for number in range(1000):
        yield f"data: {number}\\n\\n".encode()
        time.sleep(0.2)
"""

ASGI = """
import asyncio, json

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await asyncio.sleep(float(open("wait").read()))
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("said goodbye")
        await send({"type": "lifespan.shutdown.complete"})
        return
    told = {key: scope[key] for key in ("scheme", "path", "root_path", "client", "server")}
    told["host"] = dict(scope["headers"])[b"host"].decode()
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": json.dumps(told)})
        while (await receive())["type"] != "websocket.disconnect":
            pass
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    if scope["path"].endswith("/events"):
        while True:
            await send({"type": "http.response.body", "body": b"data: x\\n\\n", "more_body": True})
            await asyncio.sleep(0.2)
    if scope["path"].endswith("/slow"):
        await asyncio.sleep(2)
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
"""


class EntryPoints(ServeTest):
    def told_by(self, entrypoint, **files):
        for name, text in files.items():
            self.write(name.replace("__", "/") + ".py", text)
        running = self.start("python-api", entrypoint)
        answer = running.ask("/").text
        self.assertEqual(running.wait_ready().stop()[0], 0, running.log())
        return answer

    def saying(self, word, name="app"):
        return f"def {name}(environ, start_response):\n    start_response('200 OK', [])\n    return [b'{word}']\n"

    # Proves: PK5 (L, P), PK9 (L, P)
    def test_every_form_of_an_entry_point_is_found(self):
        factory = "def create_app():\n    def inner(environ, start):\n        start('200 OK', [])\n        return [b'made']\n    return inner\n"
        cases = [
            ("app", {"app": self.saying("module")}, "module"),
            ("app:other", {"app": self.saying("no") + self.saying("object", "other")}, "object"),
            ("app.py", {"app": self.saying("file")}, "file"),
            ("dir/app.py:other", {"dir__app": "import beside\n" + self.saying("below", "other"), "dir__beside": ""}, "below"),
            ("dir.app", {"dir__app": self.saying("dotted")}, "dotted"),
            ("my-app.py", {"my-app": self.saying("dash")}, "dash"),
            ("app", {"app": self.saying("named", "application")}, "named"),
            ("app", {"app": factory}, "made"),
            ("app:create_app()", {"app": factory}, "made"),
            ("app:maker", {"app": factory.replace("create_app", "maker")}, "made"),
            ("app:box.app", {"app": "class box:\n    app = None\n" + self.saying("inside") + "box.app = app\n"}, "inside"),
            # Its own file, though the server has loaded a module of this name.
            ("select", {"select": self.saying("own")}, "own"),
        ]
        for entrypoint, files, answer in cases:
            with self.subTest(entrypoint=entrypoint, files=sorted(files)):
                self.assertEqual(self.told_by(entrypoint, **files), answer)
                for name in files:
                    os.remove(os.path.join(self.app, name.replace("__", "/") + ".py"))

    # Proves: PK5 (L, P)
    def test_the_contents_modules_are_its_own(self):
        text = "import serve_wsgi, serve_common, common\n" + self.saying("content")
        names = {name: f"{name} = 1" for name in ("serve_wsgi", "serve_common", "common", "serve_python")}
        self.assertEqual(self.told_by("app", app=text, **names), "content")

    # Proves: PK5 (L, P)
    def test_the_application_sees_no_options_and_no_descriptor(self):
        look = ("import json, os, subprocess, sys\nfds = subprocess.check_output(['ls', '/proc/self/fd'], close_fds=False)\n"
                "told = json.dumps([sys.argv[1:], sys.path[0], [p for p in sys.path if 'runtime' in p], fds.decode().split()])\n")
        answer = self.told_by("app", app=look + self.saying("").replace("b''", "told.encode()"))
        argv, first, ours, fds = __import__("json").loads(answer)
        self.assertEqual((argv, first), ([], self.app))
        self.assertEqual([os.path.basename(one).rpartition("-")[0] for one in ours], ["waitress"])
        self.assertNotIn("4", fds, "the listening socket is not handed on")

    # Proves: PK5 (L, P)
    def test_what_can_not_be_loaded_says_why_and_is_never_ready(self):
        self.write("broken.py", "def inner():\n    import nowhere\ninner()\n")
        running = self.start("python-api", "broken")
        self.assert_not_started(running, "'broken' could not be loaded: ModuleNotFoundError: No module named 'nowhere'")
        self.assertIn('broken.py", line 2, in inner', running.log())
        self.assertNotIn("serve_entry", running.log(), "the traceback is the content's own")
        self.write("empty.py", "import os\n")
        self.assert_not_started(self.start("python-api", "empty"), "neither 'app', 'application'", "'empty:NAME'")
        self.write("leaves.py", "import sys\nsys.exit(3)\n")
        self.assert_not_started(self.start("python-api", "leaves"), "ended with code 3 while it was loaded")
        self.assert_not_started(self.start("python-api", "empty:thing"), "'empty' has no 'thing'")
        self.assert_not_started(self.start("python-api", "gone"), "'gone.py'", "correct the entry point")
        self.assert_not_started(self.start("python-api", "gone.py"), "'gone.py' is not in the bundle")
        self.assert_not_started(self.start("python-api", "a:b:c"), "more than one colon")
        self.assert_not_started(self.start("python-dash", ""), "names no entry point")
        for kind, word in (("python-shiny", "shiny"), ("python-streamlit", "streamlit"), ("python-bokeh", "bokeh"),
                           ("python-panel", "panel"), ("python-gradio", "gradio"), ("jupyter-voila", "voila")):
            self.write("nb.ipynb", "{}")
            entry = "nb.ipynb" if kind == "jupyter-voila" else "empty"
            self.assert_not_started(self.start(kind, entry), f"needs {word}", "requirements.txt")

    # Proves: PK5 (L, P)
    def test_a_server_that_is_nowhere_is_named_with_the_remedy(self):
        self.write("app.py", WSGI)
        __import__("shutil").rmtree(os.path.join(self.runtime, "servers"))
        self.assert_not_started(self.start("python-api", "app"), "served with waitress", "scripts/fetch-servers")
        self.assert_not_started(self.start("python-fastapi", "app"), "served with uvicorn", "requirements.txt")

    # Proves: PK5 (L, P)
    def test_without_a_listening_socket_it_says_so(self):
        self.write("app.py", WSGI)
        for words, part in ((["fd:9"], "file descriptor 9 is not open"), (["fd:0"], "file descriptor 0 is no socket"),
                            (["elsewhere"], "none of fd:NUMBER"), (["unix:/nowhere/x"], "can not listen on unix:/nowhere/x")):
            outcome = self.run_python("serve_python.py", "--kind", "python-api", "--entrypoint", "app", "--listen", *words)
            self.assert_refused(outcome, part)


class Wsgi(ServeTest):
    # Proves: PK5 (L, P), PR1 (L, P)
    def test_a_request_may_come_before_the_application_is_loaded(self):
        self.write("app.py", "import time\ntime.sleep(1.5)\n" + WSGI)
        for family in (socket.AF_UNIX, socket.AF_INET):
            running = self.start("python-api", "app", family=family)
            self.assertFalse(running.is_ready())
            self.assertEqual(running.ask("/").code, 200)
            self.assertTrue(running.is_ready())
            self.assert_stops(running, 3)

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_the_application_is_told_who_asks_and_where_it_is(self):
        self.write("app.py", WSGI)
        running = self.start("python-api", "app").wait_ready()
        told = running.ask("/a%20b?c=d").json()
        self.assertEqual((told["SCRIPT_NAME"], told["PATH_INFO"], told["QUERY_STRING"]), (PREFIX, "/a b", "c=d"))
        self.assertEqual((told["REMOTE_ADDR"], told["scheme"]), ("203.0.113.9", "https"))
        self.assertEqual((told["HTTP_HOST"], told["SERVER_NAME"], told["SERVER_PORT"]), (PUBLIC, PUBLIC, "443"))
        self.assertEqual(running.ask("/body", "POST", b"x" * 3_000_000).text, "3000000")
        self.assertEqual(running.ask("/body", "POST", iter([b"x" * 70_000] * 3)).text, "210000")

    # Proves: PK5 (L, P)
    def test_sigterm_lets_requests_finish_and_events_end(self):
        self.write("app.py", WSGI)
        running = self.start("python-api", "app").wait_ready()
        answers = []
        asking = threading.Thread(target=lambda: answers.append(running.ask("/slow").code))
        asking.start()
        time.sleep(0.5)
        self.assert_stops(running, 5)
        asking.join()
        self.assertEqual(answers, [200])
        self.write("events.py", EVENTS)
        running = self.start("python-api", "events").wait_ready()
        connection, response = running.stream("/")
        self.assertEqual(response.readline(), b"data: 0\n")
        self.assert_stops(running, 10)
        connection.close()

    # Proves: PK5 (L, P)
    def test_sigterm_while_it_is_loaded_ends_it_at_once(self):
        self.write("app.py", "import time\nprint('loading')\ntime.sleep(60)\n")
        running = self.start("python-api", "app")
        while "loading" not in running.log():
            time.sleep(0.05)
        self.assert_stops(running, 3)
        self.assertFalse(running.is_ready())


class Asgi(ServeTest):
    def application(self, wait):
        self.write("app.py", ASGI)
        self.write("wait", str(wait))
        return self.start("python-fastapi", "app", family=self.family)

    family = socket.AF_UNIX

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_it_is_ready_after_its_lifespan_has_begun(self):
        running = self.application(1.5)
        time.sleep(1)
        self.assertFalse(running.is_ready())
        self.assertEqual(running.ask("/").code, 200)
        self.assertTrue(running.is_ready())
        self.assert_stops(running, 3)
        self.assertIn("said goodbye", running.log())

    # Proves: PK5 (L, P)
    def test_sigterm_while_its_lifespan_begins_ends_it_at_once(self):
        running = self.application(60)
        time.sleep(2)
        self.assert_stops(running, 3)
        self.assertFalse(running.is_ready())

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_requests_and_websockets_are_told_who_asks_and_where(self):
        running = self.application(0).wait_ready()
        told = running.ask("/a%20b").json()
        expected = {"path": PREFIX + "/a b", "root_path": PREFIX, "client": ["203.0.113.9", 0], "server": [PUBLIC, 443],
                    "host": PUBLIC}
        self.assertEqual(told, {**expected, "scheme": "https"})
        tunnel = running.websocket("/ws")
        self.assertEqual(tunnel.status, 101)
        told = __import__("json").loads(tunnel.frame()[1])
        self.assertEqual(told, {**expected, "scheme": "wss", "path": PREFIX + "/ws"})
        tunnel.close()

    # Proves: PK5 (L, P)
    def test_sigterm_finishes_requests_closes_tunnels_and_ends_streams(self):
        running = self.application(0).wait_ready()
        tunnel = running.websocket("/ws")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(running.ask("/slow").code))
        asking.start()
        time.sleep(0.5)
        self.assert_stops(running, 5)
        asking.join()
        self.assertEqual(answers, [200])
        self.assertEqual(tunnel.closing_code(), 1012)
        tunnel.close()
        running = self.application(0).wait_ready()
        connection, response = running.stream("/events")
        self.assertEqual(response.readline(), b"data: x\n")
        self.assert_stops(running, 10)
        connection.close()

    # Proves: PK5 (L, P)
    def test_a_lifespan_that_fails_is_a_start_that_fails(self):
        self.write("app.py", "async def app(scope, receive, send):\n    await receive()\n"
                             "    await send({'type': 'lifespan.startup.failed', 'message': 'no database'})\n")
        running = self.start("python-fastapi", "app")
        self.assert_not_started(running, "ended while it started")
        self.assertIn("no database", running.log())


class AsgiOverTcp(Asgi):
    family = socket.AF_INET


class Sources(StarterTest):
    # Proves: PK5 (L, P)
    def test_every_starter_is_python_3_8(self):
        for name in sorted(os.listdir(RUNTIME)):
            if name.endswith(".py"):
                with self.subTest(name):
                    ast.parse(self.read(RUNTIME, name), feature_version=(3, 8))
