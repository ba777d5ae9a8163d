"""The examples whose framework is its own server: Streamlit, Bokeh, Panel, Voila and Gradio."""

import json
import os
import re
import subprocess
import time

from serving import PREFIX, PUBLIC, FrameworkTest, total


class Streamlit(FrameworkTest):
    app_name = "streamlit"
    # How a choice is sent.
    west = ("string_value", "west")

    def message(self, widget=None):
        """What the browser sends to have the script run, with a choice in its only widget."""
        code = ("import sys\nfrom streamlit.proto.BackMsg_pb2 import BackMsg\nm = BackMsg()\nm.rerun_script.query_string = ''\n"
                "if sys.argv[1:]:\n    w = m.rerun_script.widget_states.widgets.add()\n    w.id = sys.argv[1]\n"
                "    setattr(w, *((sys.argv[2], int(sys.argv[3])) if sys.argv[2] == 'int_value' else sys.argv[2:]))\n"
                "sys.stdout.buffer.write(m.SerializeToString())")
        words = [widget, *self.west] if widget else []
        return subprocess.run([self.python, "-c", code, *words], stdout=subprocess.PIPE, check=True).stdout

    def session(self, running):
        tunnel = running.websocket("/_stcore/stream", protocols="streamlit")
        self.assertEqual(tunnel.status, 101)
        tunnel.send(self.message())
        widget = re.search(rb"\$\$ID-[0-9a-f]+-[ -~]*?None", tunnel.until(b"$$ID-")).group().decode()
        tunnel.until(f"north: {total('north')} in all".encode())
        tunnel.send(self.message(widget))
        tunnel.until(f"west: {total('west')} in all".encode())
        return tunnel

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_a_session_answers_over_its_websocket(self):
        self.example_app()
        # The bundle's own settings do not lead away from the gateway.
        self.write(".streamlit/config.toml", '[server]\nbaseUrlPath = "zzz"\nport = 1234\naddress = "192.0.2.1"\n')
        running = self.start("python-streamlit", "app")
        self.assertEqual(running.ask("/").code, 200)
        self.assertEqual(running.ask("/_stcore/health").text, "ok")
        tunnel = self.session(running)
        tunnel_of_another = running.websocket("/_stcore/stream", headers={"Origin": "https://elsewhere.test"})
        tunnel_of_another.close()
        self.assert_stops(running.wait_ready(), 9)
        self.assertEqual(tunnel.closing_code(), 1012)
        tunnel.close()


    # Proves: PK5 (L, P)
    def test_origins_are_compared_with_the_host_that_the_gateway_says(self):
        running = self.start_example()
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13",
                   "Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": f"https://{PUBLIC}"}
        self.assertEqual(running.ask("/_stcore/stream", Host="inside", **upgrade).code, 101)
        told_wrong = {"X_Forwarded_Host": "other.test", **upgrade}
        self.assertEqual(running.ask("/_stcore/stream", Host="inside", **told_wrong).code, 403)


class StreamlitOnTornado(Streamlit):
    """The last releases whose server was Tornado."""

    packages = ["streamlit==1.44.1", "tornado==6.4.2"]
    west = ("int_value", "2")


