//! Types of the custom resources, which are also the job files of local mode. Types only, no logic.

pub mod job;
