//! `offhost settings`, `runtimes` and `path`.

use serde_json::Value;

use super::place::{Call, OFFHOST, Place};
use crate::repository::root;
use crate::support::needs;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Proves: CN1 (L)
#[test]
fn each_setting_says_where_it_comes_from() {
    let mut place = Place::new();
    place.configure("[Postgres]\nPassword = hunter2\n[Smtp]\nHost = mail");
    let settings = |form: &str| {
        place
            .offhost(["settings", "-o", form])
            .env("OFFHOST_SANDBOX_MEMORYLIMIT", "5 MB")
            .env("OFFHOST_POSTGRES_URL", "postgres://me:hunter3@db/x")
            .go()
    };
    let text = settings("text");
    let lines: Vec<String> = text
        .succeeded()
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let file = place.text("etc/offhost.gcfg");
    for expected in [
        "SETTING VALUE FROM".to_owned(),
        format!("Server.DataDir {} {file}:2", place.text("data")),
        "Sandbox.MemoryLimit 5 MB variable OFFHOST_SANDBOX_MEMORYLIMIT".to_owned(),
        "Applications.RunAs rstudio-connect default".to_owned(),
        format!("Postgres.Password (set) {file}:11"),
        "Postgres.URL postgres://me:(set)@db/x variable OFFHOST_POSTGRES_URL".to_owned(),
    ] {
        assert!(lines.contains(&expected), "{expected:?} is not in {lines:#?}");
    }
    assert!(
        text.stderr.contains("sections not used by this system: [SMTP]"),
        "{}",
        text.stderr
    );
    let all = settings("json");
    let all = json(&all.succeeded().stdout);
    let rows = all["settings"].as_array().unwrap();
    let find = |section: &str, key: &str| {
        rows.iter()
            .find(|row| row["section"] == section && row["key"] == key)
            .unwrap()
    };
    assert_eq!(find("Server", "DataDir")["origin"]["line"], 2);
    assert_eq!(find("Server", "DataDir")["origin"]["path"], file.as_str());
    assert_eq!(
        find("Sandbox", "MemoryLimit")["origin"]["name"],
        "OFFHOST_SANDBOX_MEMORYLIMIT"
    );
    assert_eq!(find("Applications", "RunAs")["origin"]["from"], "default");
    assert!(!format!("{all}{text:?}").contains("hunter"), "{all}");
}

/// Proves: EX1 (L), EX2 (L)
#[test]
fn interpreters_are_listed_with_what_was_left_out() {
    let mut place = Place::new();
    let second = place.program("opt/1.5/quarto", "#!/bin/sh\necho 1.5.57\n");
    place.configure(&format!(
        "[Quarto]\nExecutable = {}\n[R]\nEnabled = false\n",
        second.display()
    ));
    let list = |form: &str| place.offhost(["runtimes", "list", "-o", form]).go();
    let text = list("text");
    let rows: Vec<Vec<&str>> = text
        .succeeded()
        .stdout
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let first = place.text("bin/quarto");
    assert_eq!(
        rows,
        [
            ["RUNTIME", "LANGUAGE", "VERSION", "PATH"],
            ["local", "Quarto", "1.4.553", &first],
            ["local", "Quarto", "1.5.57", second.to_str().unwrap()],
        ]
    );
    let parsed = json(&list("json").stdout);
    assert_eq!(
        parsed["runtimes"][0]["installations"]["quarto"][1]["version"],
        "1.5.57"
    );
    place.program("path/python3", "#!/bin/sh\necho broken >&2\nexit 3\n");
    let call = place.offhost(["runtimes", "list"]);
    let outcome = call
        .env("OFFHOST_PYTHON_ENABLED", "true")
        .env("OFFHOST_PYTHON_EXECUTABLESCANNING", "false")
        .env("PATH", &place.text("path"))
        .go();
    let said = &outcome.succeeded().stderr;
    assert!(said.contains("path/python3 is left out: "), "{said}");
}

/// Proves: EX3 (P), EX5 (P), PK9 (P)
#[test]
fn the_choice_of_an_image_explains_itself_for_every_bundle() {
    let place = Place::new();
    let images = root().join("runtimes.yaml");
    let bundles = root().join("tests/fixtures/bundles");
    for entry in std::fs::read_dir(&bundles).unwrap() {
        let bundle = entry.unwrap().path();
        if !bundle.is_dir() {
            continue;
        }
        let matched = |form: &str| {
            let mut call = place.offhost(["runtimes", "match", "-o", form, "--runtimes"]);
            call.arguments([&images, &bundle]).go()
        };
        let (text, parsed) = (matched("text"), matched("json"));
        let rows = json(&parsed.stdout);
        let rows = rows.as_array().unwrap();
        assert_eq!(rows.len(), 3, "each candidate is told\n{text:?}");
        let count = |chosen| rows.iter().filter(|row| row["chosen"] == chosen).count();
        let unmet =
            ["nodejs", "tensorflow", "requires"].contains(&bundle.file_name().unwrap().to_str().unwrap());
        assert_eq!(count(true), usize::from(!unmet), "{text:?}");
        let expected = if unmet { 65 } else { 0 };
        assert_eq!(
            (text.code, parsed.code),
            (Some(expected), Some(expected)),
            "{text:?}"
        );
        let verdicts = ["chosen ", "fits   ", "no     "];
        let told = text
            .stdout
            .lines()
            .filter(|line| verdicts.iter().any(|verdict| line.starts_with(verdict)));
        assert_eq!(told.count(), 3, "{text:?}");
    }
}

