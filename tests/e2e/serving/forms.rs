//! The form of a parameterised document on a cluster.

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::app::Way;
use crate::job::LATER;
use crate::release::{Release, shared};
use crate::{api, cluster};

const FORM: &str = "/content/asked/__offhost__/parameters";

/// Sends the answers to a form: each a field, with `=` and a file's name behind it for a file. Gives the visitor's cookie and
/// the address of the result that they have asked for.
fn ask(gateway: &Way, address: &str, answers: &[(&str, &str)]) -> (String, String) {
    let form = gateway.get(address);
    assert_eq!(form.status, 200, "{form:?}");
    let cookie = form.cookies();
    let token = form.body.split("name=\"token\" value=\"").nth(1).unwrap();
    let token = token.split('"').next().unwrap();
    let mut body = String::new();
    for (name, value) in [("token", token)].iter().chain(answers) {
        let name = match name.split_once('=') {
            Some((name, file)) => format!("\"{name}\"; filename=\"{file}\""),
            None => format!("\"{name}\""),
        };
        write!(
            body,
            "--part\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n"
        )
        .unwrap();
    }
    body.push_str("--part--\r\n");
    let length = body.len();
    let headers =
        format!("{cookie}Content-Type: multipart/form-data; boundary=part\r\nContent-Length: {length}\r\n");
    let answer = gateway.request("POST", address, &headers, &body);
    assert_eq!(answer.status, 303, "{answer:?}");
    let place = answer.header("location").next().unwrap().to_owned();
    (cookie, place)
}

/// Proves: PK6 (P), OH1 (P)
#[test]
fn each_visitor_renders_with_their_own_parameters_and_sees_only_that() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let spec = json!({"content": "asked", "bundle": {"path": "report"}});
    let app = release.try_app("asked", &spec).unwrap();
    let gateway = release.gateway();
    gateway.until(FORM, |answer| answer.status == 200);
    let visitors = [("1", "south"), ("2", "west")].map(|(place, region)| {
        // Year, region by its place among the choices, day, details.
        let answers = [
            ("p0", "2024"),
            ("p1", place),
            ("p2", "2024-12-31"),
            ("p3", "true"),
        ];
        (ask(&gateway, FORM, &answers), region)
    });
    for ((cookie, place), region) in &visitors {
        let words = format!("The <strong>{region}</strong> region sold");
        gateway.until_so(LATER, place, cookie, |answer| answer.body.contains(&words));
        let list = gateway.ask(FORM, cookie);
        assert!(list.body.contains(place.as_str()), "{list:?}");
        assert_eq!(gateway.get(place).status, 404, "who is unknown");
    }
    let [((ann, hers), _), ((bob, his), _)] = &visitors;
    assert_eq!(gateway.ask(his, ann).status, 404);
    assert_eq!(gateway.ask(hers, bob).status, 404);
    let jobs = api::list(&api::jobs(&release.namespace));
    let made = jobs
        .iter()
        .filter(|job| job["metadata"]["labels"]["offhost.dev/visitor-result"].is_string());
    let made = made.filter(|job| job["spec"]["content"] == "asked");
    let owners: Vec<&str> = made
        .map(|job| job["metadata"]["ownerReferences"][0]["name"].as_str().unwrap())
        .collect();
    assert_eq!(owners, ["asked", "asked"]);
    assert_eq!(app.get()["status"]["bundle"], "1");
}

const PASSWORD: &str = "correct horse battery staple 4711";
const ROW: &str = "canary of the file";

const REPORT: &str = r#"---
title: Given
output: html_document
params:
  key: {value: none, input: password}
  table: {value: "", input: file}
---

The key is `r toupper(params$key)`, and row `r paste(nrow(read.csv(params$table)))` of `r basename(params$table)` is
`r toupper(tail(read.csv(params$table)$x, 1))`.
"#;

/// Files of the volume with something of what was given.
fn holding(release: &Release) -> String {
    let found = cluster::try_run(
        Command::new("grep")
            .args(["--recursive", "--files-with-matches", "--text", "--fixed-strings"])
            .args(["--regexp", PASSWORD, "--regexp", ROW])
            .arg(&release.data),
    );
    String::from_utf8(found.stdout).unwrap()
}

/// Proves: PK6 (P), OH1 (P), OH3 (P)
#[test]
fn passwords_and_files_reach_the_render_alone_and_stay_nowhere() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let manifest = json!({
        "version": 1, "platform": "4.2.2", "packages": {}, "files": {"given.Rmd": {"checksum": ""}},
        "metadata": {"appmode": "rmd-static", "primary_rmd": "given.Rmd"},
    });
    release.bundle(
        "given",
        &[("given.Rmd", REPORT), ("manifest.json", &manifest.to_string())],
    );
    let spec = json!({"content": "given", "bundle": {"path": "given"}});
    let _app = release.try_app("given", &spec).unwrap();
    let gateway = release.gateway();
    let form = FORM.replace("asked", "given");
    gateway.until(&form, |answer| answer.status == 200);
    // More than goes over the link at once.
    let table = format!("x\n{}{ROW}\n", "some words\n".repeat(30_000));
    let answers = [("p0", PASSWORD), ("p1=my table.csv", table.as_str())];
    let (cookie, place) = ask(&gateway, &form, &answers);
    let words = PASSWORD.to_uppercase();
    let result = gateway.until_so(LATER, &place, &cookie, |answer| answer.body.contains(&words));
    for words in ["row 30001", "p1-my_table.csv is", &ROW.to_uppercase()] {
        assert!(result.body.contains(words), "{words}: {result:?}");
    }
    let list = gateway.ask(&form, &cookie);
    assert!(
        list.body.contains("my table.csv") && !list.body.contains(PASSWORD),
        "{list:?}"
    );
    let namespace = &release.namespace;
    let job = api::list(&api::jobs(namespace))
        .into_iter()
        .find(|job| job["spec"]["content"] == "given")
        .unwrap();
    assert!(
        job["metadata"]["annotations"]["offhost.dev/given"].is_string(),
        "{job}"
    );
    // The result is served a moment before its job has ended.
    let begun = Instant::now();
    let kept = || {
        std::fs::read_dir(release.data.join("serve/given"))
            .unwrap()
            .count()
    };
    while (!holding(release).is_empty() || kept() > 0) && begun.elapsed() < LATER {
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!((holding(release).as_str(), kept()), ("", 0));
    let mut told = release.told();
    for kind in ["pods", "events"] {
        told.push_str(&json!(api::list(&api::core(namespace, kind))).to_string());
    }
    told.push_str(&json!(api::list(&api::jobs(namespace))).to_string());
    for secret in [PASSWORD, ROW, "my_table"] {
        assert!(!told.contains(secret), "{secret}");
    }
}
