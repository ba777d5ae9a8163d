//! Visitors who have logged in with accounts of this machine, each with processes that run as theirs. The accounts are made
//! for the test, and removed in any case.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::site::{Answer, Site};
use crate::faults::place::{LIMIT, write};
use crate::faults::wait_for;
use crate::support::needs;

const PASSWORD: &str = "p&=+ %\"'<x";

/// Accounts and groups of this test alone.
struct People {
    mark: String,
    service: PathBuf,
}

fn system(words: &[&str]) -> bool {
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn said(words: &[&str]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

impl People {
    /// `run` for everybody; `ana` and `ben` in the shared group, `ana` in `deny` as well; `out` outside.
    fn make() -> Self {
        let mark = format!("oh{}", std::process::id());
        let service = PathBuf::from(format!("/etc/pam.d/{mark}"));
        let people = Self { mark, service };
        let (shared, deny) = (people.name("shared"), people.name("deny"));
        for group in [&shared, &deny] {
            assert!(system(&["groupadd", group]), "{group}");
        }
        let both = format!("{shared},{deny}");
        let add = |name: &str, groups: &str| {
            let name = people.name(name);
            let words = [
                "useradd",
                "--no-create-home",
                "--user-group",
                "--groups",
                groups,
                &name,
            ];
            assert!(system(&words), "{name}");
            let mut child = Command::new("chpasswd").stdin(Stdio::piped()).spawn().unwrap();
            let line = format!("{name}:{PASSWORD}\n");
            child.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
            assert!(child.wait().unwrap().success());
        };
        add("run", &shared);
        add("ana", &both);
        add("ben", &shared);
        add("out", &deny);
        let stack = "auth required pam_unix.so\naccount required pam_unix.so\n";
        std::fs::write(&people.service, stack).unwrap();
        people
    }

    fn name(&self, name: &str) -> String {
        format!("{}{name}", self.mark)
    }
}

impl Drop for People {
    fn drop(&mut self) {
        for name in ["run", "ana", "ben", "out"] {
            system(&["userdel", &self.name(name)]);
            system(&["groupdel", &self.name(name)]);
        }
        for group in ["shared", "deny"] {
            system(&["groupdel", &self.name(group)]);
        }
        let _ = std::fs::remove_file(&self.service);
    }
}

/// A browser with its cookies.
struct Browser<'a> {
    site: &'a Site,
    jar: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    fn new(site: &'a Site) -> Self {
        Self {
            site,
            jar: Vec::new(),
        }
    }

    fn ask(&mut self, first: &str, fields: &str, body: &str) -> Answer {
        let pairs: Vec<String> = self
            .jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let request = format!(
            "{first} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\n\
             Cookie: {}\r\n{fields}Content-Length: {}\r\n\r\n{body}",
            pairs.join("; "),
            body.len()
        );
        let mut stream = TcpStream::connect(("127.0.0.1", self.site.port())).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = Vec::new();
        stream.read_to_end(&mut text).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        for line in head.lines() {
            if let Some(cookie) = line.to_lowercase().strip_prefix("set-cookie:") {
                let cookie = &line[line.len() - cookie.len()..];
                let (pair, _) = cookie.split_once(';').unwrap();
                let (name, value) = pair.trim().split_once('=').unwrap();
                self.jar.retain(|(other, _)| other != name);
                self.jar.push((name.to_owned(), value.to_owned()));
            }
        }
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    fn get(&mut self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "", "")
    }

    fn log_in(mut self, user: &str) -> Self {
        let page = self.get("/__offhost__/login?return=/").body;
        let value = |name: &str| {
            let field = format!("name=\"{name}\" value=\"");
            let (_, rest) = page.split_once(&field).unwrap_or_else(|| panic!("{page}"));
            rest.split_once('"').unwrap().0.to_owned()
        };
        let encoded = |text: &str| {
            text.bytes()
                .map(|byte| format!("%{byte:02X}"))
                .collect::<String>()
        };
        let body = format!(
            "user={}&password={}&token={}&return={}",
            encoded(user),
            encoded(PASSWORD),
            value("token"),
            encoded(&value("return"))
        );
        let fields = "Origin: http://127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n";
        let answer = self.ask("POST /__offhost__/login", fields, &body);
        assert_eq!(answer.status, 303, "{user}: {}\n{}", answer.body, self.site.log());
        self
    }

    /// Asks until the process answers: a page that waits is not the answer.
    fn of_process(&mut self, path: &str) -> Vec<String> {
        wait_for(path, LIMIT, || {
            let answer = Browser {
                site: self.site,
                jar: self.jar.clone(),
            }
            .get(path);
            if answer.status == 200 {
                return Some(answer.body.split('|').map(str::to_owned).collect());
            }
            assert_eq!(answer.status, 503, "{}\n{}", answer.body, self.site.log());
            std::thread::sleep(Duration::from_millis(100));
            None
        })
    }
}

const CODE: &str = r#"
def told(path):
    if path.endswith('/write'):
        os.makedirs('made', exist_ok=True)
        open('made/visits', 'a').write(os.environ['USER'] + ' ')
    try:
        denied = open(DENIED).read()
    except PermissionError:
        denied = 'no'
    try:
        visits = open('made/visits').read()
    except FileNotFoundError:
        visits = ''
    groups = ' '.join(map(str, sorted(set(os.getgroups()) | {os.getgid()})))
    return '|'.join([str(os.getuid()), groups, denied, os.environ['USER'], visits, KEY])
KEY = str(time.time_ns())
serve(told)
"#;

fn id(words: &[&str], name: &str) -> String {
    let mut all = vec!["id"];
    all.extend(words);
    all.push(name);
    let mut ids: Vec<u32> = said(&all).split(' ').map(|id| id.parse().unwrap()).collect();
    ids.sort_unstable();
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    ids.join(" ")
}

/// Proves: CU1 (L), CU2 (L), CU3 (L), RA2 (L), RA3 (L), RA6 (L), AP1 (L)
#[test]
fn visitors_who_log_in_get_processes_of_their_own_accounts() {
    if !needs(
        "OFFHOST_TEST_ROOT",
        "it makes accounts, and starts content as them",
    ) {
        return;
    }
    let people = People::make();
    let (run, ana, ben, out) = (
        people.name("run"),
        people.name("ana"),
        people.name("ben"),
        people.name("out"),
    );
    let (shared, deny) = (people.name("shared"), people.name("deny"));
    let settings = format!(
        "[Applications]\nRunAs = {run}\nSharedRunAsUnixGroup = {shared}\nRunAsCurrentUser = true\n\
         [Authentication]\nProvider = pam\n[PAM]\nService = {}\n[Scheduler]\nIdleTimeout = 600s",
        people.mark
    );
    let site = Site::new(&settings);
    let denied = site.place.path("denied");
    write(&denied, "yes", 0o604);
    assert!(system(&["chgrp", &deny, denied.to_str().unwrap()]));
    let code = format!("DENIED = {:?}\n{CODE}", denied.display().to_string());
    site.app("ledger", "python-dash", &code, "runAsCurrentUser: true");
    site.app(
        "api",
        "python-api",
        "serve(lambda path: 'no')",
        "runAsCurrentUser: true",
    );
    let server = site.start();
    let path = "/content/ledger/";
    let anybody = Browser::new(&site).of_process(path);
    assert_eq!(
        anybody[..4],
        [&id(&["-u"], &run), &id(&["-G"], &run), "yes", &run]
    );
    let mut first = Browser::new(&site).log_in(&ana);
    let of_ana = first.of_process(&format!("{path}write"));
    assert_eq!(of_ana[..4], [&id(&["-u"], &ana), &id(&["-G"], &ana), "no", &ana]);
    let mut second = Browser::new(&site).log_in(&ben);
    let of_ben = second.of_process(&format!("{path}write"));
    assert_eq!(of_ben[..4], [&id(&["-u"], &ben), &id(&["-G"], &ben), "yes", &ben]);
    // One directory for all of them, in which each can change what another has made.
    assert_eq!(of_ben[4], format!("{ana} {ben} "));
    let keys = [&anybody[5], &of_ana[5], &of_ben[5]];
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    assert_eq!(&first.of_process(path)[5], keys[1], "she stays at her process");
    let shown = site.show("ledger");
    let mut accounts: Vec<&str> = shown["processes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|process| process["account"].as_str().unwrap_or("-"))
        .collect();
    accounts.sort_unstable();
    assert_eq!(accounts, ["-", &ana, &ben]);
    // Who is outside the group is told so, and other kinds do not have it.
    let refused = Browser::new(&site).log_in(&out).get(path);
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert!(refused.body.contains("is not a member of"), "{}", refused.body);
    let problem = site.show("api")["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("only rmd-shiny"), "{problem}");
    let table = site
        .run(&["accounts", &ana, &out, "root", "--output", "json"])
        .succeeded();
    let table: serde_json::Value = serde_json::from_str(&table.stdout).unwrap();
    let may: Vec<bool> = (0..3)
        .map(|row| table[row]["currentUser"]["may"] == true)
        .collect();
    assert_eq!(may, [true, false, false], "{table}");
    changes(&site, &people, &mut first, &mut second);
    server.end();
    site.assert_gone();
}

/// What is done to accounts is seen by a server that runs.
fn changes(site: &Site, people: &People, first: &mut Browser<'_>, second: &mut Browser<'_>) {
    let (ana, ben) = (people.name("ana"), people.name("ben"));
    let path = "/content/ledger/";
    assert!(system(&["gpasswd", "--delete", &ana, &people.name("shared")]));
    let refused = |browser: &Browser<'_>, why: &str| {
        wait_for(why, LIMIT, || {
            let answer = Browser {
                site,
                jar: browser.jar.clone(),
            }
            .get(path);
            (answer.status == 403 && answer.body.contains(why)).then_some(())
        });
    };
    refused(first, "is not a member of");
    // Without her other group she is somebody else to every process.
    assert!(system(&["gpasswd", "--add", &ana, &people.name("shared")]));
    assert!(system(&["gpasswd", "--delete", &ana, &people.name("deny")]));
    wait_for("processes without the group", LIMIT, || {
        let answer = Browser {
            site,
            jar: first.jar.clone(),
        }
        .get(path);
        (answer.status == 200 && answer.body.split('|').nth(2) == Some("yes")).then_some(())
    });
    let before = site.show("ledger")["processes"].as_array().unwrap().len();
    // His process runs on; he gets no further.
    assert!(system(&["userdel", "--force", &ben]));
    refused(second, "is not known to this machine");
    assert_eq!(site.show("ledger")["processes"].as_array().unwrap().len(), before);
    // Others could have written it: what was in force stays.
    let manifest = site.manifest_path("ledger");
    let text = std::fs::read_to_string(&manifest).unwrap();
    write(&manifest, &format!("{text}  maxProcesses: 5\n"), 0o666);
    wait_for("the manifest to be refused", LIMIT, || {
        let shown = site.show("ledger");
        let problem = shown["problem"].as_str()?;
        problem.contains("administrators alone decide").then_some(())
    });
    assert_eq!(Browser::new(site).get(path).status, 200);
}