/// Proves: PW1 (L), PW2 (L)
#[test]
fn paths_are_translated_both_ways() {
    let place = Place::new();
    let data = place.text("data");
    let pairs = [
        ("apps/sales/3/a.R", "apps/XX/YY/a.R", "app/a.R"),
        (
            "reports/v2/sales/3/temp.render.k/a.R",
            "apps/XX/YY/a.R",
            "app/a.R",
        ),
        (
            "reports/v2/sales/default/7/a",
            "reports/v2/XX/VV/RR/a",
            "report/a",
        ),
        ("R/4.2.2/x", "R/4.2.2/x", "R/4.2.2/x"),
        ("packrat/4.2.2/v2", "packrat/4.2.2/v2", "packrat/4.2.2/v2"),
        (
            "python-environments/pip",
            "python-environments/pip",
            "python-environments/pip",
        ),
    ];
    let translate = |path: &str, more: &[&str]| {
        let mut call = place.offhost(["path", path]);
        let outcome = call.arguments(more).go();
        outcome.succeeded().stdout.trim_end().to_owned()
    };
    for (outside, back, inside) in pairs {
        let inside = format!("/opt/rstudio-connect/mnt/{inside}");
        assert_eq!(translate(&format!("{data}/{outside}"), &[]), inside);
        assert_eq!(translate(&inside, &[]), format!("{data}/{back}"));
    }
    assert_eq!(
        translate("/opt/rstudio-connect/mnt/app", &["--content", "sales"]),
        format!("{data}/apps/sales/YY")
    );
    for wrong in ["/etc/passwd", "relative", &data] {
        place
            .offhost(["path", wrong])
            .go()
            .refused(65, &[wrong, "no process sees it", &data]);
    }
    let unknown = place
        .offhost(["path", "--job", "gone", "/opt/rstudio-connect/mnt/app"])
        .go();
    unknown.refused(65, &["'gone'", "jobs"]);
}

/// Proves: PW2 (L)
#[test]
fn a_log_of_a_job_is_translated_line_by_line() {
    if !needs("OFFHOST_TEST_ROOT", "it runs a job as another account") {
        return;
    }
    let place = Place::new();
    let job = place.shell_job(
        "pwd -P; echo \"see $PWD/data.txt, ok\"; echo $CONNECT_CONTENT_JOB_KEY",
        "",
    );
    let run = place.offhost(["run".as_ref(), job.as_os_str()]).go();
    let key = run.succeeded().last_line();
    assert!(
        run.stderr.contains(&format!("job {key} of script succeeded")),
        "{run:?}"
    );
    let copy = format!("{}/reports/v2/script/1/temp.render.{key}", place.text("data"));
    let log = place.path(&format!("data/jobs/script/{key}/task.log"));
    let log = std::fs::read(log).unwrap();
    assert_eq!(String::from_utf8_lossy(&log), run.stdout);
    let mut bytes = log.clone();
    bytes.extend(b"\xff not text\nand no end");
    let call = place.offhost(["path", "--job", key, "-"]).input(&bytes);
    let translated = { call }.go();
    let lossy = String::from_utf8_lossy(b"\xff not text\nand no end").into_owned();
    assert_eq!(
        translated.succeeded().stdout,
        format!("{copy}\nsee {copy}/data.txt, ok\n{key}\n{lossy}")
    );
}

/// What `offhost` says of itself needs no configuration.
#[test]
fn a_broken_configuration_is_no_reason_to_hide_the_help() {
    for words in [
        &["--help"][..],
        &["--version"],
        &["completions", "bash"],
        &["run", "--help"],
    ] {
        let mut call = Call::new(OFFHOST).env("OFFHOST_CONFIG", "/gone");
        call.arguments(words).go().succeeded();
    }
}

/// Proves: EX7 (L, P)
#[test]
fn an_image_is_probed_and_its_entry_can_be_read() {
    let place = Place::new();
    // It starts no container: what would run in one runs here.
    let docker = place.program(
        "work/docker-here",
        "#!/bin/sh\nwhile [ \"$1\" != an/image:1 ]; do shift; done\nshift\nPATH=${0%/*}/inside:/usr/bin:/bin exec /bin/sh \"$@\"\n",
    );
    let node = place.program("work/inside/node", "#!/bin/sh\necho v99.1.2\n");
    let probe = |arguments: &[&str]| {
        place
            .offhost(["runtimes", "probe", "an/image:1", "--with"])
            .arguments(arguments)
            .go()
    };
    let docker = docker.to_str().unwrap();
    let printed = probe(&[docker]);
    let text = &printed.succeeded().stdout;
    assert!(text.starts_with("  - name: an/image:1\n"), "{text}");
    let read = offhost::runtimes::parse(&format!("images:\n{text}"), "runtimes.yaml").unwrap();
    let installations = &read.runtimes[0].installations[&offhost::runtimes::LanguageName::Nodejs];
    let is_there = |one: &&offhost::runtimes::Installation| one.path == node.to_str().unwrap();
    assert_eq!(installations.iter().find(is_there).unwrap().version, "99.1.2");
    let all = json(&probe(&[docker, "-o", "json"]).succeeded().stdout);
    assert_eq!(all["name"], "an/image:1");
    probe(&["no-such-program"]).refused(65, &["'no-such-program'", "--with"]);
    let broken = place.program("work/broken", "#!/bin/sh\nexit 125\n");
    probe(&[broken.to_str().unwrap()]).refused(71, &["'an/image:1'", "exit status: 125", "pull an/image:1"]);
}
