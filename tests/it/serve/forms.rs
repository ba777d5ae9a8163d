//! Parameterised documents: what visitors answer is rendered for them alone.

use std::os::unix::fs::symlink;
use std::path::Path;

use super::may_run;
use super::site::{Answer, Site};
use crate::faults::place::LIMIT;
use crate::faults::wait_for;
use crate::repository;
use crate::support::needs;

const PASSWORD: &str = "correct horse battery staple 4711";

const REPORT: &str = r#"---
title: Sales
output: html_document
params:
  year: 2024
  region:
    label: "Region <script>alert(1)</script>"
    value: north
    input: select
    choices: [north, south]
  kinds: {value: [a], input: select, multiple: true, choices: [a, b, c]}
  until: !r as.Date("2024-12-31")
  deep: true
  rate: {value: 0.5, input: slider, min: 0, max: 1}
  secret: {value: none, input: password}
  data: {value: "", input: file}
  who: !r Sys.info()[["user"]]
---

```{r, echo=FALSE, comment=""}
given <- params[setdiff(names(params), c("secret", "data"))]
for (name in names(given)) cat(name, "is", class(given[[name]])[1], paste(format(given[[name]]), collapse = " "), "\n")
cat("secret has", nchar(params$secret), "letters\n")
if (nzchar(params$data)) cat(basename(params$data), "has", read.csv(params$data)$x[2], "\n")
```
"#;

/// A browser at a document.
struct Browser<'a> {
    site: &'a Site,
    path: String,
    cookie: String,
    token: String,
}

impl<'a> Browser<'a> {
    /// Opens the form.
    fn open(site: &'a Site, name: &str) -> Self {
        let path = format!("/content/{name}/__offhost__");
        let form = site.ask("GET", &format!("{path}/parameters"), "Accept: text/html\r\n", b"");
        assert_eq!(form.status, 200, "{}", form.body);
        let token = form.body.split("name=\"token\" value=\"").nth(1);
        Self {
            site,
            path,
            cookie: form.cookie().expect("it is known from now on"),
            token: token.unwrap().split('"').next().unwrap().to_owned(),
        }
    }

    fn get(&self, below: &str) -> Answer {
        let head = format!("Accept: text/html\r\nCookie: {}\r\n", self.cookie);
        self.site.ask("GET", &format!("{}{below}", self.path), &head, b"")
    }

    fn send_with(&self, head: &str, answers: &[(&str, &str)]) -> Answer {
        let mut body = String::new();
        for (name, value) in [("token", self.token.as_str())].iter().chain(answers) {
            let (name, file) = name
                .split_once('=')
                .map_or((*name, String::new()), |(name, file)| {
                    (name, format!("; filename=\"{file}\""))
                });
            body +=
                &format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{value}\r\n");
        }
        body += "--B--\r\n";
        let head = format!(
            "Accept: text/html\r\nCookie: {}\r\nContent-Type: multipart/form-data; boundary=B\r\n{head}",
            self.cookie
        );
        self.site.ask(
            "POST",
            &format!("{}/parameters", self.path),
            &head,
            body.as_bytes(),
        )
    }

    /// Sends the form and gives where its result is, below the reserved path.
    #[track_caller]
    fn send(&self, answers: &[(&str, &str)]) -> String {
        let sent = self.send_with("", answers);
        assert_eq!(sent.status, 303, "{}", sent.body);
        let location = sent.field("location").unwrap();
        location.strip_prefix(&self.path).unwrap().to_owned()
    }

    /// The result, once it is made.
    #[track_caller]
    fn result(&self, below: &str) -> Answer {
        wait_for("the result", LIMIT * 10, || {
            let answer = self.get(below);
            assert!(
                matches!(answer.status, 200 | 202),
                "{} {}",
                answer.body,
                self.site.log()
            );
            std::thread::sleep(std::time::Duration::from_millis(100));
            (answer.status == 200).then_some(answer)
        })
    }
}

