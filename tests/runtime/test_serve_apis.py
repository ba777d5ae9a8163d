"""The examples whose servers come along or are uvicorn: Flask, FastAPI, Dash and Shiny, in the environments they ask for."""

import json
import os
import re
import socket
import threading
import time

from serving import PREFIX, PUBLIC, FrameworkTest, total


class Flask(FrameworkTest):
    app_name = "flask"

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_pages_links_and_redirects_are_below_the_prefix(self):
        running = self.start_example()
        first = running.ask("/")
        self.assertEqual((first.code, first.headers["Location"]), (302, f"{PREFIX}/sales?region=north"))
        page = running.ask("/sales?region=west").text
        self.assertIn(f'href="{PREFIX}/static/sales.css"', page)
        self.assertIn(f'action="{PREFIX}/sales"', page)
        self.assertIn(f"<td>{total('west', '2024')}</td>", page)
        self.assertEqual(running.ask("/static/sales.css").code, 200)
        self.assertEqual(running.ask("/api/sales/west").json()["by"], "203.0.113.9")
        self.assert_stops(running.wait_ready(), 3)

    # Proves: PK5 (L, P)
    def test_a_stop_is_seen_when_a_thread_of_the_application_takes_the_signal(self):
        self.example_app()
        held = ("import signal, threading\n"
                "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
                "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n")
        self.write("app.py", self.read(self.app, "app.py") + held)
        running = self.start("python-api", "app").wait_ready()
        self.assertEqual(running.ask("/static/sales.css").code, 200)
        # Until nothing but the signal could wake it.
        time.sleep(1)
        self.assert_stops(running, 3)

    # Proves: PK5 (L, P)
    def test_an_application_that_trusts_a_proxy_itself_sees_the_same(self):
        self.example_app()
        text = self.read(self.app, "app.py")
        fix = ("from werkzeug.middleware.proxy_fix import ProxyFix\n"
               "app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1, x_port=1, x_prefix=1)\n")
        self.write("app.py", text + fix)
        running = self.start("python-api", "app")
        self.assertEqual(running.ask("/").headers["Location"], f"{PREFIX}/sales?region=north")
        self.assertEqual(running.ask("/api/sales/west").json()["by"], "203.0.113.9")


class FastApi(FrameworkTest):
    app_name = "fastapi"

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_docs_uploads_events_and_websockets_work_below_the_prefix(self):
        running = self.start_example()
        self.assertEqual(running.ask("/").json()["docs"], f"https://{PUBLIC}{PREFIX}/docs")
        self.assertIn(f"url: '{PREFIX}/openapi.json'", running.ask("/docs").text)
        self.assertEqual(running.ask("/openapi.json").json()["servers"], [{"url": PREFIX}])
        moved = running.ask("/sales/west/")
        self.assertEqual((moved.code, moved.headers["Location"]), (307, f"https://{PUBLIC}{PREFIX}/sales/west"))
        self.assertEqual(running.ask("/sales/west").json()["2024"], total("west", "2024"))
        self.assertEqual(running.ask("/sales/nowhere").code, 404)
        with open(f"{self.app}/sales.csv", "rb") as file:
            sales = file.read()
        form = b'--x\r\nContent-Disposition: form-data; name="file"; filename="s.csv"\r\n\r\n' + sales + b"\r\n--x--\r\n"
        answer = running.ask("/total", "POST", form, Content_Type="multipart/form-data; boundary=x")
        self.assertEqual(answer.json()["total"], total())
        connection, response = running.stream("/events")
        self.assertTrue(response.readline().startswith(b"data: north 2023-1: "))
        connection.close()
        tunnel = running.websocket("/live")
        tunnel.send("west")
        self.assertEqual(json.loads(tunnel.frame()[1])["2024"], total("west", "2024"))
        self.assert_stops(running.wait_ready(), 9)
        self.assertEqual(tunnel.closing_code(), 1012)
        tunnel.close()


    # Proves: PK5 (L, P)
    def test_an_application_that_says_its_root_path_itself_is_found(self):
        self.example_app()
        self.write("app.py", self.read(self.app, "app.py").replace('title="Sales"', 'title="Sales", root_path="/elsewhere"'))
        running = self.start("python-fastapi", "app")
        self.assertEqual(running.ask("/sales/west").json()["2024"], total("west", "2024"))
        self.assertIn("url: '/elsewhere/openapi.json'", running.ask("/docs").text)


