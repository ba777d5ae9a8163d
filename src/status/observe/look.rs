//! A Pod with short ways to what is asked of it.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Container, ContainerStateRunning, ContainerStateTerminated, ContainerStatus, Event, Pod, PodCondition,
    PodSpec, PodStatus, Volume,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::names::CONTENT_CONTAINER;
use crate::status::types::{PodContext, Problem};

/// Reasons of containers that were never started.
const NOT_STARTED: [&str; 3] = ["StartError", "ContainerCannotRun", "RunContainerError"];
/// What a Pod is for is said in this label.
const COMPONENT: &str = "app.kubernetes.io/component";

/// A Pod, the events about it, and what is known besides.
#[derive(Debug)]
pub(super) struct Look<'a> {
    pod: &'a Pod,
    /// The newest last.
    events: Vec<&'a Event>,
    pub(super) context: &'a PodContext,
}

impl<'a> Look<'a> {
    pub(super) fn new(pod: &'a Pod, events: &'a [Event], context: &'a PodContext) -> Self {
        let uid = pod.metadata.uid.as_deref();
        let mut events: Vec<&Event> = events
            .iter()
            .filter(|event| event.involved_object.uid.as_deref() == uid)
            .collect();
        events.sort_by_key(|event| time_of(event));
        Self { pod, events, context }
    }

    pub(super) fn uid(&self) -> &'a str {
        self.pod.metadata.uid.as_deref().unwrap_or_default()
    }

    pub(super) fn name(&self) -> &'a str {
        self.pod.metadata.name.as_deref().unwrap_or_default()
    }

    pub(super) fn namespace(&self) -> &'a str {
        self.pod.metadata.namespace.as_deref().unwrap_or_default()
    }

    pub(super) fn spec(&self) -> Option<&'a PodSpec> {
        self.pod.spec.as_ref()
    }

    pub(super) fn status(&self) -> Option<&'a PodStatus> {
        self.pod.status.as_ref()
    }

    /// When its time of grace is over, if it was deleted.
    pub(super) fn deleted(&self) -> Option<Timestamp> {
        self.pod.metadata.deletion_timestamp.as_ref().map(|time| time.0)
    }

    pub(super) fn node(&self) -> Option<&'a str> {
        self.spec()?.node_name.as_deref().filter(|name| !name.is_empty())
    }

    /// `node 'n'`, for sentences.
    pub(super) fn the_node(&self) -> String {
        self.node()
            .map_or_else(|| "its node".to_owned(), |node| format!("node '{node}'"))
    }

    /// Whether the kubelet says that everything in it has ended.
    pub(super) fn is_terminal(&self) -> bool {
        let phase = self.status().and_then(|status| status.phase.as_deref());
        matches!(phase, Some("Succeeded" | "Failed"))
    }

    /// Reason and message of the whole Pod, as of one that was evicted.
    pub(super) fn said(&self) -> (&'a str, &'a str) {
        let status = self.status();
        let reason = status.and_then(|status| status.reason.as_deref());
        let message = status.and_then(|status| status.message.as_deref());
        (reason.unwrap_or_default(), message.unwrap_or_default().trim())
    }

    pub(super) fn condition(&self, kind: &str) -> Option<&'a PodCondition> {
        let conditions = self.status()?.conditions.as_ref()?;
        conditions.iter().find(|condition| condition.type_ == kind)
    }

    pub(super) fn scheduled_at(&self) -> Option<Timestamp> {
        let condition = self
            .condition("PodScheduled")
            .filter(|one| one.status == "True")?;
        condition.last_transition_time.as_ref().map(|time| time.0)
    }

    /// The container that runs the content's process.
    pub(super) fn content(&self) -> Option<&'a Container> {
        let containers = &self.spec()?.containers;
        containers
            .iter()
            .find(|container| container.name == CONTENT_CONTAINER)
    }

    pub(super) fn content_status(&self) -> Option<&'a ContainerStatus> {
        let statuses = self.status()?.container_statuses.as_ref()?;
        statuses.iter().find(|status| status.name == CONTENT_CONTAINER)
    }

    /// Every container with its status, in the order in which they start.
    pub(super) fn containers(&self) -> Vec<(&'a Container, Option<&'a ContainerStatus>)> {
        let status = self.status();
        let init = status.and_then(|status| status.init_container_statuses.as_deref());
        let main = status.and_then(|status| status.container_statuses.as_deref());
        let with = |container: &'a Container, statuses: Option<&'a [ContainerStatus]>| {
            let found = statuses.and_then(|all| all.iter().find(|one| one.name == container.name));
            (container, found)
        };
        let spec = self.spec();
        let first = spec.and_then(|spec| spec.init_containers.as_deref()).into_iter();
        let then = spec.map(|spec| spec.containers.as_slice()).into_iter();
        first
            .flatten()
            .map(|one| with(one, init))
            .chain(then.flatten().map(|one| with(one, main)))
            .collect()
    }

    fn running(&self) -> Option<&'a ContainerStateRunning> {
        self.content_status()?.state.as_ref()?.running.as_ref()
    }

    /// Whether the content's container was started.
    pub(super) fn has_run(&self) -> bool {
        let ended = self
            .terminated()
            .filter(|terminated| !was_not_started(terminated));
        self.running().is_some() || ended.is_some()
    }

    /// When the content's container was started.
    pub(super) fn started_at(&self) -> Option<Timestamp> {
        let running = self.running().and_then(|running| running.started_at.as_ref());
        let terminated = self.terminated().and_then(|one| one.started_at.as_ref());
        real(running.or(terminated))
    }

    /// How the content's container ended.
    pub(super) fn terminated(&self) -> Option<&'a ContainerStateTerminated> {
        self.content_status().and_then(terminated)
    }

    pub(super) fn volumes(&self) -> &'a [Volume] {
        self.spec()
            .and_then(|spec| spec.volumes.as_deref())
            .unwrap_or_default()
    }

    /// The claim with the data.
    pub(super) fn claim(&self) -> Option<&'a str> {
        let mut claims = self.volumes().iter().filter_map(claim_of);
        claims.next()
    }

    /// The image that is mounted as a volume: that of the helper.
    pub(super) fn image_volume(&self) -> Option<&'a str> {
        let mut images = self.volumes().iter().filter_map(|volume| volume.image.as_ref());
        images.find_map(|image| image.reference.as_deref())
    }

    /// The image of the content.
    pub(super) fn image(&self) -> &'a str {
        let image = self.content().and_then(|container| container.image.as_deref());
        image.unwrap_or_default()
    }

    /// A request of the content's container; its limit where it says none, as the API server fills it in.
    pub(super) fn request(&self, resource: &str) -> Option<&'a str> {
        let content = self.content()?;
        let requests = content.resources.as_ref()?.requests.as_ref();
        let request = requests.and_then(|all| all.get(resource));
        request
            .map(|Quantity(request)| request.as_str())
            .or_else(|| limit(content, resource))
    }

    /// What its process does, for sentences.
    pub(super) fn noun(&self) -> &'static str {
        match self.component() {
            Some("install") => "the installation",
            Some("render") => "the render",
            Some("rendersite") => "the render of the site",
            Some("run") => "the command",
            Some("build") => "the build",
            _ => "the process",
        }
    }

    /// Whether it installs packages.
    pub(super) fn is_install(&self) -> bool {
        self.component() == Some("install")
    }

    /// Where something is set: of a job in its own file, of a Git build in the settings of its builder.
    pub(super) fn setting(&self, of_job: &'static str, of_build: &'static str) -> &'static str {
        match self.is_build() {
            true => of_build,
            false => of_job,
        }
    }

    /// Whether it builds a package of a Git repository, and belongs to no job.
    pub(super) fn is_build(&self) -> bool {
        self.component() == Some("build")
    }

    fn component(&self) -> Option<&'a str> {
        let labels = self.pod.metadata.labels.as_ref()?;
        labels.get(COMPONENT).map(String::as_str)
    }

    /// Where a person finds what the process has said.
    pub(super) fn output(&self) -> String {
        let job = &self.context.job;
        // That of an application's process, whose Pod is gone soon, is on the volume alone.
        let where_from = if job.contains('/') {
            "kubectl exec deployment/offhost -- "
        } else {
            ""
        };
        format!("`{where_from}offhost logs {job}` shows its output")
    }

    /// Events of these reasons, the newest first.
    pub(super) fn events(&self, reasons: &[&str]) -> Vec<&'a Event> {
        let is_wanted = |event: &&&Event| {
            let reason = event.reason.as_deref();
            reason.is_some_and(|reason| reasons.contains(&reason))
        };
        self.events.iter().rev().filter(is_wanted).copied().collect()
    }
}

