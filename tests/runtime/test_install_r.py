"""runtime/install_r.R, with packages made here."""

import functools
import http.server
import io
import os
import subprocess
import tarfile
import threading

from starters import R, StarterTest

C_SOURCE = "#include <Rinternals.h>\nSEXP seven(void) { return Rf_ScalarInteger(7); }\n"


def make_package(directory, name, version, imports="", c_source=None):
    """A source package with one function, `NAME::version()`."""
    files = {
        "DESCRIPTION": f"Package: {name}\nVersion: {version}\nTitle: Test Package\nDescription: Made for a test.\n"
        "Author: Test\nMaintainer: Test <test@example.com>\nLicense: GPL-3\nEncoding: UTF-8\n"
        + (f"Imports: {imports}\n" if imports else ""),
        "NAMESPACE": "export(version)\n" + (f"import({imports})\n" if imports else "")
        + (f"useDynLib({name}, seven)\n" if c_source else ""),
        "R/code.R": "version <- function() " + (".Call(seven)\n" if c_source else f"'{version}'\n"),
    }
    if c_source:
        files["src/code.c"] = c_source
    os.makedirs(directory, exist_ok=True)
    with tarfile.open(os.path.join(directory, f"{name}_{version}.tar.gz"), "w:gz") as archive:
        for file, text in files.items():
            entry = tarfile.TarInfo(f"{name}/{file}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))


class InstallR(StarterTest):
    def setUp(self):
        super().setUp()
        self.repository = self.directory("repository")
        contrib = os.path.join(self.repository, "src", "contrib")
        make_package(contrib, "offa", "1.0")
        make_package(contrib, "offb", "2.0-1", imports="offa")
        make_package(contrib, "offc", "1.0", c_source=C_SOURCE)
        make_package(os.path.join(contrib, "Archive", "offa"), "offa", "0.9")
        subprocess.run(R + ["-e", f"tools::write_PACKAGES('{contrib}', type = 'source')"], check=True,
                       stdout=subprocess.DEVNULL)
        self.cache = self.directory("cache")
        self.staging = self.directory("staging")
        self.url = f"file://{self.repository}"

    def install(self, *packages, repositories=None, **header):
        """Each package is (name, version, requires) or with further fields in a dict."""
        lines = [f"{key}: {value}" for key, value in header.items()]
        lines += [f"Cache: {self.cache}", f"Staging: {self.staging}"]
        urls = [f"LOCAL={self.url}"] if repositories is None else repositories
        lines += ["Repositories: " + "\n ".join(urls)] if urls else []
        for name, version, requires, *more in packages:
            fields = {"Package": name, "Version": version, "Source": "CRAN", "Hash": f"h{version}",
                      "Requires": requires, "Cached": "no", **(more[0] if more else {})}
            lines += [""] + [f"{key}: {value}" for key, value in fields.items() if value]
        return self.run_r("install_r.R", "--packages", self.write("r-packages.dcf", "\n".join(lines) + "\n"))

    def ask(self, expression):
        """What R prints with the installed library."""
        outcome = self.run_command(R + ["-e", f"cat({expression})"], R_LIBS=os.path.join(self.staging, "library"))
        self.assert_worked(outcome)
        return outcome.out.strip()

    # Proves: PK1 (L)
    def test_packages_are_built_after_what_they_require_each_in_its_own_directory(self):
        outcome = self.install(("offb", "2.0-1", "offa,R"), ("offc", "1.0", ""), ("offa", "1.0", "methods"))
        self.assert_worked(outcome)
        self.assertIn("Installed 3 packages (0 from cache)", outcome.err)
        for below in ("offa/h1.0/offa", "offb/h2.0-1/offb", "offc/h1.0/offc"):
            path = os.path.join(self.staging, "v2", "library", below)
            self.assertTrue(os.path.isfile(os.path.join(path, "DESCRIPTION")), outcome)
            self.assertEqual(os.readlink(os.path.join(self.staging, "library", os.path.basename(below))), path)
        self.assertEqual(self.ask("offb::version(), offc::version()"), "2.0-1 7")

    # Proves: PK1 (L)
    def test_the_index_is_asked_where_the_lock_does_not_say_what_is_required(self):
        self.assert_worked(self.install(("offb", "2.0-1", ""), ("offa", "1.0", "")))

    # Proves: PK1 (L)
    def test_a_cached_package_is_linked_and_built_against(self):
        self.assert_worked(self.install(("offa", "1.0", "")))
        os.rename(os.path.join(self.staging, "v2", "library", "offa"), os.path.join(self.cache, "offa"))
        self.staging = self.directory("staging-2")
        outcome = self.install(("offb", "2.0-1", "offa"), ("offa", "1.0", "", {"Cached": "yes"}))
        self.assert_worked(outcome)
        self.assertIn("Installed 2 packages (1 from cache)", outcome.err)
        self.assertEqual(os.listdir(os.path.join(self.staging, "v2", "library")), ["offb"])
        self.assertEqual(self.ask("normalizePath(find.package('offa'))"), os.path.join(self.cache, "offa", "h1.0", "offa"))

    # Proves: PK1 (L)
    def test_exactly_the_locked_version_is_taken_also_from_the_archive_and_over_http(self):
        handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=self.repository)
        handler.func.log_message = lambda *_: None
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"http://127.0.0.1:{server.server_address[1]}"
            try:
                outcome = self.install(("offa", "0.9", ""), ("offc", "1.0", ""), repositories=[f"WEB={url}"])
            finally:
                server.shutdown()
        self.assert_worked(outcome)
        self.assertEqual(self.ask("offa::version()"), "0.9")

    # Proves: PK1 (L)
    def test_a_version_that_is_nowhere_names_the_repositories_and_what_they_have(self):
        gone = self.directory("gone")
        urls = [f"LOCAL={self.url}", f"GONE=file://{gone}"]
        outcome = self.install(("offa", "3.0", "", {"Repository": "https://packages.example.com"}), repositories=urls)
        self.assert_refused(outcome, "'offa' 3.0", "locked from https://packages.example.com",
                            f"LOCAL ({self.url}) has 1.0", f"GONE (file://{gone}) has no index that can be read")
        outcome = self.install(("offnone", "1.0", ""), repositories=urls)
        self.assert_refused(outcome, f"LOCAL ({self.url}) has no version of it")
        self.assert_refused(self.install(("offa", "1.0", ""), repositories=[]), "no R package repository is configured")

    # Proves: PK1 (L)
    def test_what_can_not_be_installed_is_refused(self):
        self.assert_refused(self.install(("offa", "1.0", "", {"Source": "GitHub"})), "'offa' 1.0 comes from 'GitHub'",
                            "add it to a repository")
        self.assert_refused(self.install(("offb", "2.0-1", "offnone")), "requires 'offnone'", "Packages.External")
        self.assert_refused(self.install(("offa", "1.0", "offb"), ("offb", "2.0-1", "offa")), "in a circle")
        self.assert_refused(self.install(("offa", "1.0", ""), RVersion="3.5.0"), "wanted for R 3.5.0")

    # Proves: PK1 (L)
    def test_a_package_that_does_not_build_leaves_no_link(self):
        make_package(os.path.join(self.repository, "src", "contrib"), "offd", "1.0", c_source="this is not C\n")
        self.assert_refused(self.install(("offd", "1.0", "")), "'offd' 1.0 could not be built")
        self.assertEqual(os.listdir(os.path.join(self.staging, "library")), [])

    # Proves: PK1 (L)
    def test_nothing_to_install_makes_an_empty_library(self):
        self.assert_worked(self.install())
        self.assertEqual(os.listdir(os.path.join(self.staging, "library")), [])
