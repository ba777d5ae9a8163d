//! A cluster for one controller at a time: the API server in memory, a volume on disk, a node that runs Pods at a word.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use offhost::asked::Sealing;
use offhost::controller::adopt::adopt;
use offhost::controller::api::Calls;
use offhost::controller::apps::{self, Apps, PodFleet};
use offhost::controller::context::{Clock, Context, Held, Paces, Site};
use offhost::controller::disk::Disk;
use offhost::controller::events::{events, publish};
use offhost::controller::lease::Tenure;
use offhost::controller::reconcile::look;
use offhost::controller::runtimes::RuntimesFile;
use offhost::controller::schedule::{Key, Outcome};
use offhost::controller::view::View;
use offhost::controller::volume::Volume;
use offhost::controller::worker::{Asked, triggers};
use offhost::hub::{self, HubInbox, HubOptions};
use offhost::pod::Delivery;
use offhost::settings::Settings;
use offhost::telemetry::metrics::Metrics;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::fake_api::{FakeApi, NAMESPACE};
use crate::plan_fixture;

pub(super) const RUNTIMES: &str = "
- name: registry.example.com/content:1
  r:
    installations: [{version: 4.2.2, path: /usr/bin/R}]
  python:
    installations: [{version: 3.11.2, path: /usr/bin/python3}]
  nodejs:
    installations: [{version: 18.20.4, path: /usr/bin/node}]
";

