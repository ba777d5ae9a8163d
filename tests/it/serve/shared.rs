//! Servers that share a database of PostgreSQL, a real one of this test's own.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::may_run;
use super::site::Site;
use crate::faults::place::{LIMIT, MARK};
use crate::faults::wait_for;

/// A cluster of PostgreSQL that listens at a socket in a directory of its own, run by an ordinary account.
pub(super) struct Postgres {
    dir: tempfile::TempDir,
    account: (u32, u32),
    programs: PathBuf,
}

impl Postgres {
    pub(super) fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("offhost-pg-")
            .tempdir_in("/var/tmp")
            .unwrap();
        let account = account();
        std::os::unix::fs::chown(dir.path(), Some(account.0), Some(account.1)).unwrap();
        let postgres = Self {
            dir,
            account,
            programs: programs(),
        };
        postgres.run(
            "initdb",
            &["-D", &postgres.data(), "-A", "trust", "-U", "me", "-N"],
        );
        postgres.begin();
        postgres
    }

    pub(super) fn begin(&self) {
        let options = format!(
            "-c listen_addresses='' -k {} -c fsync=off",
            self.dir.path().display()
        );
        let log = self.dir.path().join("log").display().to_string();
        self.run(
            "pg_ctl",
            &["-D", &self.data(), "-w", "-l", &log, "-o", &options, "start"],
        );
    }

    pub(super) fn stop(&self) {
        self.run("pg_ctl", &["-D", &self.data(), "-w", "-m", "immediate", "stop"]);
    }

    fn data(&self) -> String {
        self.dir.path().join("data").display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.programs.join(program));
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("LC_ALL", "C")
            .stdout(Stdio::null())
            .gid(self.account.1)
            .uid(self.account.0);
        assert!(command.status().unwrap().success(), "{program} {arguments:?}");
    }

    /// Its address.
    pub(super) fn url(&self) -> String {
        let socket = self.dir.path().display().to_string().replace('/', "%2F");
        format!("postgres://me@{socket}/postgres")
    }

    /// The settings that name it.
    pub(super) fn settings(&self) -> String {
        let url = self.url();
        format!("[Database]\nProvider = Postgres\n[Postgres]\nURL = \"{url}\"\n")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if Path::new(&self.data()).join("postmaster.pid").exists() {
            self.stop();
        }
    }
}

/// Another account than root, as which PostgreSQL does not run.
fn account() -> (u32, u32) {
    let nobody = uzers::get_user_by_name("nobody").unwrap();
    (nobody.uid(), nobody.primary_group_id())
}

/// Where the programs of the newest PostgreSQL of this machine are.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("postgresql is installed; run scripts/setup");
    let newest = versions.flatten().map(|entry| entry.path()).max().unwrap();
    newest.join("bin")
}

/// The second server of a site.
struct Second(Child);

impl Second {
    fn begin(site: &Site, http: u16) -> Self {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(site.place.path("log2"))
            .unwrap();
        let mut command =
            site.place
                .command(&["serve", "--log-format", "text", "--admin-listen", "127.0.0.1:0"]);
        command
            .env("OFFHOST_HTTP_LISTEN", format!("127.0.0.1:{http}"))
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0);
        Self(command.spawn().unwrap())
    }

    fn kill(mut self) {
        let _ = rustix::process::kill_process(Pid::from_child(&self.0), Signal::KILL);
        self.0.wait().unwrap();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

const SCRIPT: &str =
    "echo begin >> \"$FAULTS_PLACE/sync/$1\"\nsleep 0.4\necho end >> \"$FAULTS_PLACE/sync/$1\"\n";

fn job(site: &Site, name: &str) {
    let path = site.place.path("content/script");
    let text = format!(
        "apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\nmetadata: {{name: {name}}}\nspec:\n  bundle: {{path: {}}}\n  \
         task: Run\n  command: [sh, run.sh, {name}]\n",
        path.display()
    );
    site.write_manifest(name, &text);
}

fn script(site: &Site) {
    let manifest =
        r#"{"version": 1, "metadata": {"appmode": "static", "entrypoint": "run.sh"}, "files": {}}"#;
    site.place
        .content("script", &[("manifest.json", manifest), ("run.sh", SCRIPT)]);
}

/// How often each job of this name succeeded, by what the state remembers.
fn successes(site: &Site, name: &str) -> usize {
    let jobs = site.jobs("script");
    let of =
        |job: &&serde_json::Value| job["record"]["name"] == name && job["record"]["state"] == "succeeded";
    jobs.iter().filter(of).count()
}

/// What happened to a content item.
fn history(site: &Site, content: &str) -> Vec<serde_json::Value> {
    let told = site
        .run(&["content", "history", content, "-o", "json"])
        .succeeded();
    serde_json::from_str(&told.stdout).unwrap()
}

/// How many rows a table of the database has.
fn count(site: &Site, table: &str) -> usize {
    let told = site.run(&["db", "status", "-o", "json"]).succeeded().stdout;
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    usize::try_from(told["rows"][table].as_u64().unwrap()).unwrap()
}

/// Proves: CN3 (L)
#[test]
fn two_servers_share_jobs_and_each_is_done_once_whoever_is_killed() {
    if !may_run() {
        return;
    }
    let postgres = Postgres::start();
    let site = Site::new(&postgres.settings());
    assert!(site.place.path("sync").exists() && MARK == "FAULTS_PLACE");
    script(&site);
    let names: Vec<String> = (0..40).map(|number| format!("job-{number}")).collect();
    for name in &names {
        job(&site, name);
    }
    let http = free_port();
    let mut seed = 7_u64;
    let mut random = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Duration::from_millis(300 + (seed >> 33) % 2500)
    };
    for _ in 0..4 {
        let first = site.begin();
        let second = Second::begin(&site, http);
        std::thread::sleep(random());
        second.kill();
        std::thread::sleep(random());
        first.kill();
    }
    let first = site.start();
    let second = Second::begin(&site, http);
    let until = Instant::now() + Duration::from_secs(180);
    loop {
        let done = names.iter().filter(|name| successes(&site, name) > 0).count();
        if done == names.len() {
            break;
        }
        assert!(
            Instant::now() < until,
            "{done} of {}\n{}",
            names.len(),
            site.log()
        );
        std::thread::sleep(Duration::from_secs(1));
    }
    // Nobody begins one that is done.
    std::thread::sleep(Duration::from_secs(5));
    for name in &names {
        assert_eq!(successes(&site, name), 1, "{name}");
        let text = fs::read_to_string(site.place.path("sync").join(name)).unwrap();
        let ends = text.lines().filter(|line| *line == "end").count();
        let last: Vec<&str> = text.lines().rev().take(2).collect();
        assert_eq!(last, ["end", "begin"], "{name}: {text}");
        // What a kill cut off between its last line and its end was not done.
        assert!(ends <= 2, "{name}: {text}");
    }
    let listed = site.run(&["apps", "list", "-o", "json"]).stdout;
    assert!(!listed.contains("\"Waiting\""), "{listed}");
    // Both write the index; it says what lies in the directory they share.
    let events = history(&site, "script");
    let bundles: Vec<_> = events
        .iter()
        .filter(|event| event["state"] == "in force")
        .collect();
    assert_eq!(bundles.len(), 1, "{events:?}");
    let counted = count(&site, "bundles");
    let there = fs::read_dir(site.place.path("data/apps/script"))
        .unwrap()
        .flatten();
    let numbers = there.filter(|entry| entry.file_name().to_string_lossy().parse::<u64>().is_ok());
    assert_eq!(counted, numbers.count());
    second.kill();
    first.end();
    site.assert_gone();
}

