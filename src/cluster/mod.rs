//! What speaks to a Kubernetes API server, shared by the controller and the command line.

mod access;
mod app_resource;
pub mod client;
pub mod crd;
mod crd_app;
mod crd_job;
mod crd_rules;
mod crd_schema;
pub mod doctor;
mod doctor_access;
pub mod doctor_config;
mod doctor_definition;
mod doctor_gateway;
mod doctor_pods;
mod doctor_site;
pub mod error;
pub mod jobs;
pub mod logs;
pub mod pack;
mod resource;
pub mod submit;
pub mod upload;
pub mod wait;