/// Everything that outlives a controller.
pub(super) struct Place {
    pub(super) api: FakeApi,
    pub(super) settings: Arc<Settings>,
    time: Arc<AtomicI64>,
    directory: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let facts = plan_fixture::facts(offhost::content::AppMode::Script, "");
        let mut settings = plan_fixture::World::of(facts).in_pod().settings;
        settings.server.data_dir = directory.path().join("data");
        settings.applications.run_as = account();
        let runtimes = directory.path().join("runtimes.yaml");
        std::fs::write(&runtimes, RUNTIMES).unwrap();
        settings.runtimes_file = Some(runtimes);
        settings.kubernetes.node_lost_seconds = 30;
        change(&mut settings);
        let time = Arc::new(AtomicI64::new(1_767_225_600));
        let told = time.clone();
        let clock = move || Timestamp::from_second(told.load(Ordering::SeqCst)).unwrap();
        let place = Self {
            api: FakeApi::new(Arc::new(clock)),
            settings: Arc::new(settings),
            time,
            directory,
        };
        place.incoming("script", &[("run.sh", "echo done\n")]);
        place.incoming(
            "report",
            &[(
                "report.Rmd",
                "---\ntitle: T\noutput: html_document\n---\n\nText.\n",
            )],
        );
        place.incoming(
            "asked",
            &[(
                "asked.Rmd",
                "---\ntitle: T\noutput: html_document\nparams:\n  region: north\n---\n\nText.\n",
            )],
        );
        place.incoming(
            "secret",
            &[(
                "secret.Rmd",
                "---\ntitle: T\noutput: html_document\nparams:\n  region: north\n  key: {value: none, input: password}\n  table: {value: '', input: file}\n---\n\nText.\n",
            )],
        );
        place.incoming(
            "notebook",
            &[("book.py", "print(1)\n"), ("requirements.txt", "six==1.16.0\n")],
        );
        place.incoming(
            "node",
            &[
                ("app.js", ""),
                ("package.json", r#"{"dependencies": {"ms": "2.1.3"}}"#),
                ("package-lock.json", r#"{"lockfileVersion": 3, "packages": {}}"#),
            ],
        );
        place.incoming("shiny", &[("app.R", "shinyApp(ui, server)\n")]);
        place.incoming("pages", &[("index.html", "<p>Text.</p>\n")]);
        place.incoming(
            "flask",
            &[
                ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
                ("requirements.txt", "flask\n"),
            ],
        );
        place
    }

    pub(super) fn data(&self, below: &str) -> PathBuf {
        self.settings.server.data_dir.join(below)
    }

    pub(super) fn runtimes_file(&self) -> PathBuf {
        self.directory.path().join("runtimes.yaml")
    }

    /// Time goes by.
    pub(super) fn wait(&self, seconds: i64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
    }

    fn incoming(&self, name: &str, files: &[(&str, &str)]) {
        let directory = self.data("incoming").join(name);
        std::fs::create_dir_all(&directory).unwrap();
        for (file, text) in files {
            std::fs::write(directory.join(file), text).unwrap();
        }
    }

    /// Somebody applies a job.
    pub(super) fn apply(&self, name: &str, spec: Value) {
        let job = json!({
            "apiVersion": "offhost.dev/v1alpha1",
            "kind": "ContentJob",
            "metadata": {"name": name},
            "spec": spec,
        });
        self.api.put("contentjobs", job);
    }

    /// Somebody applies an application.
    pub(super) fn apply_app(&self, name: &str, spec: Value) {
        let app = json!({
            "apiVersion": "offhost.dev/v1alpha1",
            "kind": "ContentApp",
            "metadata": {"name": name},
            "spec": spec,
        });
        self.api.put("contentapps", app);
    }

    pub(super) fn job(&self, name: &str) -> Option<Value> {
        self.api.get("contentjobs", name)
    }

    /// Status and reason of the condition `Succeeded`.
    pub(super) fn succeeded(&self, name: &str) -> (String, String) {
        let condition = self.condition(name, "Succeeded");
        let word = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        (word("status"), word("reason"))
    }

    pub(super) fn condition(&self, name: &str, kind: &str) -> Value {
        condition_of(&self.job(name).unwrap_or_default(), kind)
    }

    /// Of an application.
    pub(super) fn app_condition(&self, name: &str, kind: &str) -> Value {
        condition_of(&self.api.get("contentapps", name).unwrap_or_default(), kind)
    }

    /// A controller that has just become leader.
    pub(super) async fn controller(&self) -> Controller {
        let metrics = Arc::new(Metrics::new());
        let view = Arc::new(View::new());
        let (sender, asked) = triggers();
        let (events, waiting) = events();
        let (hub, inbox) = hub::channel();
        let client = self.api.client();
        let tenure = Tenure::default();
        tenure.set(Some(
            tokio::time::Instant::now() + Duration::from_secs(86_400 * 365),
        ));
        let time = self.time.clone();
        let context = Arc::new(Context {
            calls: Calls::new(&client, NAMESPACE),
            apps: Arc::new(Apps::new(hub)),
            view: view.clone(),
            disk: Disk::new(Arc::new(Volume::open(&self.settings).unwrap())),
            settings: self.settings.clone(),
            runtimes: Arc::new(RuntimesFile::open(&self.runtimes_file(), metrics.clone())),
            site: Site {
                namespace: NAMESPACE.to_owned(),
                claim: "data".to_owned(),
                exec_image: "registry.example.com/exec:1".to_owned(),
                delivery: Delivery::ImageVolume,
            },
            metrics,
            events,
            tenure,
            clock: Clock(Arc::new(move || {
                Timestamp::from_second(time.load(Ordering::SeqCst)).unwrap()
            })),
            held: Held::default(),
            sealing: Arc::new(sealing()).into(),
            paces: Paces::default(),
        });
        let controller = Controller {
            context,
            api: self.api.clone(),
            asked,
            due: BTreeMap::new(),
            inbox: Some(inbox),
            beside: Vec::new(),
            publisher: tokio::spawn(publish(client, "test".to_owned(), waiting)),
        };
        // What an earlier one was doing on the volume ends with its process.
        let stop = CancellationToken::new();
        let taken_over = adopt(&controller.context, &stop);
        assert!(
            tokio::time::timeout(Duration::from_secs(60), taken_over)
                .await
                .unwrap()
        );
        view.look_from_now_on(sender);
        controller
    }

    /// The node goes on with every Pod by one step: it starts, it runs to its end, or it is ended.
    pub(super) fn node(&self, exit_code: i64) {
        for pod in self.api.all("pods") {
            let name = pod["metadata"]["name"].as_str().unwrap();
            let deleted = !pod["metadata"]["deletionTimestamp"].is_null();
            match pod["status"]["phase"].as_str() {
                Some("Pending") if !deleted => self.api.edit("pods", name, started),
                // An application goes on until it is told to end.
                Some("Running") if !deleted && is_serving(&pod) => {}
                Some("Running") => {
                    let code = if deleted { 143 } else { exit_code };
                    if code == 0 {
                        self.work(&pod);
                    }
                    self.api.edit("pods", name, |pod| ended(pod, code));
                }
                _ => {}
            }
            self.api.confirm(name);
        }
    }

    /// What the process of a Pod leaves on the volume.
    fn work(&self, pod: &Value) {
        let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_array().unwrap();
        for mount in mounts {
            let Some(below) = mount["subPath"].as_str() else {
                continue;
            };
            let file = match mount["mountPath"].as_str() {
                Some("/opt/rstudio-connect/mnt/report") => "index.html",
                _ if below.starts_with("node-environments/") && below.contains(".staging") => {
                    "node_modules/ms.js"
                }
                _ if below.contains(".staging") => "pyvenv.cfg",
                _ => continue,
            };
            let path = self.data(below).join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "made by the process").unwrap();
        }
    }
}

/// What gateways and controllers seal with.
pub(super) fn sealing() -> Sealing {
    Sealing::new([7; 32])
}

/// An account of this machine that content can run as.
pub(super) fn account() -> String {
    if rustix::process::geteuid().is_root() {
        return "nobody".to_owned();
    }
    rustix::process::geteuid().as_raw().to_string()
}

