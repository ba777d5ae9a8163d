//! A visitor logs in to `offhost serve` with a password that PAM checks.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Child;

use super::machine::{Machine, PASSWORD, USER};
use super::may_run;
use crate::faults::place::LIMIT;
use crate::faults::wait_for;

struct Served {
    machine: Machine,
    child: Child,
    port: u16,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}

impl Served {
    /// With more settings of the gateway.
    fn new(gateway: &str) -> Self {
        let (port, admin) = (port(), port());
        let machine = Machine::new(&format!(
            "ForwardPassword = true\nService = offhost-login\n[Authentication]\nProvider = pam\n[HTTP]\nListen = 127.0.0.1:{port}\n[Gateway]\n{gateway}"
        ));
        machine.service(
            "offhost-login",
            "auth optional pam_exec.so quiet WHERE\nauth required pam_unix.so nodelay\naccount required pam_unix.so\n",
        );
        let manifest =
            r#"{"version": 1, "metadata": {"appmode": "static", "primary_html": "index.html"}, "files": {}}"#;
        let site = machine
            .place
            .content("site", &[("manifest.json", manifest), ("index.html", "inside")]);
        let app = format!(
            "apiVersion: offhost.dev/v1alpha1\nkind: ContentApp\nmetadata:\n  name: site\nspec:\n  bundle: {{path: {site}}}\n  \
             access: {{type: Named, groups: [{USER}]}}\n"
        );
        let manifests = machine.place.content("manifests", &[("site.yaml", &app)]);
        let admin = format!("127.0.0.1:{admin}");
        let child = machine
            .place
            .start(&["serve", "--manifests", &manifests, "--admin-listen", &admin]);
        Self { machine, child, port }
    }

    /// One request; the answer, header and all, or nothing while nobody listens.
    fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> Option<String> {
        let host = format!("127.0.0.1:{}", self.port);
        let mut stream = TcpStream::connect(&host).ok()?;
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nOrigin: http://{host}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }

    fn inside(&self, cookie: &str) -> String {
        self.ask("GET", "/content/site/", cookie, "").unwrap_or_default()
    }

    /// Waits until visitors are asked to log in.
    fn wait(&self) {
        wait_for("the log-in page", LIMIT, || {
            self.inside("").starts_with("HTTP/1.1 303").then_some(())
        });
    }

    /// Sends the form with this password.
    fn log_in(&self, password: &str) -> String {
        let page = self.ask("GET", "/__offhost__/login", "", "").expect("it answers");
        let after = |text: &str, mark: &str, end: char| {
            let rest = text
                .split_once(mark)
                .unwrap_or_else(|| panic!("no {mark} in {page}"))
                .1;
            rest.split(end).next().unwrap_or_default().to_owned()
        };
        let token = after(&page, "name=\"token\" value=\"", '"');
        let cookie = after(&page, "set-cookie: ", ';');
        let password = password.replace(' ', "+");
        let body = format!("token={token}&return=/content/site/&user={USER}&password={password}");
        self.ask(
            "POST",
            "/__offhost__/login",
            &format!("Cookie: {cookie}\r\nX-Forwarded-For: 198.51.100.7, 203.0.113.9\r\n"),
            &body,
        )
        .expect("it answers")
    }

    fn locked_pages(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmLck:"))
            .expect("the kernel tells");
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib * 1024 / u64::try_from(rustix::param::page_size()).expect("a page is small")
    }
}

/// Proves: PM3 (L), CU3 (L)
#[test]
fn a_visitor_logs_in_and_the_password_is_kept_for_sessions() {
    if !may_run() {
        return;
    }
    let served = Served::new("");
    let inside = |cookie: &str| served.inside(cookie);
    served.wait();
    let before = served.locked_pages();
    let answer = served.log_in("wrong");
    assert!(
        answer.starts_with("HTTP/1.1 401") && answer.contains("The name or the password is wrong"),
        "{answer}"
    );
    assert_eq!(served.locked_pages(), before, "a wrong password is not kept");
    assert_eq!(
        served.machine.last_seen(),
        "auth 127.0.0.1 offhost",
        "what anybody can write into a header is not believed"
    );
    let answer = served.log_in(PASSWORD);
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert_eq!(
        served.locked_pages(),
        before + 1,
        "the right one is, on a page of its own"
    );
    let cookie = answer
        .split("set-cookie: ")
        .find(|rest| rest.starts_with("offhost-login="))
        .expect("it is set");
    let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap_or_default());
    let answer = inside(&cookie);
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("inside"),
        "{answer}"
    );
    // The account is made anew under the same name: that is somebody else.
    let anew = format!("userdel {USER} && useradd --no-create-home --uid 23742 --user-group {USER}");
    served.machine.sh(&anew).succeeded();
    wait_for("the log-in to end", LIMIT, || {
        // Each request is a line of the log, which nobody reads.
        std::thread::sleep(std::time::Duration::from_millis(500));
        inside(&cookie).starts_with("HTTP/1.1 303").then_some(())
    });
    wait_for("the password to be forgotten", LIMIT, || {
        (served.locked_pages() == before).then_some(())
    });
}

/// Proves: PM3 (L), PR1 (L)
#[test]
fn modules_learn_the_visitor_s_address_from_a_proxy_that_is_trusted() {
    if !may_run() {
        return;
    }
    let served = Served::new("TrustedProxies = 127.0.0.1/32");
    served.wait();
    let answer = served.log_in(PASSWORD);
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert_eq!(served.machine.last_seen(), "auth 203.0.113.9 offhost");
}
