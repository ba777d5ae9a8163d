"""What the gateway says about a request, told to the application: who asks, by which address, below which path.

The gateway is the only peer of the socket and deletes what clients send of these headers, so they are believed.
"""


def first(value):
    return value.split(",", 1)[0].strip() if value else ""


def host_and_port(host, proto, port):
    """Of `name`, `name:port`, `[::1]:port`; the port is that of X-Forwarded-Port, else the scheme's."""
    name, colon, rest = host.rpartition(":")
    if colon and rest.isdigit() and (not name.count(":") or name.endswith("]")):
        host, port = name, port or rest
    if not port.isdigit():
        port = "443" if proto in ("https", "wss") else "80"
    return host.strip("[]"), int(port)


class Wsgi:
    """Sets REMOTE_ADDR, wsgi.url_scheme, SERVER_NAME, SERVER_PORT, HTTP_HOST and SCRIPT_NAME."""

    def __init__(self, app, prefix):
        self.app = app
        self.prefix = prefix

    def __call__(self, environ, start_response):
        client = first(environ.get("HTTP_X_FORWARDED_FOR"))
        if client:
            environ["REMOTE_ADDR"] = environ["REMOTE_HOST"] = client
            environ.pop("REMOTE_PORT", None)
        proto = first(environ.get("HTTP_X_FORWARDED_PROTO"))
        if proto:
            environ["wsgi.url_scheme"] = proto
            if proto == "https":
                environ["HTTPS"] = "on"
        host = first(environ.get("HTTP_X_FORWARDED_HOST")) or environ.get("HTTP_HOST", "")
        if host:
            environ["HTTP_HOST"] = host
            name, port = host_and_port(host, environ["wsgi.url_scheme"], first(environ.get("HTTP_X_FORWARDED_PORT")))
            environ["SERVER_NAME"], environ["SERVER_PORT"] = name, str(port)
        environ["SCRIPT_NAME"] = first(environ.get("HTTP_X_FORWARDED_PREFIX")).rstrip("/") or self.prefix
        return self.app(environ, start_response)


def prefix_is_in_the_path():
    """As the ASGI specification has it. Starlette before 0.33 routes by a path without the prefix."""
    try:
        import starlette
    except ImportError:
        return True
    try:
        from starlette._utils import get_route_path  # noqa: F401
    except ImportError:
        return tuple(int(part) for part in starlette.__version__.split(".")[:2] if part.isdigit()) >= (0, 33)
    return True


class Asgi:
    """Sets client, scheme, server, root_path and the Host header, for requests and WebSockets."""

    def __init__(self, app, prefix):
        self.app = app
        self.prefix = prefix
        # FastAPI(root_path=…) replaces what it is told, and would then not find its routes.
        self.in_path = prefix_is_in_the_path() and not getattr(app, "root_path", "")

    async def __call__(self, scope, receive, send):
        if scope["type"] in ("http", "websocket"):
            scope = self.told(dict(scope))
        await self.app(scope, receive, send)

    def told(self, scope):
        headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name.startswith((b"x-f", b"host"))}
        client = first(headers.get(b"x-forwarded-for"))
        if client:
            scope["client"] = (client, 0)
        proto = first(headers.get(b"x-forwarded-proto"))
        if proto:
            secure = proto in ("https", "wss")
            plain, over_tls = ("ws", "wss") if scope["type"] == "websocket" else ("http", "https")
            scope["scheme"] = over_tls if secure else plain
        host = first(headers.get(b"x-forwarded-host"))
        if host:
            rest = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [(b"host", host.encode("latin-1")), *rest]
        host = host or headers.get(b"host", "")
        if host:
            scope["server"] = host_and_port(host, scope.get("scheme", "http"), first(headers.get(b"x-forwarded-port")))
        self.add_prefix(scope, first(headers.get(b"x-forwarded-prefix")).rstrip("/") or self.prefix)
        return scope

    def add_prefix(self, scope, prefix):
        if not prefix:
            return
        scope["root_path"] = prefix
        if self.in_path:
            scope["path"] = prefix + scope["path"]
            if scope.get("raw_path"):
                scope["raw_path"] = prefix.encode("utf-8") + scope["raw_path"]