fn is_serving(pod: &Value) -> bool {
    pod["metadata"]["ownerReferences"][0]["kind"] == "ContentApp"
}

fn condition_of(object: &Value, kind: &str) -> Value {
    let conditions = object["status"]["conditions"].as_array().cloned();
    let mut conditions = conditions.unwrap_or_default().into_iter();
    conditions
        .find(|condition| condition["type"] == kind)
        .unwrap_or_default()
}

fn started(pod: &mut Value) {
    pod["spec"]["nodeName"] = json!("node1");
    pod["status"] = json!({
        "phase": "Running",
        "conditions": [{"type": "PodScheduled", "status": "True"}],
        "containerStatuses": [{
            "name": "content", "image": "i", "imageID": "i", "ready": true, "restartCount": 0,
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        }],
    });
    // How often its process was started, for whoever wants to know.
    let runs = pod["metadata"]["annotations"]["runs"]
        .as_str()
        .unwrap_or("0")
        .parse::<u32>()
        .unwrap();
    pod["metadata"]["annotations"]["runs"] = json!((runs + 1).to_string());
}

fn ended(pod: &mut Value, code: i64) {
    let report = json!({"event": "ended", "code": code, "signal": null, "cause": null});
    pod["status"]["phase"] = json!(if code == 0 { "Succeeded" } else { "Failed" });
    pod["status"]["containerStatuses"][0]["state"] = json!({"terminated": {
        "exitCode": code, "reason": if code == 0 { "Completed" } else { "Error" },
        "startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:05Z",
        "message": report.to_string(),
    }});
}

/// One controller, from its start to its death: it dies when it is dropped.
pub(super) struct Controller {
    pub(super) context: Arc<Context>,
    api: FakeApi,
    asked: Asked,
    /// When jobs are to be looked at again.
    due: BTreeMap<Key, Timestamp>,
    /// What the hub reads, until it runs.
    inbox: Option<HubInbox>,
    /// The hub, and what has applications looked at when their processes change.
    beside: Vec<AbortOnDropHandle<()>>,
    publisher: JoinHandle<()>,
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.publisher.abort();
    }
}

impl Controller {
    /// The watches tell everything, and every job that something was told about is looked at until nothing more follows.
    /// Gives whether that came to an end.
    pub(super) async fn settle(&mut self) -> bool {
        for _ in 0..40 {
            self.sync();
            let now = self.context.now();
            let mut keys = self.asked.now();
            keys.extend(
                self.due
                    .iter()
                    .filter(|(_, due)| **due <= now)
                    .map(|(key, _)| key.clone()),
            );
            keys.sort();
            keys.dedup();
            if keys.is_empty() {
                return true;
            }
            for key in keys {
                self.due.remove(&key);
                match self.look(&key).await {
                    Outcome::Settled => {}
                    Outcome::Failed | Outcome::Again(Duration::ZERO) => self.context.view.ask(key),
                    Outcome::Again(after) => {
                        let seconds = i64::try_from(after.as_secs().max(1)).unwrap();
                        let due = now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
                        self.due.insert(key, due);
                    }
                }
            }
        }
        false
    }

    /// From now on applications have processes: the hub of this leader runs.
    pub(super) fn serve(&mut self) {
        let Some(inbox) = self.inbox.take() else { return };
        let fleet = Arc::new(PodFleet::new(self.context.clone()));
        apps::adopt(&self.context, &fleet);
        let options = HubOptions {
            term: 1,
            // There are none, so that none has to be waited for.
            gateways: Some(BTreeSet::new()),
            ..HubOptions::default()
        };
        let (apps, view) = (self.context.apps.clone(), self.context.view.clone());
        self.beside = vec![
            AbortOnDropHandle::new(tokio::spawn(hub::run(inbox, fleet, options))),
            AbortOnDropHandle::new(tokio::spawn(apps::tell_of_changes(apps, view))),
        ];
    }

    /// One look at a job.
    pub(super) async fn look(&self, name: &str) -> Outcome {
        Box::pin(look(self.context.clone(), Key::from(name))).await
    }

    /// What the watches tell.
    pub(super) fn sync(&self) {
        let view = &self.context.view;
        view.jobs.begin_list();
        for job in self.api.all("contentjobs") {
            view.job_seen(serde_json::from_value(job).unwrap());
        }
        view.jobs_listed();
        view.apps.apps.begin_list();
        for app in self.api.all("contentapps") {
            view.app_seen(serde_json::from_value(app).unwrap());
        }
        view.apps_listed();
        view.pods.begin_list();
        for pod in self.api.all("pods") {
            view.pod_seen(serde_json::from_value(pod).unwrap());
        }
        view.pods_listed();
    }
}
