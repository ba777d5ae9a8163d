//! The controller is killed again and again while jobs run. Each of them still ends once, with its result.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::job::{Job, LATER, condition, shell};
use crate::release::{Release, another_namespace};
use crate::{api, cluster};

/// The account `nobody`, which every machine has: the controller runs on this one.
const NOBODY: u32 = 65534;
/// One job in so many is a render.
const RENDERED: usize = 10;
/// As many jobs have not ended at a time: that is what two processors get done.
const AT_A_TIME: usize = 16;
/// The longest that a controller lives. Some do not get as far as to lead.
const LIFE_MS: u64 = 1_600;
/// What a script adds a line to in its log directory, so that it is known how often it ran.
const RAN: &str = "ran";

/// The controller as a process of this machine: it can be killed, and started again at once.
struct Controller {
    directory: tempfile::TempDir,
    namespace: String,
}

impl Controller {
    fn new(release: &Release) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let this = Self {
            directory,
            namespace: release.namespace.clone(),
        };
        let kubeconfig = fs::read(std::env::var_os("KUBECONFIG").unwrap()).unwrap();
        fs::write(this.file("kubeconfig"), kubeconfig).unwrap();
        fs::write(this.file("runtimes.yaml"), crate::release::runtimes().to_string()).unwrap();
        let settings = format!(
            "[Server]\nDataDir = {data}\n[Applications]\nRunAs = nobody\n[Python]\nEnabled = true\n\
             [ExecutionEnvironments]\nConfigFilePath = {runtimes}\n\
             [Kubernetes]\nNamespace = {namespace}\nDataDirPVCName = data\nExecImage = {exec}\n",
            data = release.data.display(),
            runtimes = this.file("runtimes.yaml").display(),
            namespace = this.namespace,
            exec = cluster::image("offhost-exec"),
        );
        fs::write(this.file("rstudio-connect.gcfg"), settings).unwrap();
        fs::write(this.file("log"), "").unwrap();
        for path in [this.directory.path(), &release.data] {
            cluster::run(
                Command::new("chown")
                    .args(["-R", &format!("{NOBODY}:{NOBODY}")])
                    .arg(path),
            );
        }
        this
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts it. Each time it says that it is the same Pod, as when a container is started again.
    fn start(&self) -> Running {
        let log = fs::File::options().append(true).open(self.file("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhost"));
        command
            .args([
                "controller",
                "--listen",
                "127.0.0.1:0",
                "--upload-listen",
                "127.0.0.1:0",
            ])
            .arg("--config")
            .arg(self.file("rstudio-connect.gcfg"))
            .env_remove("OFFHOST_CLUSTER")
            .env("KUBECONFIG", self.file("kubeconfig"))
            .env("POD_NAME", "chaos")
            .env("POD_NAMESPACE", &self.namespace)
            .uid(NOBODY)
            .gid(NOBODY)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null());
        Running(command.spawn().unwrap())
    }

    fn told(&self) -> String {
        let log = fs::read_to_string(self.file("log")).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

/// Killed when it is let go of.
struct Running(Child);

impl Running {
    fn has_ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Numbers that nobody foresees; the seed is printed, so that they can be had again.
struct Chance(u64);

impl Chance {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = std::env::var("OFFHOST_TEST_SEED").map_or_else(
            |_| u64::from(now.subsec_nanos()) | 1,
            |seed| seed.parse().unwrap(),
        );
        eprintln!("OFFHOST_TEST_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn kills() -> usize {
    std::env::var("OFFHOST_TEST_CHAOS").map_or(200, |number| number.parse().unwrap())
}

fn name(number: usize) -> String {
    format!("chaos-{number}")
}

/// Most print two lines, and leave one behind; some are rendered, and have a result.
fn spec(number: usize, chance: &mut Chance) -> Value {
    if is_rendered(number) {
        return json!({"task": "Render", "bundle": {"path": "page"}});
    }
    let pause = 50 + chance.below(50);
    shell(&format!(
        "echo once >>/opt/rstudio-connect/mnt/log/{RAN}; echo begins; sleep 0.{pause}; echo ends"
    ))
}

fn is_rendered(number: usize) -> bool {
    number.is_multiple_of(RENDERED)
}

/// The job succeeded, with one attempt that ran once, and what it made is whole.
fn check(release: &Release, number: usize, seen: &Value) {
    let job = Job {
        release,
        name: name(number),
    };
    let said = condition(seen, "Succeeded");
    assert_eq!(said.status, "True", "{said:?}\n{}", job.told());
    let attempts = seen["status"]["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    let directory = job.directory(seen, 0);
    assert_eq!(
        names_in(directory.parent().unwrap()).len(),
        1,
        "'{}' began twice",
        job.name
    );
    if is_rendered(number) {
        let results = release.data.join("reports/v2").join(&job.name).join("default");
        let page = fs::read_to_string(results.join("active/index.html")).unwrap();
        assert!(
            page.contains("Rendered once") && page.trim_end().ends_with("</html>"),
            "{page}"
        );
        // A controller that dies right after it drew a number has used it up: there is one result, whatever its number.
        let number = seen["status"]["result"]["number"].as_i64().unwrap().to_string();
        let record = format!("{number}.json");
        assert_eq!(names_in(&results), [number.as_str(), record.as_str(), "active"]);
    } else {
        assert_eq!(job.log(seen, 0), "begins\nends\n");
        assert_eq!(
            fs::read_to_string(directory.join("log").join(RAN)).unwrap(),
            "once\n"
        );
    }
}

/// Each job has had one Pod, which has ended and is held by nobody.
fn check_pods(release: &Release, jobs: usize) {
    let pods = api::list(&api::core(&release.namespace, "pods"));
    assert_eq!(pods.len(), jobs);
    for pod in &pods {
        assert!(pod["metadata"]["finalizers"].is_null(), "{}", pod["metadata"]);
        assert_eq!(pod["status"]["phase"], "Succeeded", "{}", pod["metadata"]["name"]);
    }
}

/// Names of what is in a directory, without the server's own.
fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

/// What is only there while something is being made.
fn leftovers(volume: &Path) -> Vec<String> {
    let mut find = Command::new("find");
    find.arg(volume).args([
        "-name",
        ".staging*",
        "-o",
        "-name",
        "staging.*",
        "-o",
        "-name",
        "temp.render*",
    ]);
    cluster::run(&mut find).lines().map(str::to_owned).collect()
}

fn jobs(release: &Release) -> Vec<Value> {
    api::list(&api::jobs(&release.namespace))
}

/// How many jobs have not ended.
fn open(release: &Release) -> usize {
    let is_open = |job: &&Value| !matches!(condition(job, "Succeeded").status.as_str(), "True" | "False");
    jobs(release).iter().filter(is_open).count()
}

/// Makes jobs as others end, and kills the controller all that time. Gives how many jobs there are, and the controller
/// that was started last.
fn storm(release: &Release, controller: &Controller, kills: usize) -> (usize, Running) {
    let mut chance = Chance::new();
    let mut running = controller.start();
    let (mut made, mut killed) = (0, 0);
    while killed < kills || made < kills {
        let room = AT_A_TIME - open(release).min(AT_A_TIME);
        // While the controller dies there is always something that can be lost.
        let room = if killed < kills {
            room
        } else {
            room.min(kills - made)
        };
        for _ in 0..room {
            release.job(&name(made), spec(made, &mut chance));
            made += 1;
        }
        std::thread::sleep(Duration::from_millis(chance.below(LIFE_MS)));
        if killed < kills {
            assert!(
                !running.has_ended(),
                "the controller ended by itself:\n{}",
                controller.told()
            );
            drop(running);
            killed += 1;
            running = controller.start();
        }
    }
    (made, running)
}

/// Proves: OH2 (P), RD3 (P)
#[test]
fn a_controller_that_is_killed_again_and_again_runs_every_job_once() {
    if !cluster::there() {
        return;
    }
    let release = another_namespace("chaos");
    release.bundle("page", &[
        ("page.Rmd", "---\ntitle: Page\n---\n\nRendered `r \"once\"`.\n"),
        ("manifest.json", r#"{"version": 1, "platform": "4.2.2", "metadata": {"appmode": "rmd-static", "primary_rmd": "page.Rmd"}, "packages": {}, "files": {"page.Rmd": {"checksum": ""}}}"#),
    ]);
    let controller = Controller::new(&release);
    let begun = Instant::now();
    let kills = kills();
    let (made, running) = storm(&release, &controller, kills);
    println!(
        "offhost/chaos {kills} kills, {made} jobs, {} of them open, in {:?}",
        open(&release),
        begun.elapsed()
    );
    let end = Instant::now() + LATER;
    while open(&release) > 0 {
        assert!(
            Instant::now() < end,
            "{} jobs are open\n{}",
            open(&release),
            controller.told()
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    println!("offhost/chaos-seconds {}", begun.elapsed().as_secs());
    // What is left to do after a job's end.
    std::thread::sleep(Duration::from_secs(3));
    let all = jobs(&release);
    for number in 0..made {
        let seen = all
            .iter()
            .find(|job| job["metadata"]["name"] == name(number))
            .unwrap();
        check(&release, number, seen);
    }
    check_pods(&release, made);
    assert_eq!(leftovers(&release.data), Vec::<String>::new());
    drop(running);
}