/// Proves: CN3 (L)
#[test]
fn a_database_that_goes_in_the_middle_of_a_job_and_comes_back_harms_nothing() {
    if !may_run() {
        return;
    }
    let postgres = Postgres::start();
    let site = Site::new(&postgres.settings());
    script(&site);
    let server = site.start();
    job(&site, "one");
    wait_for("the job", LIMIT, || {
        site.place.path("sync/one").exists().then_some(())
    });
    postgres.stop();
    std::thread::sleep(Duration::from_secs(8));
    job(&site, "two");
    wait_for("the word", LIMIT, || {
        site.log().contains("can not be reached").then_some(())
    });
    assert!(
        !site.place.path("sync/two").exists(),
        "nothing begins that nobody could know of"
    );
    postgres.begin();
    for name in ["one", "two"] {
        wait_for("its end", LIMIT, || (successes(&site, name) == 1).then_some(()));
        let text = fs::read_to_string(site.place.path("sync").join(name)).unwrap();
        assert_eq!(text, "begin\nend\n", "{name}");
    }
    server.end();
    site.assert_gone();
}

/// Proves: CN3 (L)
#[test]
fn a_second_server_needs_a_database_that_can_be_shared() {
    if !may_run() {
        return;
    }
    let site = Site::new("");
    let server = site.start();
    let refused = site.run(&["serve"]);
    assert_ne!(refused.code, 0);
    assert!(
        refused.error().contains("Database.Provider = postgres"),
        "{}",
        refused.stderr
    );
    server.end();
    let postgres = Postgres::start();
    site.configure(&postgres.settings());
    let status = site.run(&["db", "status"]).succeeded().stdout;
    assert!(status.starts_with("PostgreSQL at "), "{status}");
    script(&site);
    site.configure("");
    let source = site.place.path("content/script").display().to_string();
    site.run(&["content", "deploy", &source]).succeeded();
    let before = history(&site, "script");
    assert_eq!((before.len(), count(&site, "bundles")), (1, 1));
    site.configure(&postgres.settings());
    assert_eq!(count(&site, "bundles"), 0);
    site.run(&["db", "migrate", "--to", "postgres"]).succeeded();
    assert_eq!(count(&site, "bundles"), 1);
    assert_eq!(history(&site, "script"), before);
    fs::write(site.place.path("content/script/more"), "x").unwrap();
    site.run(&["content", "deploy", &source]).succeeded();
    assert_eq!(count(&site, "bundles"), 2);
    site.run(&["content", "deploy", &source, "--content", "later"])
        .succeeded();
    // A database that is gone in the middle of a change takes nothing back, and is told what it missed.
    postgres.stop();
    let removed = site.run(&["content", "remove", "script"]).succeeded();
    assert!(removed.stderr.contains("follows later"), "{}", removed.stderr);
    assert!(!site.place.path("data/apps/script").exists());
    postgres.begin();
    assert_eq!(count(&site, "contents"), 2);
    let server = site.start();
    wait_for("the index", LIMIT, || {
        (count(&site, "contents") == 1).then_some(())
    });
    server.end();
    site.run(&["db", "migrate", "--to", "sqlite"]).succeeded();
    site.configure("");
    assert_eq!(history(&site, "later").len(), 1);
}
