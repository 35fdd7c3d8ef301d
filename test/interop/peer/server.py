"""The assistant and a relying party over HTTP."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from lies import Lie
from wire import STATUS, Fault, dumps, loads, members, need

MAX_BODY = 36 * 1024


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port, assistant, make_relying_party):
        super().__init__(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.assistant = assistant
        self.relying_party = make_relying_party(self.url)

    def handle_error(self, *about):
        """Who hangs up on a lie is right to."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(*about)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        parts = urlsplit(self.path)
        if parts.path == "/keys":
            keys = self.server.assistant.listed()
            return self._send(200, keys, {"Content-Type": "application/jwk-set+json", "Cache-Control": "max-age=60"})
        if parts.path == "/disabled":
            query = parse_qs(parts.query, keep_blank_values=True)
            return self._try(lambda: self.server.assistant.disabled(query.get("after", [None])[0]), "max-age=5")
        return self._problem(Fault("invalid_request", status=404))

    def do_POST(self):
        here, rp = self.server.assistant, self.server.relying_party
        routes = {
            "/assist": lambda: here.assist(self._body(), self.client_address[0]),
            "/disable": lambda: here.disable(self._body()),
            "/login/challenge": self._challenge,
            "/register/challenge": self._challenge,
            "/login": lambda: rp.login(self._own(("proof",))["proof"]),
            "/register": lambda: rp.register(self._own(("proof",))["proof"]),
        }
        route = routes.get(self.path)
        if not route:
            self.close_connection = True
            return self._problem(Fault("invalid_request", status=404))
        return self._try(route, "no-store")

    def _body(self):
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or self.headers.get_content_type() != "application/json":
            self.close_connection = True
            raise Fault("invalid_request", "JSON with a length")
        if int(size) > MAX_BODY:
            self.close_connection = True
            raise Fault("invalid_request", "too large", status=413)
        try:
            return loads(self.rfile.read(int(size)))
        except ValueError:
            raise Fault("invalid_request", "no JSON") from None

    def _challenge(self):
        self._own(())
        return self.server.relying_party.challenge()

    def _own(self, names):
        """The body of a request that no page of another origin has sent."""
        body = self._body()
        need(self.headers.get("Origin", self.server.url) == self.server.url, "refused")
        try:
            return members(body, names)
        except ValueError:
            raise Fault("invalid_request") from None

    def _try(self, route, cache):
        try:
            self._send(200, route(), {"Cache-Control": cache})
        except Lie as lie:
            self._send(lie.status, lie.body, {"Content-Type": "application/problem+json", **lie.headers})
        except Fault as fault:
            self._problem(fault)

    def _problem(self, fault):
        told = dict(fault.members)
        status = told.pop("status", STATUS[fault.code])
        body = {"type": "about:blank", "title": fault.code, "status": status, "code": fault.code}
        body.update({name: told[name] for name in ("response",) if name in told})
        headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
        if status == 401:
            headers["WWW-Authenticate"] = "roaming-key"
        if status == 429 and "retryAt" in told:
            headers["Retry-After"] = str(max(1, told["retryAt"] - self.server.assistant.now()))
        self._send(status, body, headers)

    def _send(self, status, body, headers):
        data = body if isinstance(body, bytes) else dumps(body)
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
