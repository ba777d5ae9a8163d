//! Requests and limits of a Pod (SC7): the content's wishes before the defaults of `[Scheduler]`, within its bounds.

use std::collections::BTreeMap;

use serde::Serialize;

use super::PlanError;
use super::asked::{AMD_GPU, Asked, NVIDIA_GPU};
use super::limits::unless_zero;
use super::quantity::{format_bytes, format_millis};
use crate::settings::{Amounts, Devices, Scheduler};

/// Requests and limits of a container, as Kubernetes writes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodResources {
    /// What is set aside for it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
    /// What it can not exceed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
}

impl PodResources {
    /// Whether nothing is requested or limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A resource that is measured, with its names in the job and in the settings.
struct Measure {
    name: &'static str,
    setting: &'static str,
    amounts: Amounts,
    format: fn(u64) -> String,
}

fn measures(scheduler: &Scheduler) -> [Measure; 3] {
    [
        Measure {
            name: "cpu",
            setting: "CPU",
            amounts: scheduler.cpu,
            format: format_millis,
        },
        Measure {
            name: "memory",
            setting: "Memory",
            amounts: scheduler.memory,
            format: format_bytes,
        },
        Measure {
            name: "ephemeral-storage",
            setting: "EphemeralStorage",
            amounts: scheduler.ephemeral_storage,
            format: format_bytes,
        },
    ]
}

/// Those of the content's process, with a note for each wish that was cut or has no effect.
pub(super) fn of_task(
    asked: &Asked<'_>,
    scheduler: &Scheduler,
) -> Result<(PodResources, Vec<String>), PlanError> {
    let mut resources = PodResources::default();
    let mut notes = Vec::new();
    for measure in measures(scheduler) {
        let wish = Wish {
            request: asked.requests.get(measure.name).copied(),
            limit: asked.limits.get(measure.name).copied(),
        };
        check(&measure, wish)?;
        notes.extend(cuts(&measure, wish));
        give(&mut resources, &measure, wish);
    }
    devices(&mut resources, &mut notes, asked, scheduler);
    if asked.limits.contains_key("pids") || asked.requests.contains_key("pids") {
        notes.push(
            "spec.resources of pids have no effect in Pod mode: the kubelet limits the processes of every Pod alike"
                .to_owned(),
        );
    }
    Ok((resources, notes))
}

/// Those of an installation: the defaults, without devices, which nothing is installed on.
pub(super) fn of_install(scheduler: &Scheduler) -> PodResources {
    let mut resources = PodResources::default();
    for measure in measures(scheduler) {
        give(&mut resources, &measure, Wish::default());
    }
    resources
}

/// What the content asks for of one resource.
#[derive(Clone, Copy, Default)]
struct Wish {
    request: Option<u64>,
    limit: Option<u64>,
}

fn check(measure: &Measure, wish: Wish) -> Result<(), PlanError> {
    match (wish.request, wish.limit, unless_zero(measure.amounts.limit)) {
        (Some(request), None, Some(default)) if request > default => Err(PlanError::RequestAboveDefault {
            name: measure.name,
            setting: format!("Scheduler.{}Limit", measure.setting),
        }),
        _ => Ok(()),
    }
}

/// A sentence for each wish above its bound.
fn cuts(measure: &Measure, wish: Wish) -> Vec<String> {
    let Measure { name, setting, .. } = measure;
    let Amounts {
        max_request,
        max_limit,
        ..
    } = measure.amounts;
    let above = |wish: Option<u64>, bound: u64| wish.is_some_and(|wish| bound > 0 && wish > bound);
    let limit = above(wish.limit, max_limit)
        .then(|| format!("the limit of {name} is lowered to Scheduler.Max{setting}Limit"));
    let request = above(wish.request, max_request)
        .then(|| format!("the request of {name} is lowered to Scheduler.Max{setting}Request"));
    limit.into_iter().chain(request).collect()
}

/// Adds what a process gets of one resource.
fn give(resources: &mut PodResources, measure: &Measure, wish: Wish) {
    let amounts = measure.amounts;
    let (max_request, max_limit) = (unless_zero(amounts.max_request), unless_zero(amounts.max_limit));
    let wished_limit = wish.limit.or_else(|| unless_zero(amounts.limit));
    // Without a limit a process could use more than the bound.
    let limit = wished_limit.into_iter().chain(max_limit).min();
    // Kubernetes takes the limit for a request that is not given, and that may be above the bound of requests.
    let implied = limit.filter(|limit| max_request.is_some_and(|max| max < *limit));
    let request = wish.request.or_else(|| unless_zero(amounts.request)).or(implied);
    let request = request.map(|request| max_request.into_iter().chain(limit).fold(request, u64::min));
    let name = measure.name;
    let lists = [(&mut resources.requests, request), (&mut resources.limits, limit)];
    for (list, amount) in lists {
        list.extend(amount.map(|amount| (name.to_owned(), (measure.format)(amount))));
    }
}

/// Devices are given whole: the request is the limit. A GPU is of exactly the vendor that was asked for, so the
/// settings' defaults hold only where the content asks for no GPU of any.
fn devices(resources: &mut PodResources, notes: &mut Vec<String>, asked: &Asked<'_>, scheduler: &Scheduler) {
    let mut devices = asked.devices();
    let vendors = [
        (NVIDIA_GPU, scheduler.nvidia_gpu, "Scheduler.MaxNvidiaGPULimit"),
        (AMD_GPU, scheduler.amd_gpu, "Scheduler.MaxAMDGPULimit"),
    ];
    if !vendors.iter().any(|(name, ..)| devices.contains_key(name)) {
        devices.extend(vendors.map(|(name, Devices { limit, .. }, _)| (name, limit)));
    }
    for (name, count) in devices {
        let vendor = vendors.iter().find(|(vendor, ..)| *vendor == name);
        let bound =
            vendor.and_then(|(_, devices, setting)| Some((unless_zero(devices.max_limit)?, *setting)));
        let count = match bound {
            Some((max, setting)) if count > max => {
                notes.push(format!("the limit of {name} is lowered to {setting}"));
                max
            }
            _ => count,
        };
        if count > 0 {
            resources.requests.insert(name.to_owned(), count.to_string());
            resources.limits.insert(name.to_owned(), count.to_string());
        }
    }
}
