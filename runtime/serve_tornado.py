"""Gives the inherited socket to a framework that makes a Tornado server of its own, and lets that server end well."""

import asyncio
import signal
import time
import weakref

from .serve_common import GRACE
from .serve_forwarded import first

# "Service restart": clients are told to come back.
RESTART = 1012


def public_host(application):
    """The application, told the host that the browser asked for: origins are compared with it."""
    from tornado import httputil

    class Message(httputil.HTTPMessageDelegate):
        def __init__(self, inner):
            self.inner = inner

        def headers_received(self, start_line, headers):
            host = first(headers.get("X-Forwarded-Host"))
            if host:
                headers["Host"] = host
            return self.inner.headers_received(start_line, headers)

        def data_received(self, chunk):
            return self.inner.data_received(chunk)

        def finish(self):
            self.inner.finish()

        def on_connection_close(self):
            self.inner.on_connection_close()

    class Server(httputil.HTTPServerConnectionDelegate):
        def start_request(self, server_conn, request_conn):
            return Message(application.start_request(server_conn, request_conn))

        def on_close(self, server_conn):
            application.on_close(server_conn)

    return Server()


def take_over(job, stop_with_the_frameworks_handler=False):
    """Whatever address the framework asks for first, it gets the socket.

    Tried with Tornado 6.1, 6.4, 6.5 and 6.6; the three names are as old as Tornado 4. `bind_sockets` is used by Voila and by
    Streamlit up to 1.56, `bind_unix_socket` by Bokeh and Panel.
    """
    from tornado import netutil, tcpserver, web

    handlers = weakref.WeakSet()
    remember_handlers(web.RequestHandler, handlers)
    originals = tcpserver.bind_sockets, netutil.bind_unix_socket, tcpserver.TCPServer.add_sockets

    def give(*_args, **_kwargs):
        tcpserver.bind_sockets, netutil.bind_unix_socket = originals[:2]
        return [job.sock]

    def add_sockets(server, sockets):
        sockets = list(sockets)
        tcpserver.TCPServer.add_sockets = originals[2] if job.sock in sockets else add_sockets
        originals[2](server, sockets)
        if job.sock in sockets:
            server.xheaders = True
            server.request_callback = public_host(server.request_callback)
            begin(job, server, handlers, stop_with_the_frameworks_handler)

    tcpserver.bind_sockets = give
    netutil.bind_unix_socket = lambda *args, **kwargs: give()[0]
    tcpserver.TCPServer.add_sockets = add_sockets


def remember_handlers(handler_class, handlers):
    original = handler_class.__init__

    def init(self, *args, **kwargs):
        handlers.add(self)
        original(self, *args, **kwargs)

    handler_class.__init__ = init


def begin(job, server, handlers, stop_with_the_frameworks_handler):
    """Once the loop turns, requests are answered; and by then the framework has set its handler of SIGTERM."""
    from tornado.ioloop import IOLoop

    loop = IOLoop.current()

    def turning():
        previous = signal.getsignal(signal.SIGTERM)

        def end():
            if stop_with_the_frameworks_handler and callable(previous):
                previous(signal.SIGTERM, None)
            else:
                loop.stop()

        def stop():
            loop.add_callback(drain, server, handlers, end)

        asyncio.get_event_loop().add_signal_handler(signal.SIGTERM, stop)
        job.ready()

    loop.add_callback(turning)


def answering(handlers):
    from tornado.websocket import WebSocketHandler

    return [one for one in list(handlers) if not isinstance(one, WebSocketHandler) and not one._finished
            and not one.request.connection.stream.closed()]


async def drain(server, handlers, end):
    from tornado.websocket import WebSocketHandler

    server.stop()
    for handler in list(handlers):
        if isinstance(handler, WebSocketHandler) and handler.ws_connection is not None:
            handler.close(RESTART, "restart")
    limit = time.monotonic() + GRACE
    while answering(handlers) and time.monotonic() < limit:
        await asyncio.sleep(0.1)
    # For the last frames and bytes to leave.
    await asyncio.sleep(0.2)
    end()
