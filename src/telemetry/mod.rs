//! What the programs tell about themselves: log lines and metrics.

pub mod gateway;
pub mod logs;
pub mod metrics;
pub mod starts;
