//! The definition of `ContentJob`.

use super::crd::Definition;
use super::crd_rules::{Default, Rule, Rules};
use super::crd_schema;
use crate::api::job::ContentJobSpec;
use crate::api::status::ContentJobStatus;
use crate::names::{KIND_CONTENT_JOB, PLURAL_CONTENT_JOB};

/// `ContentJob`.
pub(super) const JOB: Definition = Definition {
    kind: KIND_CONTENT_JOB,
    plural: PLURAL_CONTENT_JOB,
    short: "cjob",
    description: "A finite task on a content item: a deployment, an installation, a render, a site render or a command.",
    columns: &[
        ("Content", "string", ".status.content", 0),
        ("Task", "string", ".spec.task", 0),
        (
            "Succeeded",
            "string",
            ".status.conditions[?(@.type==\"Succeeded\")].status",
            0,
        ),
        (
            "Reason",
            "string",
            ".status.conditions[?(@.type==\"Succeeded\")].reason",
            0,
        ),
        ("Pod", "string", ".status.podName", 1),
        ("Node", "string", ".status.nodeName", 1),
        ("Image", "string", ".status.image", 1),
        ("Exit-Code", "integer", ".status.exitCode", 1),
        ("Result", "integer", ".status.result.number", 1),
        ("Schedule", "string", ".spec.schedule.cron", 1),
        ("Last-Run", "date", ".status.schedule.lastScheduleTime", 1),
        ("Age", "date", ".metadata.creationTimestamp", 0),
    ],
    selectable: &[".spec.content", ".spec.task"],
    scale: None,
    spec: crd_schema::of::<ContentJobSpec>,
    status: crd_schema::of::<ContentJobStatus>,
    rules: Rules {
        defaults: &[
            ("spec.activation", Default::Word("OnSuccess")),
            ("spec.retries", Default::Number(0)),
            ("spec.startDeadlineSeconds", Default::Number(3600)),
            ("spec.suspended", Default::No),
        ],
        maps: &[
            ("spec.env", "name"),
            ("spec.parameters", "name"),
            ("status.attempts", "number"),
            ("status.conditions", "type"),
        ],
        sets: &["spec.schedulingGates"],
        // All the others say what is done, and that is not changed while it is done.
        mutable: Some(&["retries", "schedule", "suspended", "ttlSecondsAfterFinished"]),
        own: OWN,
    },
};

const OWN: &[Rule] = &[
    (
        "",
        "!has(self.spec.schedule) || size(self.metadata.name) <= 52",
        "`metadata.name` must be at most 52 characters when `spec.schedule` is specified",
        None,
    ),
    (
        "spec",
        "has(self.schedule) == has(oldSelf.schedule)",
        "can not be added or taken away; create another job instead",
        Some(".schedule"),
    ),
    (
        "spec",
        "!has(self.schedule) || !has(self.bundle) || !has(self.bundle.archive)",
        "may not be specified when `schedule` is; deploy it first",
        Some(".bundle"),
    ),
    (
        "spec.schedule",
        "!has(self.startingDeadlineSeconds) || !has(self.missed) || self.missed == 'RunOnce'",
        "may not be specified when `missed` is 'Skip'",
        Some(".startingDeadlineSeconds"),
    ),
    (
        "spec",
        "has(self.content) || (has(self.bundle) && has(self.bundle.path))",
        "`content` must be specified unless `bundle.path` is",
        None,
    ),
    (
        "spec",
        "!has(self.task) || self.task != 'Deploy' || (has(self.bundle) && (has(self.bundle.path) || has(self.bundle.archive)))",
        "must specify `path` or `archive` when `task` is 'Deploy'",
        Some(".bundle"),
    ),
    (
        "spec",
        "!has(self.task) || self.task != 'Run' || (has(self.command) && size(self.command) > 0)",
        "must name the program and its arguments when `task` is 'Run'",
        Some(".command"),
    ),
    (
        "spec",
        "!has(self.command) || size(self.command) == 0 || !has(self.task) || self.task == 'Run'",
        "may not be specified when `task` is not 'Run'",
        Some(".command"),
    ),
    (
        "spec",
        "!has(self.parameters) || size(self.parameters) == 0 || !has(self.task) || self.task in ['Render', 'RenderSite']",
        "may not be specified when `task` is not 'Render' or 'RenderSite'",
        Some(".parameters"),
    ),
    (
        "spec",
        "!has(self.language) || (has(self.task) && self.task == 'Install')",
        "may not be specified when `task` is not 'Install'",
        Some(".language"),
    ),
];
