//! The definition of `ContentApp`.

use super::crd::{Definition, Scale};
use super::crd_rules::{Default, Rule, Rules};
use super::crd_schema;
use crate::api::app::ContentAppSpec;
use crate::api::app_status::ContentAppStatus;
use crate::names::{KIND_CONTENT_APP, PLURAL_CONTENT_APP};

/// `ContentApp`.
pub(super) const APP: Definition = Definition {
    kind: KIND_CONTENT_APP,
    plural: PLURAL_CONTENT_APP,
    short: "capp",
    description: "A content item that is served: an application or API, a document, a site, or static files.",
    columns: &[
        ("Content", "string", ".status.content", 0),
        ("URL", "string", ".status.url", 0),
        (
            "Ready",
            "string",
            ".status.conditions[?(@.type==\"Ready\")].status",
            0,
        ),
        (
            "Active",
            "string",
            ".status.conditions[?(@.type==\"Active\")].status",
            0,
        ),
        ("Processes", "integer", ".status.processes", 0),
        ("Sessions", "integer", ".status.sessions", 0),
        (
            "Reason",
            "string",
            ".status.conditions[?(@.type==\"Ready\")].reason",
            1,
        ),
        ("Bundle", "string", ".status.bundle", 1),
        ("Image", "string", ".status.image", 1),
        ("Last-Use", "date", ".status.lastUseTime", 1),
        ("Age", "date", ".metadata.creationTimestamp", 0),
    ],
    selectable: &[".spec.content", ".spec.host"],
    scale: Some(Scale {
        spec: ".spec.minProcesses",
        status: ".status.processes",
        selector: ".status.selector",
    }),
    spec: crd_schema::of::<ContentAppSpec>,
    status: crd_schema::of::<ContentAppStatus>,
    rules: Rules {
        defaults: &[
            ("spec.drainTimeoutSeconds", Default::Number(86_400)),
            ("spec.suspended", Default::No),
        ],
        maps: &[("spec.env", "name"), ("status.conditions", "type")],
        sets: &["spec.access.users", "spec.access.groups"],
        mutable: None,
        own: OWN,
    },
};

const OWN: &[Rule] = &[
    (
        "spec",
        "!has(self.minProcesses) || !has(self.maxProcesses) || self.minProcesses <= self.maxProcesses",
        "must be at most `maxProcesses`",
        Some(".minProcesses"),
    ),
    (
        "spec.access",
        "self.type == 'Named' || ((!has(self.users) || size(self.users) == 0) && (!has(self.groups) || size(self.groups) == 0))",
        "must have `users` and `groups` only with the type `Named`",
        None,
    ),
    (
        "spec.access",
        "self.type != 'Named' || (has(self.users) && size(self.users) > 0) || (has(self.groups) && size(self.groups) > 0)",
        "must name `users` or `groups` with the type `Named`",
        None,
    ),
];