class Bokeh(FrameworkTest):
    app_name = "bokeh"
    page = f"{PREFIX}/app"

    def session(self, running):
        page = running.ask(self.page)
        self.assertEqual(page.code, 200)
        # Panel writes relative addresses, which the browser completes.
        for source in re.findall(r'<script[^>]* src="(/[^"]+)"', page.text):
            self.assertTrue(source.startswith(PREFIX), source)
        token = re.search(r'"token":"([^"]+)"', page.text).group(1)
        tunnel = running.websocket(self.page.rstrip("/") + "/ws", protocols=f"bokeh, {token}")
        self.assertEqual(tunnel.status, 101)
        self.receive(tunnel)
        return tunnel

    def receive(self, tunnel, kind=None):
        """A message is a header, metadata and content, each in a frame of its own."""
        while True:
            header = json.loads(self.data(tunnel))
            self.data(tunnel)
            content = self.data(tunnel)
            for _ in range(2 * header.get("num_buffers", 0)):
                self.data(tunnel)
            if kind in (None, header["msgtype"]):
                return content.decode()

    def data(self, tunnel):
        kind, payload = tunnel.frame()
        self.assertIn(kind, (1, 2), payload)
        return payload

    def send(self, tunnel, kind, content):
        for part in ({"msgid": f"m{time.monotonic_ns()}", "msgtype": kind}, {}, content):
            tunnel.send(json.dumps(part))

    def choose(self, tunnel, region):
        """Pulls the document, chooses in its Select, and gives what changed."""
        self.send(tunnel, "PULL-DOC-REQ", {})
        document = self.receive(tunnel, "PULL-DOC-REPLY")
        select = re.search(r'"name":"[\w.]*Select","id":"([^"]+)"', document).group(1)
        event = {"kind": "ModelChanged", "model": {"id": select}, "attr": "value", "new": region}
        self.send(tunnel, "PATCH-DOC", {"events": [event]})
        return document

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_a_session_answers_over_its_websocket(self):
        running = self.start_example()
        first = running.ask(f"{PREFIX}/")
        self.assertEqual((first.code, first.headers["Location"]), (302, self.page))
        tunnel = self.session(running)
        self.assertIn(f"north: {total('north')} in all", self.choose(tunnel, "west"))
        tunnel.until(f"west: {total('west')} in all".encode())
        script = re.search(rf'src="({PREFIX}/static/[^"]+)"', running.ask(self.page).text).group(1)
        self.assertEqual(running.ask(script).code, 200)
        self.assert_stops(running.wait_ready(), 5)
        self.assertEqual(tunnel.closing_code(), 1012)
        tunnel.close()
        self.assertNotIn("localhost", running.log())

    # Proves: PK5 (L, P), PK9 (L, P)
    def test_a_directory_application_and_a_script_that_is_broken(self):
        self.write("main.py", "from bokeh.io import curdoc\ncurdoc().title = 'whole'\n")
        self.write("templates/index.html", "{% extends base %}{% block title %}from a template{% endblock %}")
        running = self.start("python-bokeh", "main")
        page = running.ask(running.ask(f"{PREFIX}/").headers["Location"])
        self.assertIn("from a template", page.text)
        self.write("broken.py", "def (\n")
        self.assert_not_started(self.start("python-bokeh", "broken.py"), "'broken.py' could not be served")


class Panel(Bokeh):
    app_name = "panel"
    page = "/"

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_a_session_answers_over_its_websocket(self):
        running = self.start_example()
        tunnel = self.session(running)
        self.assertIn(f"north: {total('north')} in all", self.choose(tunnel, "west"))
        tunnel.until(f"west: {total('west')} in all".encode())
        script = re.search(r'src="(static/[^"]+)"', running.ask("/").text).group(1)
        self.assertEqual(running.ask("/" + script).code, 200)
        self.assert_stops(running.wait_ready(), 5)
        self.assertEqual(tunnel.closing_code(), 1012)
        tunnel.close()

    def test_a_directory_application_and_a_script_that_is_broken(self):
        self.write("broken.py", "def (\n")
        self.assert_not_started(self.start("python-panel", "broken.py"), "'broken.py' could not be served")


