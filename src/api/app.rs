//! `ContentApp`: one content item that is served, by processes of its own or from files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::Access;
use super::job::{BundleRef, ContentJobSpec, EnvVar, Metadata, Resources, RuntimeRequest};
use crate::names::CONTENT_PREFIX;

/// A content item that is served: an application or API, a document, a site, or static files.
///
/// The form of a manifest in the directory of `offhost serve`. The API server's own form of it is
/// [`ContentApp`](super::app_resource::ContentApp).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(
    rename = "ContentApp",
    description = "A content item that is served: an application or API, a document, a site, or static files."
)]
pub struct AppFile {
    /// Always `offhost.dev/v1alpha1`.
    pub api_version: String,
    /// Always `ContentApp`.
    pub kind: String,
    /// Name and labels.
    pub metadata: Metadata,
    /// What is to be served, and how.
    pub spec: ContentAppSpec,
}

/// What a `ContentApp` asks for. Every field can be changed: what is changed takes hold with new processes, and the old
/// ones drain (AP2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContentAppSpec {
    /// The content item: its GUID or name, a DNS-1123 label; the name of this object when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub content: Option<String>,
    /// The deployment to serve; the active one of the content item when empty, and then always the active one.
    #[serde(default, skip_serializing_if = "BundleRef::is_empty")]
    pub bundle: BundleRef,
    /// Overrides the kind of content (`appmode`) that the manifest names (PK9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub app_mode: Option<String>,
    /// Overrides the file or object that the manifest names as the entry point (PK9).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub entrypoint: Option<String>,
    /// The variant of a report whose active result is served; `default` when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub variant: Option<String>,
    /// Where it is found: a path of the gateway, without a slash at its end; `/content/NAME` when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 2, max = 253),
        regex(pattern = r"^(/[A-Za-z0-9][A-Za-z0-9._~-]*)+$")
    )]
    pub path: Option<String>,
    /// A host name of its own, at which it has the same path; `NAME.` and `Gateway.AppDomain` when empty and that is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    pub host: Option<String>,
    /// Who may see it; as far as `Applications.MostPermissiveAccessType` allows when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Variables added to the environment of its processes (EN4).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 512))]
    pub env: Vec<EnvVar>,
    /// Which runtime to use (EX5) and which interpreter versions.
    #[serde(default, skip_serializing_if = "RuntimeRequest::is_empty")]
    pub runtime: RuntimeRequest,
    /// The account to run as, by name or number; `Applications.RunAs` when empty (RA2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub run_as: Option<String>,
    /// Whether a visitor who has logged in gets processes that run as the visitor's own account; others get those of
    /// `runAs`. Only with `Applications.RunAsCurrentUser`, for Shiny, Dash, Streamlit and Bokeh, and never on a cluster
    /// (CU1).
    #[serde(default, skip_serializing_if = "is_false")]
    pub run_as_current_user: bool,
    /// Limits of each process.
    #[serde(default, skip_serializing_if = "Resources::is_empty")]
    pub resources: Resources,
    /// Processes that always run; `Scheduler.MinProcesses` when empty. `kubectl scale` sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1000))]
    pub min_processes: Option<i32>,
    /// Processes there may be; `Scheduler.MaxProcesses` when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_processes: Option<i32>,
    /// Connections one process takes; `Scheduler.MaxConnsPerProcess` when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_connections_per_process: Option<i32>,
    /// How full processes are, in percent, before another is started; `Scheduler.LoadFactor` when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub load_factor_percent: Option<i32>,
    /// How long a process may take until it answers; `Scheduler.InitTimeout` when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400))]
    pub init_timeout_seconds: Option<i64>,
    /// How long a process without connections is kept, 0 for ever; `Scheduler.IdleTimeout` when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub idle_timeout_seconds: Option<i64>,
    /// How long a connection may be silent in both directions, 0 for ever; `Scheduler.ConnectionTimeout` when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub connection_timeout_seconds: Option<i64>,
    /// How long a visitor may be silent, 0 for ever; `Scheduler.ReadTimeout` when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub read_timeout_seconds: Option<i64>,
    /// How long processes of an older deployment keep their sessions before they are ended; 86400 when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 31_536_000))]
    pub drain_timeout_seconds: Option<i64>,
    /// Whether a visitor stays with one process; what the kind of content needs when empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// Nothing runs while this is true, and visitors are told so.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspended: bool,
    /// Priority class of its Pods (Pod mode).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// Service account of its Pods (Pod mode). Setting it needs the permission `runas`, as `runAs` does. Its token is
    /// mounted, which no other content Pod has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
}

impl ContentAppSpec {
    /// What it asks for in the words of a job: what both have in common. `name` is that of the object.
    #[must_use]
    pub fn as_job(&self, name: &str) -> ContentJobSpec {
        ContentJobSpec {
            content: Some(self.content.clone().unwrap_or_else(|| name.to_owned())),
            bundle: self.bundle.clone(),
            app_mode: self.app_mode.clone(),
            entrypoint: self.entrypoint.clone(),
            variant: self.variant.clone(),
            env: self.env.clone(),
            runtime: self.runtime.clone(),
            run_as: self.run_as.clone(),
            resources: self.resources.clone(),
            priority_class_name: self.priority_class_name.clone(),
            service_account_name: self.service_account_name.clone(),
            ..ContentJobSpec::default()
        }
    }

    /// Its path at the gateway, without a slash at its end. `name` is that of the object.
    #[must_use]
    pub fn path_of(&self, name: &str) -> String {
        let path = self.path.clone();
        path.unwrap_or_else(|| format!("{CONTENT_PREFIX}/{name}"))
    }
}

/// Whether a text is a path that a gateway can have: parts of letters, digits, and `._~-` that begin with a letter or
/// digit, each after a slash.
#[must_use]
pub fn is_path(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._~-".contains(&byte);
    let is_part = |part: &str| {
        part.bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric())
            && part.bytes().all(plain)
    };
    let parts = text.strip_prefix('/');
    text.len() <= 253 && parts.is_some_and(|parts| parts.split('/').all(is_part))
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// Whether a visitor stays with one process (SC5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Affinity {
    /// All requests of a visitor go to one process while it lives.
    Session,
    /// Every request goes to the process with the most room.
    None,
}
