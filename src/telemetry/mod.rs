//! What the controller tells about itself: log lines and metrics.

pub mod logs;
pub mod metrics;
