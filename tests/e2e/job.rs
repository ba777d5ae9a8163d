//! A job of a test: made, waited for, read, and told of where it does not come out as it should.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::Refusal;
use crate::release::Release;
use crate::{api, cluster};

/// How often is looked.
const PACE: Duration = Duration::from_millis(100);
/// Enough for a script on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(120);
/// Enough for the installation of packages.
pub(crate) const LATER: Duration = Duration::from_secs(480);

pub(crate) struct Job<'r> {
    pub(crate) release: &'r Release,
    pub(crate) name: String,
}

/// One condition of a job.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// A job that runs a shell's words in a Pod: the content item has the job's name.
pub(crate) fn shell(words: &str) -> Value {
    json!({"task": "Run", "bundle": {"path": "tools"}, "command": ["/bin/sh", "-c", words]})
}

/// The same with further fields.
pub(crate) fn with(mut spec: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

/// The object of a job.
pub(crate) fn object(name: &str, mut spec: Value) -> Value {
    if spec.get("content").is_none() {
        spec["content"] = json!(name);
    }
    json!({
        "apiVersion": "offhost.dev/v1alpha1", "kind": "ContentJob",
        "metadata": {"name": name}, "spec": spec,
    })
}

impl Release {
    /// Makes a job.
    #[track_caller]
    pub(crate) fn job(&self, name: &str, spec: Value) -> Job<'_> {
        self.try_job(&object(name, spec))
            .unwrap_or_else(|refusal| panic!("job '{name}' is refused: {refusal:?}"))
    }

    /// Tries to make a job.
    pub(crate) fn try_job(&self, object: &Value) -> Result<Job<'_>, Refusal> {
        api::try_create(&api::jobs(&self.namespace), object)?;
        Ok(Job {
            release: self,
            name: object["metadata"]["name"].as_str().unwrap().to_owned(),
        })
    }
}

/// A condition of a job as it was read.
pub(crate) fn condition(job: &Value, kind: &str) -> Condition {
    let all = job["status"]["conditions"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let text = |one: &Value, field: &str| one[field].as_str().unwrap_or_default().to_owned();
    let found = all.iter().find(|one| one["type"] == kind);
    found.map_or_else(Condition::default, |one| Condition {
        status: text(one, "status"),
        reason: text(one, "reason"),
        message: text(one, "message"),
    })
}

impl Job<'_> {
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", api::jobs(&self.release.namespace), self.name)
    }

    #[track_caller]
    pub(crate) fn get(&self) -> Value {
        api::get(&self.path())
    }

    /// Waits until it is as wanted.
    #[track_caller]
    pub(crate) fn wait(&self, limit: Duration, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + limit;
        loop {
            let job = self.get();
            if wanted(&job) {
                return job;
            }
            assert!(
                Instant::now() < end,
                "job '{}' is not {what} after {limit:?}\n{}",
                self.name,
                self.told()
            );
            std::thread::sleep(PACE);
        }
    }

    /// Waits until its end, whichever that is.
    #[track_caller]
    pub(crate) fn finished(&self, limit: Duration) -> Value {
        self.wait(limit, "finished", |job| {
            matches!(condition(job, "Succeeded").status.as_str(), "True" | "False")
        })
    }

    /// Waits until it has succeeded.
    #[track_caller]
    pub(crate) fn succeeds_in(&self, limit: Duration) -> Value {
        let job = self.finished(limit);
        let said = condition(&job, "Succeeded");
        assert!(said.status == "True", "{said:?}\n{}", self.told());
        job
    }

    /// Waits until it has succeeded.
    #[track_caller]
    pub(crate) fn succeeds(&self) -> Value {
        self.succeeds_in(SOON)
    }

    /// Waits until it has failed for that reason, and gives the sentence.
    #[track_caller]
    pub(crate) fn fails(&self, reason: &str) -> String {
        let job = self.finished(SOON);
        let said = condition(&job, "Succeeded");
        assert!(
            said.status == "False" && said.reason == reason,
            "it must fail with {reason}: {said:?}\n{}",
            self.told()
        );
        said.message
    }

    /// Waits until a condition has that status and reason, and gives its sentence.
    #[track_caller]
    pub(crate) fn says(&self, kind: &str, status: &str, reason: &str) -> String {
        let what = format!("{kind}={status} for {reason}");
        let job = self.wait(SOON, &what, |job| {
            let said = condition(job, kind);
            said.status == status && said.reason == reason
        });
        condition(&job, kind).message
    }

    /// Waits until its process runs.
    #[track_caller]
    pub(crate) fn runs(&self) -> Value {
        self.wait(SOON, "running", |job| {
            condition(job, "Succeeded").reason == "Running"
        })
    }

    /// Directory `jobs/CONTENT/KEY` of an attempt.
    pub(crate) fn directory(&self, job: &Value, attempt: usize) -> PathBuf {
        let content = job["spec"]["content"].as_str().unwrap();
        let key = job["status"]["attempts"][attempt]["key"].as_str().unwrap();
        self.release.data.join("jobs").join(content).join(key)
    }

    /// The output of an attempt, as it is kept on the volume.
    #[track_caller]
    pub(crate) fn log(&self, job: &Value, attempt: usize) -> String {
        let path = self.directory(job, attempt).join("log/task.log");
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Its Pods.
    pub(crate) fn pods(&self) -> Vec<Value> {
        let label = format!("?labelSelector=offhost.dev%2Fjob-name%3D{}", self.name);
        api::list(&(api::core(&self.release.namespace, "pods") + &label))
    }

    /// Asks for its end.
    pub(crate) fn delete(&self) {
        api::delete(&self.path());
    }

    /// Waits until there is no such job.
    #[track_caller]
    pub(crate) fn is_gone(&self) {
        let end = Instant::now() + SOON;
        while api::find(&self.path()).is_some() {
            assert!(
                Instant::now() < end,
                "job '{}' does not go\n{}",
                self.name,
                self.told()
            );
            std::thread::sleep(PACE);
        }
    }

    /// All that the cluster says of it.
    pub(crate) fn told(&self) -> String {
        let mut text = String::new();
        for command in [
            vec!["get", "cjob", &self.name, "--output=yaml"],
            vec![
                "describe",
                "pods",
                &format!("--selector=offhost.dev/job-name={}", self.name),
            ],
            vec![
                "logs",
                &format!("--selector=offhost.dev/job-name={}", self.name),
                "--tail=20",
            ],
        ] {
            let output = cluster::try_run(self.release.kubectl().args(command));
            text.push_str(&String::from_utf8_lossy(&output.stdout));
        }
        text + &self.release.told()
    }
}
