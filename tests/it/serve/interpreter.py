#!/usr/bin/python3
"""Stands in for Python in tests that are about processes and not about what an interpreter computes: it tells a version,
makes an environment of one file, and runs app.py, which answers visitors with what is here."""

import os
import shutil
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler

words = sys.argv[1:]
if any("version_info" in word for word in words):
    print("3.11.2")
    print(sys.argv[0])
    sys.exit()


def given(flag):
    return words[words.index(flag) + 1]


if any(word.endswith("/install_python.py") for word in words):
    binaries = os.path.join(given("--env"), "bin")
    os.makedirs(binaries)
    shutil.copy(sys.argv[0], os.path.join(binaries, "python"))
    sys.exit()


def say_ready():
    open(given("--ready-file"), "w").close()


def serve(answer):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            body = answer(self.path).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
        daemon_threads = True

    server = Server(("", 0), Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = socket.socket(fileno=3)
    say_ready()
    server.serve_forever()


exec(compile(open("app.py").read(), "app.py", "exec"))
