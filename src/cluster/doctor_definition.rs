//! The API server and the definitions of our kinds in it.

use serde_json::Value;

use super::client::Connection;
use super::crd::{self, Definition};
use super::doctor::{get, is_code, said, unknown};
use super::error::ClusterError;
use crate::check::Check;
use crate::names::API_VERSION;

const NAME: &str = "definition";
const REMEDY: &str = "apply it: offhost crd | kubectl apply --server-side --force-conflicts -f -";
/// The oldest Kubernetes that this is tried with.
const OLDEST: (u32, u32) = (1, 33);

/// The version of the API server.
///
/// # Errors
/// It gives no answer.
pub(super) async fn version(connection: &Connection) -> Result<Check, ClusterError> {
    let found = connection.client.apiserver_version().await;
    let found = found.map_err(|error| ClusterError::of("get", "version", &connection.namespace, error))?;
    let number = |text: &str| {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        digits.parse().unwrap_or(0)
    };
    let place = format!("{} at {}", found.git_version, connection.server);
    if (number(&found.major), number(&found.minor)) < OLDEST {
        let (major, minor) = OLDEST;
        return Ok(Check::fail(
            "API server",
            format!("{place} is too old; upgrade the cluster to Kubernetes {major}.{minor} or newer"),
        ));
    }
    Ok(Check::pass("API server", place))
}

/// Whether the definitions are there and are those of this program.
pub(super) async fn check(connection: &Connection) -> Vec<Check> {
    let mut checks = Vec::new();
    for ours in crd::definitions() {
        let path = format!(
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{}",
            ours.name()
        );
        match get::<Value>(connection, &path).await {
            Ok(found) => checks.push(compare(ours, &found)),
            // The controller may not read definitions, nor has to.
            Err(error) if is_code(&error, 403) => return vec![discovered(connection).await],
            Err(error) if is_code(&error, 404) => checks.push(missing(&ours.name())),
            Err(error) => checks.push(unknown(
                NAME,
                "get",
                "customresourcedefinitions",
                connection,
                error,
            )),
        }
    }
    checks
}

fn compare(ours: &Definition, found: &Value) -> Check {
    let name = ours.name();
    let stored = found["status"]["storedVersions"].to_string();
    if is_contained(&ours.json()["spec"], &found["spec"]) {
        return Check::pass(NAME, format!("{name} {stored}, that of this program"));
    }
    Check::warn(
        NAME,
        format!("{name} is that of another version of this program"),
        REMEDY,
    )
}

/// Whether the API server knows the kinds at all.
pub(super) async fn discovered(connection: &Connection) -> Check {
    let ours = crd::definitions();
    let names = |absent: &dyn Fn(&Definition) -> bool| {
        let names: Vec<String> = ours
            .iter()
            .filter(|ours| absent(ours))
            .map(|ours| ours.name())
            .collect();
        names.join(" and ")
    };
    match get::<Value>(connection, &format!("/apis/{API_VERSION}")).await {
        Ok(list) => {
            let known = |plural: &str| {
                let mut resources = list["resources"].as_array().into_iter().flatten();
                resources.any(|resource| resource["name"] == plural)
            };
            let absent = names(&|ours| !known(ours.plural()));
            match absent.is_empty() {
                true => Check::pass(NAME, format!("{} are there", names(&|_| true))),
                false => missing(&absent),
            }
        }
        Err(error) if is_code(&error, 404) => missing(&names(&|_| true)),
        Err(error) => Check::warn(NAME, "it can not be looked at", said(&error)),
    }
}

fn missing(names: &str) -> Check {
    Check::fail(NAME, format!("the cluster has no {names}; {REMEDY}"))
}

/// Whether everything that we say is said there too; the API server adds what we leave out.
fn is_contained(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => ours
            .iter()
            .all(|(name, value)| theirs.get(name).is_some_and(|found| is_contained(value, found))),
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| is_contained(a, b))
        }
        (Value::Number(ours), Value::Number(theirs)) => ours.as_f64() == theirs.as_f64(),
        _ => ours == theirs,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_api_server_adds_makes_no_difference() {
        let ours = json!({ "a": [{ "b": 1 }], "c": "x" });
        assert!(is_contained(
            &ours,
            &json!({ "a": [{ "b": 1.0, "d": 2 }], "c": "x", "e": {} })
        ));
        for theirs in [
            json!({ "a": [{ "b": 2 }], "c": "x" }),
            json!({ "a": [{ "b": 1 }, {}], "c": "x" }),
            json!({ "a": [{ "b": 1 }] }),
        ] {
            assert!(!is_contained(&ours, &theirs), "{theirs}");
        }
    }
}