fn take_interpreter(site: &Site, name: &str, real: &str) {
    let path = site.place.path("interpreters").join(name);
    std::fs::remove_file(&path).unwrap();
    symlink(real, path).unwrap();
}

fn report(site: &Site, text: &str) {
    take_interpreter(site, "R", "/usr/bin/R");
    site.place.content("sales", &[("report.Rmd", text)]);
    site.manifest("sales", "");
}

/// The files below a directory that hold a text.
fn holding(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(holding(&path, text));
        } else if let Ok(bytes) = std::fs::read(&path)
            && bytes.windows(text.len()).any(|window| window == text.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
    found
}

const ANSWERS: [(&str, &str); 8] = [
    ("p0", "2025"),
    ("p1", "1"),
    ("p2", "0"),
    ("p2", "2"),
    ("p3", "2025-02-28"),
    ("p5", "0.25"),
    ("p6", ""),
    ("p8", ""),
];

/// Proves: PK3 (L), PK6 (L), RD2 (L), RD4 (L)
#[test]
fn a_visitor_gets_a_result_of_their_own() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    report(&site, REPORT);
    let server = site.start();
    // Nothing has rendered it yet, so that people come to the form.
    let first = site.visit_until("sales", 302);
    assert_eq!(
        first.field("location"),
        Some("/content/sales/__offhost__/parameters")
    );
    let ann = Browser::open(&site, "sales");
    let form = ann.get("/parameters");
    assert!(form.body.contains("Region &lt;script&gt;") && !form.body.contains("<script>alert"));
    assert!(
        form.field("content-security-policy")
            .unwrap()
            .contains("form-action 'self'")
    );

    // What is wrong is told, and what was right stays; but for a password.
    let wrong = ann.send_with(
        "",
        &[
            ("p0", "many"),
            ("p1", "1"),
            ("p3", "2025-02-28"),
            ("p6", PASSWORD),
        ],
    );
    assert_eq!(wrong.status, 422);
    for text in [
        "is no number",
        "aria-invalid=\"true\"",
        "value=\"many\"",
        "<option value=\"1\" selected>south",
    ] {
        assert!(wrong.body.contains(text), "{text}: {}", wrong.body);
    }
    assert!(!wrong.body.contains(PASSWORD));

    let below = ann.send(&ANSWERS);
    let bob = Browser::open(&site, "sales");
    for stranger in [
        &bob.get(&below),
        &site.ask("GET", &format!("{}{below}", ann.path), "", b""),
    ] {
        assert_eq!(stranger.status, 404, "{}", stranger.body);
    }
    let result = ann.result(&below);
    for text in [
        "year is integer 2025",
        "region is character south",
        "kinds is character a c",
        "until is Date 2025-02-28",
        "deep is logical FALSE",
        "rate is numeric 0.25",
        "who is character rstudio-connect",
        "secret has 4 letters",
    ] {
        assert!(result.body.contains(text), "{text}: {}", result.body);
    }
    assert_eq!(result.field("cache-control"), Some("private, no-cache"));
    assert_eq!(bob.get(&below).status, 404);
    assert_eq!(ann.send(&ANSWERS), below, "the same answers have one result");
    assert_ne!(bob.send(&ANSWERS), below, "of one visitor");
    // What the document itself is served as has not changed.
    assert_eq!(site.visit("sales").status, 302);
    let list = ann.get("/parameters").body;
    assert!(
        list.contains("Your results") && list.contains("year: 2025"),
        "{list}"
    );

    // It is there after a restart, and nobody else's.
    server.end();
    let server = site.start();
    site.visit_until("sales", 302);
    assert!(ann.get(&below).body.contains("year is integer 2025"));
    assert_eq!(bob.get(&below).status, 404);
    server.end();
    site.assert_gone();
}

