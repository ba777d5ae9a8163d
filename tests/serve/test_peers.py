"""Foreign implementations of WebSocket and HTTP, through the gateway to an application that does what they ask."""

import hashlib
import http.client
import json
import os
import socket
import threading
import unittest

from server import HERE, ServeTest, python_with, script


class Peers(ServeTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.serve("echo", os.path.join(HERE, "echo"), maxConnectionsPerProcess=200, idleTimeoutSeconds=600)
        cls.server.start()
        cls.server.wait(lambda: cls.server.get("/content/echo/")[0] == 200, "the first visit is answered")

    # Proves: PR1 (L), SC1 (L)
    def test_the_library_websockets(self):
        python = python_with("websockets==15.0.1")
        said = self.visit(python, os.path.join(HERE, "peer_websockets.py"), self.server.address("echo"))
        self.assertEqual(said.count("ok "), 10, said)

    # Proves: PR1 (L)
    def test_the_library_wsproto(self):
        python = python_with("wsproto==1.2.0")
        said = self.visit(python, os.path.join(HERE, "peer_wsproto.py"), self.server.address("echo"))
        self.assertEqual(said.count("ok "), 5, said)

    # Proves: PR1 (L)
    def test_the_library_ws(self):
        said = self.visit("node", script("peer_ws.js"), self.server.address("echo"))
        self.assertEqual(said.count("ok "), 5, said)

    # Proves: PR1 (L)
    def test_an_upload_in_chunks_and_one_with_its_length_arrive_whole(self):
        part, parts = os.urandom(1 << 20), 64
        digest = hashlib.sha256(part * parts).hexdigest()
        for headers in ({}, {"Content-Length": str(len(part) * parts)}):
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
            connection.request("POST", "/content/echo/count", iter([part] * parts), headers, encode_chunked=not headers)
            said = connection.getresponse().read().decode()
            self.assertIn(digest, said)
            connection.close()

    # Proves: PR1 (L)
    def test_a_slow_reader_holds_nothing_up_and_costs_no_memory(self):
        slow = socket.create_connection(("127.0.0.1", self.server.port), 60)
        slow.sendall(b"GET /content/echo/big?bytes=2000000000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        self.addCleanup(slow.close)
        slow.recv(1000)
        before = self.memory()
        status, _, body = self.server.get("/content/echo/big?bytes=300000000")
        self.assertEqual((status, len(body)), (200, 300_000_000), body[:1000])
        self.assertLess(self.memory() - before, 40_000, "KiB more than before")

    def memory(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="utf-8") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))

    # Proves: PR1 (L)
    def test_events_come_one_by_one(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.request("GET", "/content/echo/events", headers={"Accept": "text/event-stream"})
        answer = connection.getresponse()
        self.assertEqual(answer.readline(), b"data: 0\n", "it is there before the last is sent")
        self.assertIn(b"data: 4", answer.read())
        connection.close()

    def is_idle(self):
        status, _, body = self.server.get("/content/cold/__offhost__/state", Accept="application/json")
        return status == 200 and json.loads(body)["state"] == "idle"

    # Proves: SC1 (L)
    def test_two_hundred_visitors_of_a_cold_application_are_all_answered(self):
        self.server.serve("cold", os.path.join(HERE, "echo"), maxConnectionsPerProcess=100, maxProcesses=2,
                          idleTimeoutSeconds=60)
        self.server.wait(self.is_idle, "it can be visited, and nobody has done so")
        answers = []
        visits = [threading.Thread(target=lambda: answers.append(self.server.get("/content/cold/")[0])) for _ in range(200)]
        for visit in visits:
            visit.start()
        for visit in visits:
            visit.join()
        self.assertEqual(answers, [200] * 200)


if __name__ == "__main__":
    unittest.main(verbosity=2)