/// Runtimes give the year 1970 to what never happened.
pub(super) fn real(time: Option<&Time>) -> Option<Timestamp> {
    time.map(|time| time.0).filter(|time| time.as_second() > 0)
}

/// How a container ended.
pub(super) fn terminated(status: &ContainerStatus) -> Option<&ContainerStateTerminated> {
    status.state.as_ref()?.terminated.as_ref()
}

/// Whether the runtime could not start it. Its message is then the runtime's own.
pub(super) fn was_not_started(terminated: &ContainerStateTerminated) -> bool {
    let reason = terminated.reason.as_deref();
    reason.is_some_and(|reason| NOT_STARTED.contains(&reason))
}

/// A limit of a container.
pub(super) fn limit<'a>(container: &'a Container, resource: &str) -> Option<&'a str> {
    let limits = container.resources.as_ref()?.limits.as_ref()?;
    limits.get(resource).map(|Quantity(limit)| limit.as_str())
}

/// The claim of a volume.
pub(super) fn claim_of(volume: &Volume) -> Option<&str> {
    let claim = volume.persistent_volume_claim.as_ref()?;
    Some(claim.claim_name.as_str())
}

/// When an event was last seen.
pub(super) fn time_of(event: &Event) -> Option<Timestamp> {
    let series = event
        .series
        .as_ref()
        .and_then(|series| series.last_observed_time.as_ref());
    let seen = event.last_timestamp.as_ref().map(|time| time.0);
    let happened = event.event_time.as_ref().map(|time| time.0);
    let first = event.first_timestamp.as_ref().map(|time| time.0);
    let created = event.metadata.creation_timestamp.as_ref().map(|time| time.0);
    series
        .map(|time| time.0)
        .or(seen)
        .or(happened)
        .or(first)
        .or(created)
}

/// A problem of that reason.
pub(super) fn because(reason: crate::reason::Reason, message: String) -> Problem {
    Problem { reason, message }
}
