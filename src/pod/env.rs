//! The variables of the content's container (EN), in the order of their names.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMapKeySelector, EnvVar, EnvVarSource, SecretKeySelector};

use super::dollars::literal;
use crate::plan::EnvValue;

/// Values by reference stay references: the kubelet resolves them when the process is started (EN4).
pub(super) fn variables(env: &BTreeMap<String, EnvValue>) -> Vec<EnvVar> {
    env.iter().map(|(name, value)| variable(name, value)).collect()
}

fn variable(name: &str, value: &EnvValue) -> EnvVar {
    let reference = |source| (None, Some(source));
    let (value, value_from) = match value {
        EnvValue::Value(value) => (Some(literal(value)), None),
        EnvValue::SecretKeyRef(key) => reference(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                name: key.name.clone(),
                key: key.key.clone(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
        EnvValue::ConfigMapKeyRef(key) => reference(EnvVarSource {
            config_map_key_ref: Some(ConfigMapKeySelector {
                name: key.name.clone(),
                key: key.key.clone(),
                optional: None,
            }),
            ..EnvVarSource::default()
        }),
    };
    EnvVar {
        name: name.to_owned(),
        value,
        value_from,
    }
}
