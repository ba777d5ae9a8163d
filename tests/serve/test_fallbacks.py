"""Shiny where WebSockets fail: the page's client in a real browser, and the library sockjs-client."""

import os
import unittest

from server import HERE, ServeTest, script

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
PROTOCOLS = ("websocket", "xhr-streaming", "iframe-eventsource", "iframe-htmlfile", "xhr-polling", "iframe-xhr-polling",
             "jsonp-polling")


class Shiny(ServeTest):
    """A server with the application, and visits to it."""

    protocols = PROTOCOLS
    reconnect = "15s"

    @classmethod
    def setUpClass(cls):
        disabled = [f"DisabledProtocol = {name}" for name in PROTOCOLS if name not in cls.protocols]
        cls.settings = "\n".join(["[Client]", f"ReconnectTimeout = {cls.reconnect}", *disabled])
        super().setUpClass()
        cls.server.serve("shiny", os.path.join(HERE, "shiny"), idleTimeoutSeconds=600)
        cls.server.start()
        cls.server.wait(lambda: cls.server.get("/content/shiny/")[0] == 200, "the first visit is answered")

    def browse(self, scenario, *more):
        if not os.path.exists(CHROMIUM):
            self.skipTest(f"{CHROMIUM} is not there; run scripts/setup --browser, or set CHROMIUM")
        return self.visit("node", script("browse_fallbacks.js"), scenario, self.server.address("shiny"), *more)


class Everything(Shiny):
    # Proves: PR2 (L)
    def test_the_library_sockjs_client(self):
        said = self.visit("node", script("peer_sockjs.js"), self.server.address("shiny"))
        self.assertEqual(said.count("ok "), 4, said)

    # Proves: PR2 (L)
    def test_the_library_sockjs_client_in_a_browser(self):
        self.assertEqual(self.browse("library").count("ok "), 10)

    # Proves: PR2 (L)
    def test_websockets_are_used_where_they_work(self):
        self.browse("forced", "websocket")

    # Proves: PR2 (L)
    def test_where_websockets_are_cut_the_next_is_used(self):
        self.browse("killed")

    # Proves: PR2 (L)
    def test_a_session_outlives_its_websocket(self):
        self.browse("killed_later")

    # Proves: PR2 (L)
    def test_a_visitor_chooses_by_keyboard(self):
        self.browse("chosen", "xhr-polling")


class Short(Shiny):
    reconnect = "4s"

    # Proves: PR2 (L)
    def test_who_stays_away_is_told(self):
        self.browse("stays_away")


class Never(Shiny):
    reconnect = "0"

    # Proves: PR2 (L)
    def test_without_time_to_come_back_a_break_is_the_end(self):
        self.browse("no_return")


def only(name):
    # Proves: PR2 (L)
    def test_it_is_used_where_all_others_are_disabled(self):
        self.browse("forced", name)

    # Proves: PR2 (L)
    def test_a_connection_that_drops_and_comes_back_loses_nothing(self):
        self.browse("drops", name)

    tests = {test.__name__: test for test in (test_it_is_used_where_all_others_are_disabled,
                                              test_a_connection_that_drops_and_comes_back_loses_nothing)}
    return type("Only_" + name.replace("-", "_"), (Shiny,), {"protocols": (name,), **tests})


for protocol in PROTOCOLS:
    kind = only(protocol)
    globals()[kind.__name__] = kind
del kind, Shiny

if __name__ == "__main__":
    unittest.main(verbosity=2)