/// Proves: PK6 (L)
#[test]
fn passwords_and_files_reach_the_render_and_stay_nowhere() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    report(&site, REPORT);
    let server = site.start();
    site.visit_until("sales", 302);
    let ann = Browser::open(&site, "sales");
    let answers = [
        &ANSWERS[..6],
        &[("p6", PASSWORD), ("p7=my figures.csv", "x\n1\n42\n")],
    ]
    .concat();
    let below = ann.send(&answers);
    let result = ann.result(&below);
    for text in [
        format!("secret has {} letters", PASSWORD.len()),
        "p7-my_figures.csv has 42".to_owned(),
    ] {
        assert!(result.body.contains(&text), "{text}: {}", result.body);
    }
    assert_ne!(
        ann.send(&answers),
        below,
        "nothing is kept by which a password is known again"
    );
    let listed = ann.get("/parameters").body;
    assert!(
        listed.contains("data: my figures.csv") && !listed.contains("secret:"),
        "{listed}"
    );
    wait_for("the second", LIMIT, || {
        let jobs = site.jobs("sales");
        (jobs.len() == 2 && jobs.iter().all(|job| job["record"]["state"] == "succeeded")).then_some(())
    });
    for place in ["data", "temp", "config"] {
        assert_eq!(holding(&site.place.path(place), PASSWORD), [""; 0]);
    }
    let jobs = site.run(&["content", "jobs", "sales", "-o", "json"]).stdout;
    assert!(!jobs.contains(PASSWORD) && !site.log().contains(PASSWORD));
    server.end();
    site.assert_gone();
}

/// Proves: PK6 (L)
#[test]
fn no_other_site_sends_the_form_and_no_large_body_is_read() {
    if !may_run() {
        return;
    }
    let site = Site::new("[Applications]\nParameterResultLimit = 2\n");
    report(
        &site,
        "---\nparams: {a: 1}\noutput: html_document\n---\n\n`r if (params$a > 9) stop(params$a) else params$a`\n",
    );
    let server = site.start();
    site.visit_until("sales", 302);
    let ann = Browser::open(&site, "sales");
    let foreign = ann.send_with("Origin: http://evil.example\r\n", &[("p0", "1")]);
    assert_eq!(foreign.status, 403, "{}", foreign.body);
    let bob = Browser::open(&site, "sales");
    let stolen = Browser {
        cookie: bob.cookie.clone(),
        ..Browser::open(&site, "sales")
    };
    let shown = stolen.send_with("", &[("p0", "2")]);
    assert_eq!(shown.status, 422, "another's token");
    assert!(
        shown.body.contains("open for too long") && shown.body.contains("value=\"2\""),
        "{}",
        shown.body
    );
    let large = ann.send_with("", &[("p0", &"1".repeat(3 << 20))]);
    assert_eq!(large.status, 413, "{}", large.body);
    for (head, body, status) in [
        ("Content-Type: text/plain\r\n", "x", 400),
        ("Content-Type: multipart/form-data; boundary=B\r\n", "x", 400),
    ] {
        let path = format!("{}/parameters", ann.path);
        assert_eq!(site.ask("POST", &path, head, body.as_bytes()).status, status);
    }
    assert_eq!(
        site.ask("DELETE", &format!("{}/parameters", ann.path), "", b"")
            .status,
        405
    );
    assert_eq!(ann.get("/variants/").status, 404);
    assert_eq!(ann.get("/variants/..%2f..%2fdefault/").status, 404);
    assert_eq!(site.jobs("sales").len(), 0);

    // A failure is told without its output.
    let failed = ann.send(&[("p0", "10")]);
    let failed = wait_for("the failure", LIMIT, || {
        let answer = ann.get(&failed);
        (answer.status == 500).then_some(answer)
    });
    assert!(
        failed.body.contains("could not be made") && failed.body.contains("/__offhost__/parameters"),
        "{}",
        failed.body
    );
    // The oldest gives way.
    let first = ann.send(&[("p0", "1")]);
    assert!(ann.result(&first).body.contains("<p>1</p>"));
    let second = ann.send(&[("p0", "2")]);
    ann.result(&second);
    ann.result(&first);
    ann.result(&ann.send(&[("p0", "3")]));
    assert_eq!(ann.get(&first).status, 404);
    let id = first.split('/').nth(2).unwrap();
    assert!(!site.place.path("data/reports/v2/sales").join(id).exists());
    assert!(
        site.place
            .path("data/reports/v2/sales")
            .join(second.split('/').nth(2).unwrap())
            .exists()
    );
    server.end();
    site.assert_gone();
}

