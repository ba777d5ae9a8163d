//! Manifests that come, change, break and go while the server works.

use rustix::process::Signal;

use super::site::Site;
use super::{answers, may_run};
use crate::faults::place::LIMIT;
use crate::faults::wait_for;

#[test]
fn manifests_are_followed_and_a_broken_one_keeps_the_last_good_one() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    let server = site.start();
    assert_eq!(site.visit("hello").status, 404);
    site.app("hello", "python-api", &answers("hello"), "");
    site.visit_until("hello", 200);
    // A typing error.
    site.manifest("hello", "pathh: /elsewhere");
    let faults = || {
        let listed = site.run(&["apps", "list", "-o", "json"]).stdout;
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        listed["faults"].as_array().unwrap().clone()
    };
    let fault = wait_for("the fault", LIMIT, || faults().first().cloned());
    assert!(fault.as_str().unwrap().contains("unknown key 'pathh'"), "{fault}");
    assert_eq!(site.visit("hello").status, 200);
    assert!(site.metrics().contains("offhost_manifest_faults 1"));
    // Mended, at another path.
    site.manifest("hello", "path: /elsewhere");
    site.visit_until("hello", 404);
    assert!(faults().is_empty());
    std::fs::remove_file(site.manifest_path("hello")).unwrap();
    wait_for("its end", LIMIT, || {
        let listed = site.run(&["apps", "list", "-o", "json"]).stdout;
        listed.contains("\"apps\": []").then_some(())
    });
    site.place.assert_no_process_but_server();
    server.end();
    site.assert_gone();
}

#[test]
fn what_can_not_be_served_is_told_and_tried_again_when_asked() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    site.manifest("later", "");
    let server = site.start();
    let answer = site.visit_until("later", 503);
    assert!(
        !answer.body.contains("/var/tmp"),
        "no path is told: {}",
        answer.body
    );
    let shown = site.reaches("later", "Failed");
    let problem = shown["problem"].as_str().unwrap();
    assert!(
        problem.contains("/content/later") && problem.contains("name a directory"),
        "{problem}"
    );
    site.bundle("later", "python-api", &answers("later"));
    server.signal(Signal::HUP);
    assert_eq!(site.visit_until("later", 200).body, "later");
    server.end();
    site.assert_gone();
}

/// Proves: PK7 (L), RD3 (L)
#[test]
fn a_job_renders_what_an_application_serves_once() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    let page = [
        (
            "manifest.json",
            r#"{"version": 1, "metadata": {"appmode": "static", "primary_html": "index.html"}, "files": {}}"#,
        ),
        ("index.html", "<p>first</p>"),
    ];
    site.place.content("page", &page);
    site.manifest("page", "");
    let path = site.place.path("content/page");
    site.write_manifest(
        "touch",
        &format!(
            "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata: {{name: touch}}\nspec:\n  content: job\n  task: Run\n  bundle: {{path: {}}}\n  command: [cp, index.html, /opt/rstudio-connect/mnt/log/copy]\n",
            path.display()
        ),
    );
    let server = site.start();
    assert_eq!(site.visit_until("page", 200).body, "<p>first</p>");
    let done = || {
        let listed = site.run(&["apps", "list", "-o", "json"]).stdout;
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        listed["jobs"][0]["state"].as_str().map(str::to_owned)
    };
    wait_for("the job", LIMIT, || {
        (done().as_deref() == Some("Succeeded")).then_some(())
    });
    assert_eq!(site.jobs("job").len(), 1);
    server.end();
    let server = site.start();
    assert_eq!(done().as_deref(), Some("Succeeded"));
    assert_eq!(site.jobs("job").len(), 1, "it was run already");
    // What a manifest asks for after that is run.
    let text = std::fs::read_to_string(site.manifest_path("touch")).unwrap();
    site.write_manifest("touch", &text.replace("/copy", "/other"));
    wait_for("the other job", LIMIT, || {
        (site.jobs("job").len() == 2).then_some(())
    });
    server.end();
    site.assert_gone();
}
