//! What is decided about jobs and applications, from what a cluster shows: Pods as kubelets and schedulers write them, and whole lives of
//! jobs.

mod apps;
mod decisions;
mod fixture;
mod lives;
mod observe;
mod properties;