class FastApiWithServersOfItsOwn(FastApi):
    """uvicorn, uvloop, httptools and websockets from the content's environment."""

    packages = ["fastapi==0.165.0", "python-multipart==0.0.34", "uvicorn[standard]==0.54.0"]

    # Proves: PK5 (L, P)
    def test_the_contents_own_servers_come_first(self):
        self.write("app.py", "import sys, json\n\nasync def app(scope, receive, send):\n    if scope['type'] == 'http':\n"
                             "        await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
                             "        names = ['uvloop', 'httptools', 'websockets', 'wsproto']\n"
                             "        told = {n: sys.modules[n].__file__ for n in names if n in sys.modules}\n"
                             "        await send({'type': 'http.response.body', 'body': json.dumps(told).encode()})\n")
        for family in (socket.AF_UNIX, socket.AF_INET):
            told = self.start("python-fastapi", "app", family=family).ask("/").json()
            self.assertEqual(sorted(told), ["httptools", "uvloop", "websockets"])
            self.assertTrue(all(path.startswith(os.path.dirname(os.path.dirname(self.python))) for path in told.values()))


class Dash(FrameworkTest):
    app_name = "dash"

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_the_page_and_its_callbacks_are_below_the_prefix(self):
        running = self.start_example()
        page = running.ask("/").text
        config = json.loads(re.search(r'<script id="_dash-config"[^>]*>(.*?)</script>', page).group(1))
        self.assertEqual(config["requests_pathname_prefix"], f"{PREFIX}/")
        scripts = re.findall(r'<script src="([^"]+)"', page)
        self.assertTrue(scripts and all(one.startswith(PREFIX + "/") for one in scripts), scripts)
        self.assertEqual(running.ask(scripts[0][len(PREFIX):]).code, 200)
        wanted = {"output": "..summary.children...years.figure..",
                  "outputs": [{"id": "summary", "property": "children"}, {"id": "years", "property": "figure"}],
                  "inputs": [{"id": "region", "property": "value", "value": "west"}], "changedPropIds": ["region.value"]}
        answer = running.ask("/_dash-update-component", "POST", json.dumps(wanted), Content_Type="application/json")
        self.assertEqual(answer.json()["response"]["summary"]["children"], f"west: {total('west')} in all")
        self.assert_stops(running.wait_ready(), 3)

    # Proves: PK5 (L, P)
    def test_the_only_dash_object_is_found_under_any_name(self):
        self.example_app()
        self.write("app.py", self.read(self.app, "app.py").replace("app = Dash", "board = Dash").replace("app.layout", "board.layout")
                   .replace("@app.callback", "@board.callback"))
        self.assertEqual(self.start("python-dash", "app").ask("/").code, 200)


class Shiny(FrameworkTest):
    app_name = "shiny-python"

    def choose(self, running, first="north", then="west"):
        tunnel = running.websocket("/websocket/")
        self.assertEqual(tunnel.status, 101)
        data = {"region": first, ".clientdata_output_summary_hidden": False, ".clientdata_output_years_hidden": False}
        tunnel.send(json.dumps({"method": "init", "data": data}))
        tunnel.until(f"{first}: {total(first)} in all".encode())
        tunnel.send(json.dumps({"method": "update", "data": {"region": then}}))
        tunnel.until(f"{then}: {total(then)} in all".encode())
        return tunnel

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_a_session_answers_over_its_websocket(self):
        running = self.start_example()
        page = running.ask("/").text
        source = re.search(r'src="([^"]*shiny[^"]*\.js)"', page).group(1)
        self.assertFalse(source.startswith("/"), "addresses are relative")
        self.assertEqual(running.ask("/" + source).code, 200)
        tunnel = self.choose(running)
        self.assert_stops(running.wait_ready(), 5)
        self.assertEqual(tunnel.closing_code(), 1012)
        tunnel.close()

    # Proves: PK5 (L, P), PK9 (L, P)
    def test_express_files_are_known_however_they_are_named(self):
        self.write("my-app.py", "from shiny.express import input, render, ui\n\nui.input_text('region', 'Region')\n\n"
                                "@render.text\ndef summary():\n    return 'chosen ' + input.region()\n")
        for entrypoint in ("my-app.py", "my-app", "shiny.express.app:my_2d_app_2e_py"):
            with self.subTest(entrypoint):
                running = self.start("python-shiny", entrypoint)
                tunnel = running.websocket("/websocket/")
                tunnel.send(json.dumps({"method": "init", "data": {"region": "x", ".clientdata_output_summary_hidden": False}}))
                tunnel.until(b"chosen x")
                tunnel.close()


class Stopping(FrameworkTest):
    app_name = "fastapi"

    # Proves: PK5 (L, P)
    def test_an_upload_in_flight_is_finished(self):
        running = self.start_example().wait_ready()
        answers = []

        def body():
            yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="s.csv"\r\n\r\nsales\n'
            for _ in range(10):
                time.sleep(0.2)
                yield b"1\n"
            yield b"\r\n--x--\r\n"

        def upload():
            answers.append(running.ask("/total", "POST", body(), Content_Type="multipart/form-data; boundary=x").text)

        sending = threading.Thread(target=upload)
        sending.start()
        time.sleep(0.7)
        self.assert_stops(running, 8)
        sending.join()
        self.assertEqual(answers, ['{"total":10}'])
