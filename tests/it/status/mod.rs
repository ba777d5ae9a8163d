//! What is decided about jobs, from what a cluster shows: Pods as kubelets and schedulers write them, and whole lives of
//! jobs.

mod decisions;
mod fixture;
mod lives;
mod observe;
mod properties;
