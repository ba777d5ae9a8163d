//! How long planning takes: `plan()` and `sandbox::build()` for the examples and for a lock of 200 R packages,
//! beside the reading of the same bundle from disk, in one run.
//!
//! Ends in lines `offhost/NAME RATIO`, the ratio to the bound of one millisecond.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use offhost::api::job::ContentJobSpec;
use offhost::content::{BundleFacts, RLock, RPackage, RRequirements};
use offhost::gather::{self, Ids};
use offhost::identity::{Account, Accounts};
use offhost::local::deploy;
use offhost::plan::{self, Mode, Task};
use offhost::runtimes::{Installation, LanguageName, Runtime, Runtimes};
use offhost::sandbox::{self, Place, SandboxMode};
use offhost::settings::{LoadOptions, Repository, Settings, load};

const BOUND: Duration = Duration::from_millis(1);
const ROUNDS: usize = 500;

fn main() {
    let settings = load(LoadOptions {
        env: BTreeMap::new(),
        ..LoadOptions::default()
    })
    .expect("defaults")
    .settings;
    let (runtimes, accounts) = (runtimes(), accounts(&settings));
    let mut lines = Vec::new();
    for example in ["notebook", "report", "site"] {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples")
            .join(example);
        let read = median(|| drop(black_box(deploy::facts(&tree, &ContentJobSpec::default()))));
        let facts = deploy::facts(&tree, &ContentJobSpec::default()).expect("an example");
        let planned = measure(&task(facts), &settings, &runtimes, &accounts);
        print(&format!("{example}: reading the bundle"), read);
        print(&format!("{example}: planning"), planned);
        lines.push((format!("plan-{example}"), planned));
    }
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/report");
    let mut facts = deploy::facts(&tree, &ContentJobSpec::default()).expect("an example");
    facts.r = Some(lock_of(200));
    let planned = measure(&task(facts), &settings, &runtimes, &accounts);
    print("a lock of 200 R packages: planning", planned);
    lines.push(("plan-200-r-packages".to_owned(), planned));
    for (name, time) in lines {
        out(&format!(
            "offhost/{name} {:.3}",
            time.as_secs_f64() / BOUND.as_secs_f64()
        ));
    }
}

/// Planning and the rendering of every process, together.
fn measure(task: &Task, settings: &Settings, runtimes: &Runtimes, accounts: &Accounts) -> Duration {
    let place = Place {
        data_dir: PathBuf::from("/var/lib/data"),
        runtime_dir: PathBuf::from("/var/lib/data/runtime/x"),
        inputs_dir: PathBuf::from("/var/lib/data/jobs/x"),
        mode: SandboxMode::RootUserns,
        secrets: BTreeMap::new(),
    };
    median(|| {
        let plan = plan::plan(black_box(task), settings, runtimes, accounts).expect("a plan");
        for process in &plan.processes {
            black_box(sandbox::build(process, &place));
        }
    })
}

fn median(mut act: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            act();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[ROUNDS / 2]
}

fn task(facts: BundleFacts) -> Task {
    let ids = Ids {
        content: "example".to_owned(),
        bundle: "1".to_owned(),
        job_key: "key".to_owned(),
        rendering: "1".to_owned(),
        content_image: None,
    };
    gather::task(Mode::Local, ids, ContentJobSpec::default(), facts, None)
}

fn lock_of(count: usize) -> RRequirements {
    let name = |index: usize| format!("package{index}");
    let package = |index: usize| RPackage {
        name: name(index),
        version: format!("1.{index}.0"),
        source: "CRAN".to_owned(),
        repository: None,
        // As deep and as wide as real locks are: a handful of packages are needed by most others.
        requires: (0..index.min(6)).map(|near| name(index * near / 6)).collect(),
        remote: BTreeMap::new(),
    };
    RRequirements {
        source: RLock::Renv,
        packages: (0..count).map(package).collect(),
        repositories: vec![Repository {
            name: "CRAN".to_owned(),
            url: "https://packages.example.com".to_owned(),
        }],
    }
}

fn runtimes() -> Runtimes {
    let one = |version: &str, path: &str| {
        vec![Installation {
            version: version.to_owned(),
            path: path.to_owned(),
        }]
    };
    let installations = BTreeMap::from([
        (LanguageName::R, one("4.2.2", "/usr/bin/R")),
        (LanguageName::Python, one("3.11.2", "/usr/bin/python3")),
    ]);
    Runtimes {
        runtimes: vec![Runtime {
            name: offhost::runtimes::LOCAL_RUNTIME.to_owned(),
            title: None,
            description: None,
            matching: offhost::runtimes::ImageMatching::Any,
            supervisor: Vec::new(),
            installations,
            volume_mounts: Vec::new(),
        }],
    }
}

fn accounts(settings: &Settings) -> Accounts {
    let account = Account {
        name: settings.applications.run_as.clone(),
        uid: 999,
        gid: 999,
        groups: vec![999],
        home: None,
    };
    Accounts {
        accounts: BTreeMap::from([(account.name.clone(), account)]),
        ..Accounts::default()
    }
}

fn print(what: &str, time: Duration) {
    out(&format!("{what}: {:.1} µs", time.as_secs_f64() * 1e6));
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn out(line: &str) {
    println!("{line}");
}
