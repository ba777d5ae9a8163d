//! What a job asks for under `spec.resources`, read and checked alike in both modes.

use std::collections::BTreeMap;

use super::{PlanError, QuantityError, parse_millis, parse_units};
use crate::api::job::Resources;
use crate::settings::values::is_qualified_name;
use crate::text::suggestion;

/// NVIDIA's GPUs, as their device plugin calls them.
pub(super) const NVIDIA_GPU: &str = "nvidia.com/gpu";
/// AMD's.
pub(super) const AMD_GPU: &str = "amd.com/gpu";

/// The resources that have names of their own, and the devices that settings know.
const NAMES: [&str; 6] = ["cpu", "memory", "pids", "ephemeral-storage", NVIDIA_GPU, AMD_GPU];

/// Wishes by name of the resource: thousandths of a CPU, bytes, or pieces.
#[derive(Debug, Default)]
pub(super) struct Asked<'a> {
    pub(super) requests: BTreeMap<&'a str, u64>,
    pub(super) limits: BTreeMap<&'a str, u64>,
}

impl Asked<'_> {
    /// The devices asked for. Of those a request is the same as a limit; none may be asked for expressly.
    pub(super) fn devices(&self) -> BTreeMap<&str, u64> {
        let both = self.requests.iter().chain(&self.limits);
        both.filter(|(name, _)| is_device(name))
            .map(|(name, count)| (*name, *count))
            .collect()
    }
}

/// Reads and checks them.
pub(super) fn read(resources: &Resources) -> Result<Asked<'_>, PlanError> {
    let asked = Asked {
        requests: list("requests", &resources.requests)?,
        limits: list("limits", &resources.limits)?,
    };
    for (name, request) in &asked.requests {
        let name = (*name).to_owned();
        match asked.limits.get(name.as_str()) {
            Some(limit) if is_device(&name) && request != limit => {
                return Err(PlanError::DeviceRequest { name });
            }
            Some(limit) if request > limit => return Err(PlanError::RequestAboveLimit { name }),
            _ => {}
        }
    }
    Ok(asked)
}

/// Whether a name is one of devices that nodes offer beside Kubernetes' own resources: `domain/name`. Names of its own
/// domain are not for Pods.
fn is_device(name: &str) -> bool {
    // A quota calls it `requests.domain/name`, which must fit as well.
    name.split_once('/')
        .is_some_and(|(domain, _)| domain.len() <= 244)
        && is_qualified_name(name)
        && !name.contains("kubernetes.io/")
        && !name.starts_with("requests.")
}

fn list<'a>(
    list: &'static str,
    given: &'a BTreeMap<String, String>,
) -> Result<BTreeMap<&'a str, u64>, PlanError> {
    given
        .iter()
        .map(|(name, text)| Ok((name.as_str(), value(list, name, text)?)))
        .collect()
}

fn value(list: &'static str, name: &str, text: &str) -> Result<u64, PlanError> {
    let quantity = |read: Result<u64, QuantityError>| {
        read.map_err(|source| PlanError::Quantity {
            list,
            name: name.to_owned(),
            source,
        })
    };
    match name {
        "cpu" => quantity(parse_millis(text)),
        "memory" | "pids" | "ephemeral-storage" => quantity(parse_units(text)),
        _ if is_device(name) => text.parse().map_err(|_| PlanError::DeviceCount {
            list,
            name: name.to_owned(),
            value: text.to_owned(),
        }),
        _ => Err(PlanError::Resource {
            name: name.to_owned(),
            suggestion: match name.to_lowercase().contains("gpu") {
                true => format!("; did you mean '{NVIDIA_GPU}' or '{AMD_GPU}'?"),
                false => suggestion(name, NAMES),
            },
        }),
    }
}