class Voila(FrameworkTest):
    app_name = "voila"

    def comm(self, tunnel, kind, content):
        header = {"msg_id": f"m{time.monotonic_ns()}", "msg_type": kind, "session": "s", "username": "", "version": "5.3",
                  "date": "2026-01-01T00:00:00Z"}
        tunnel.send(json.dumps({"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}))

    # Proves: PK5 (L, P), PR1 (L, P), TD1 (L)
    def test_a_page_has_a_kernel_that_answers_over_its_websocket(self):
        running = self.start_example()
        page = running.ask(f"{PREFIX}/")
        self.assertEqual(page.code, 200)
        self.assertIn(f'"baseUrl": "{PREFIX}/"', page.text)
        kernel = re.search(r'"kernelId": "([^"]+)"', page.text).group(1)
        cookie = page.headers.get("Set-Cookie", "").split(";")[0]
        tunnel = running.websocket(f"{PREFIX}/api/kernels/{kernel}/channels?session_id=s", headers={"Cookie": cookie})
        self.assertEqual(tunnel.status, 101)
        self.comm(tunnel, "comm_info_request", {"target_name": "jupyter.widget"})
        comms = json.loads(tunnel.until(b"comm_info_reply"))["content"]["comms"]
        for comm in comms:
            self.comm(tunnel, "comm_msg", {"comm_id": comm, "data": {"method": "request_state"}})
        chooser = json.loads(tunnel.until(b'"DropdownModel"'))["content"]["comm_id"]
        self.comm(tunnel, "comm_msg", {"comm_id": chooser, "data": {"method": "update", "state": {"index": 2}}})
        tunnel.until(f"west: {total('west')} in all".encode())
        self.assertTrue(running.children(), "the kernel")
        # One port is the kernel's own pipe for forked children, guarded by a secret; its sockets would be five more.
        self.assertNotIn(running.process.pid, self.ports(running))
        self.assertLess(len(self.ports(running)), 2)
        below = running.children()
        self.assert_stops(running.wait_ready(), 9)
        self.assertEqual(tunnel.closing_code(), 1012)
        tunnel.close()
        time.sleep(1)
        self.assertEqual([pid for pid in below if os.path.exists(f"/proc/{pid}/cwd")], [])

    def ports(self, running):
        """The process of each TCP socket on which the application or a child of it listens."""
        listening = set()
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            with open(table, encoding="ascii") as file:
                listening |= {line.split()[9] for line in list(file)[1:] if line.split()[3] == "0A"}
        found = []
        for pid in (running.process.pid, *running.children()):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                try:
                    target = os.readlink(f"/proc/{pid}/fd/{fd}")
                except FileNotFoundError:
                    continue
                if target.startswith("socket:[") and target[8:-1] in listening:
                    found.append(pid)
        return found

    # Proves: PK5 (L, P), PK9 (L, P)
    def test_a_whole_directory_is_a_list_of_notebooks(self):
        self.example_app()
        running = self.start("jupyter-voila", "")
        self.assertIn("Voilà Home", running.ask(f"{PREFIX}/").text)
        page = running.ask(f"{PREFIX}/voila/render/sales.ipynb")
        self.assertIn('"kernelId": "', page.text)
        self.assert_stops(running, 9)


class Gradio(FrameworkTest):
    app_name = "gradio"

    def predict(self, running, region):
        asked = running.ask("/gradio_api/call/sales", "POST", json.dumps({"data": [region]}), Content_Type="application/json")
        return running.ask(f"/gradio_api/call/sales/{asked.json()['event_id']}").text

    # Proves: PK5 (L, P), PR1 (L, P)
    def test_the_page_its_queue_and_its_events_are_below_the_prefix(self):
        running = self.start_example()
        page = running.ask("/")
        self.assertEqual(page.code, 200)
        self.assertEqual(running.ask("/config").json()["root"], f"https://{PUBLIC}{PREFIX}")
        self.assertIn(f"west: {total('west')} in all", self.predict(running, "west"))
        form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nhello\r\n--x--\r\n'
        sent = running.ask("/gradio_api/upload", "POST", form, Content_Type="multipart/form-data; boundary=x").json()
        self.assertTrue(sent[0].startswith(os.path.join(self.tmp, "gradio")), sent)
        self.assert_stops(running.wait_ready(), 9)

    # Proves: PK5 (L, P), PK9 (L, P)
    def test_what_launch_is_given_holds_and_it_need_not_be_called(self):
        self.example_app()
        text = self.read(self.app, "app.py")
        self.write("app.py", text.replace("demo.launch()", "demo.launch(auth=('ann', 'secret'), server_port=1, share=True)"))
        running = self.start("python-gradio", "app")
        self.assertEqual(running.ask("/config").code, 401)
        self.write("app.py", text.split("if __name__")[0].replace("demo =", "board ="))
        running = self.start("python-gradio", "app.py")
        self.assertIn(f"north: {total('north')} in all", self.predict(running, "north"))
        self.write("app.py", "import gradio\n")
        self.assert_not_started(self.start("python-gradio", "app"), "neither calls launch() nor has a Gradio object")
