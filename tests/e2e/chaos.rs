//! The controller is killed again and again while jobs run. Each of them still ends once, with its result.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::job::{Job, condition, shell};
use crate::release::{Release, another_namespace};
use crate::{api, cluster};

/// The account `nobody`, which every machine has: the controller runs on this one.
const NOBODY: u32 = 65534;
/// How many jobs there are for each kill.
const RENDERED: usize = 10;

/// The controller as a process of this machine: it can be killed, and started again at once.
struct Controller {
    directory: tempfile::TempDir,
    namespace: String,
    /// Where it listens: for health, and for uploads.
    addresses: [String; 2],
}

impl Controller {
    fn new(release: &Release) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let this = Self {
            directory,
            namespace: release.namespace.clone(),
            addresses: free_addresses(),
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
        let mut command = cluster::offhost();
        command
            .args([
                "controller",
                "--listen",
                &self.addresses[0],
                "--upload-listen",
                &self.addresses[1],
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

/// Addresses that nobody listens at now.
fn free_addresses() -> [String; 2] {
    let sockets = [0, 1].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    sockets.map(|socket| socket.local_addr().unwrap().to_string())
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
        println!("OFFHOST_TEST_SEED={seed}");
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

/// Most print two lines; some are rendered, and have a result.
fn spec(number: usize, chance: &mut Chance) -> Value {
    if is_rendered(number) {
        return json!({"task": "Render", "bundle": {"path": "page"}});
    }
    let pause = 50 + chance.below(50);
    shell(&format!("echo begins; sleep 0.{pause}; echo ends"))
}

fn is_rendered(number: usize) -> bool {
    number.is_multiple_of(RENDERED)
}

fn check(release: &Release, number: usize) {
    let job = Job {
        release,
        name: name(number),
    };
    let seen = job.get();
    let said = condition(&seen, "Succeeded");
    assert_eq!(said.status, "True", "{said:?}\n{}", job.told());
    let attempts = seen["status"]["attempts"].as_array().unwrap();
    assert_eq!(attempts.len(), 1, "{attempts:?}");
    let pods = job.pods();
    assert_eq!(pods.len(), 1, "{}", job.told());
    assert!(
        pods[0]["metadata"]["finalizers"].is_null(),
        "{}",
        pods[0]["metadata"]
    );
    assert_eq!(
        fs::read_dir(job.directory(&seen, 0).parent().unwrap())
            .unwrap()
            .count(),
        1
    );
    if is_rendered(number) {
        let results = release.data.join("reports/v2").join(&job.name).join("default");
        assert!(
            fs::read_to_string(results.join("active/index.html"))
                .unwrap()
                .contains("Rendered once")
        );
        assert_eq!(results_in(&results), ["1", "active"]);
    } else {
        assert_eq!(job.log(&seen, 0), "begins\nends\n");
    }
}

fn results_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

fn open(release: &Release) -> usize {
    let jobs = api::list(&api::jobs(&release.namespace));
    let done = |job: &&Value| matches!(condition(job, "Succeeded").status.as_str(), "True" | "False");
    jobs.len() - jobs.iter().filter(done).count()
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
    let mut chance = Chance::new();
    let kills = kills();
    let begun = Instant::now();
    let mut running = controller.start();
    let (mut made, mut killed, mut ended) = (0, 0, 0);
    while killed < kills {
        // Jobs come as long as the controller dies, so that there is always something that can be lost.
        let due = (killed + 1) * kills.max(200) / kills;
        while made < due {
            release.job(&name(made), spec(made, &mut chance));
            made += 1;
        }
        std::thread::sleep(Duration::from_millis(chance.below(1_400)));
        ended += usize::from(running.has_ended());
        drop(running);
        killed += 1;
        running = controller.start();
    }
    assert_eq!(ended, 0, "the controller ended by itself:\n{}", controller.told());
    let left = open(&release);
    println!(
        "offhost/chaos {killed} kills in {:?}, {left} of {made} jobs open",
        begun.elapsed()
    );
    let end = Instant::now() + Duration::from_secs(240);
    while open(&release) > 0 {
        assert!(
            Instant::now() < end,
            "{} jobs are open\n{}",
            open(&release),
            controller.told()
        );
        std::thread::sleep(Duration::from_millis(500));
    }
    // What is left to do after a job's end.
    std::thread::sleep(Duration::from_secs(3));
    for number in 0..made {
        check(&release, number);
    }
    println!("offhost/chaos-seconds {}", begun.elapsed().as_secs());
    drop(running);
}
