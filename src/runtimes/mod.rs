//! Runtimes: `runtimes.yaml`, interpreter versions, matching and its explanation (EX1–EX5).
//!
//! Everything here is pure but `discover`, `finder`, `places` and `ask`, which look at this machine, and `container`, which
//! looks into an image.

mod answer;
mod ask;
mod container;
mod discover;
mod finder;
mod image;
mod matching;
mod npm_range;
mod parse;
mod places;
mod schema;
mod select;
mod types;
mod version;
mod volumes;
mod words;

pub use ask::AskError;
pub use container::{ContainerError, Containers};
pub use discover::{DiscoverError, Discovered, Found, Origin, discover};
pub use image::{ImageProblem, Probed, entry};
pub use matching::{Closeness, Match, Mismatch, NeedError, Wanted};
pub use parse::{RuntimesError, parse};
pub use places::usual_r;
pub use select::{CandidateReport, NoCandidate, explain, select};
pub use types::*;
pub use version::{Requirement, RequirementError, Version, VersionError};
pub use volumes::{VolumeMount, VolumeSource, VolumeTarget};

/// Name of the runtime that stands for this machine's own installations (EX1).
pub const LOCAL_RUNTIME: &str = "local";