/// Proves: PK3 (L), PK6 (L)
#[test]
fn a_notebook_asks_for_its_parameters_too() {
    if !may_run() || !needs("OFFHOST_TEST_NETWORK", "packages come from pip's default index") {
        return;
    }
    let site = Site::new("");
    take_interpreter(&site, "python3", "/usr/bin/python3");
    let source = repository::root().join("examples/notebook");
    let text = |name: &str| std::fs::read_to_string(source.join(name)).unwrap();
    let files =
        ["manifest.json", "notebook.ipynb", "requirements.txt", "sales.csv"].map(|name| (name, text(name)));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    site.place.content("nb", &files);
    site.manifest("nb", "");
    let server = site.start();
    site.visit_until("nb", 302);
    let ann = Browser::open(&site, "nb");
    let form = ann.get("/parameters").body;
    assert!(form.contains(">year<") && form.contains(">region<"), "{form}");
    let below = ann.send(&[("p0", "2025"), ("p1", "west")]);
    let result = ann.result(&below);
    assert!(result.body.contains("west 2025: "), "{}", result.body);
    server.end();
    site.assert_gone();
}

/// Proves: PK6 (L)
#[test]
fn who_has_logged_in_finds_their_results_with_every_browser() {
    if !may_run() {
        return;
    }
    let site = Site::new("[Authentication]\nProvider = proxy\n[ProxyAuth]\nFrom = 127.0.0.1\n");
    report(
        &site,
        "---\nparams: {a: 1}\noutput: html_document\n---\n\n`r params$a`\n",
    );
    let server = site.start();
    site.visit_until("sales", 302);
    let browser = Browser::open(&site, "sales");
    let sent = browser.send_with("X-Auth-Username: ann\r\n", &[("p0", "7")]);
    let below = sent.field("location").unwrap().to_owned();
    let sees = |user: &str, cookie: &str| {
        let head = format!("Accept: text/html\r\nCookie: {cookie}\r\n{user}");
        site.ask("GET", &below, &head, b"").status
    };
    wait_for("the result", LIMIT, || {
        (sees("X-Auth-Username: ann\r\n", "") == 200).then_some(())
    });
    assert_eq!(sees("X-Auth-Username: bob\r\n", &browser.cookie), 404);
    assert_eq!(sees("", &browser.cookie), 404, "after log-out");
    server.end();
    site.assert_gone();
}

/// Proves: PK6 (L)
#[test]
fn a_killed_server_leaves_nothing_of_what_was_answered() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    report(
        &site,
        "---\nparams:\n  a: {value: x, input: password}\noutput: html_document\n---\n\n```{r}\nSys.sleep(600)\n```\n",
    );
    let server = site.start();
    site.visit_until("sales", 302);
    let ann = Browser::open(&site, "sales");
    let below = ann.send(&[("p0", PASSWORD)]);
    let data = site.place.path("data");
    wait_for("the render", LIMIT, || {
        (!holding(&data, PASSWORD).is_empty()).then_some(())
    });
    assert_eq!(ann.get(&below).status, 202);
    server.kill();
    let server = site.start();
    site.visit_until("sales", 302);
    assert_eq!(holding(&data, PASSWORD), [""; 0]);
    assert_eq!(ann.get(&below).status, 404, "nobody makes it any more");
    let id = below.split('/').nth(2).unwrap();
    assert!(!data.join("reports/v2/sales").join(id).exists());
    server.end();
    site.assert_gone();
}
