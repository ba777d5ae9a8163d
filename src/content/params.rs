//! Stand-in for the check of a report's parameters.

use std::collections::BTreeMap;

use super::BundleFacts;
use crate::api::job::Parameter;

/// A parameter that the report does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the report has no parameter '{0}'; remove it or declare it in the report")]
pub struct ParameterError(pub String);

/// The given parameters, read as YAML, checked against those that the report declares (PK3).
///
/// # Errors
/// When the report has no such parameter.
pub fn check_parameters(
    facts: &BundleFacts,
    parameters: &[Parameter],
) -> Result<BTreeMap<String, serde_json::Value>, ParameterError> {
    parameters
        .iter()
        .map(|parameter| {
            let declared = facts
                .parameters
                .as_ref()
                .is_some_and(|all| all.contains_key(&parameter.name));
            if !declared {
                return Err(ParameterError(parameter.name.clone()));
            }
            let value = serde_saphyr::from_str(&parameter.value)
                .unwrap_or_else(|_| serde_json::Value::String(parameter.value.clone()));
            Ok((parameter.name.clone(), value))
        })
        .collect()
}
