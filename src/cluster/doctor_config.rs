//! The configuration as the chart has installed it, for whoever asks from elsewhere.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::ListParams;

use super::client::Connection;

/// Labels of what the chart installs.
const SELECTOR: &str = "app.kubernetes.io/part-of=offhost";
const GCFG: &str = "rstudio-connect.gcfg";
const RUNTIMES: &str = "runtimes.yaml";

/// What the ConfigMaps of the chart say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Names of the ConfigMaps, for people.
    pub place: String,
    /// The settings.
    pub gcfg: String,
    /// The images.
    pub runtimes: Option<String>,
}

/// The configuration of the chart in the connection's namespace; none where there is none, or where it can not be read.
pub async fn installed(connection: &Connection) -> Option<Installed> {
    let maps: Api<ConfigMap> = Api::namespaced(connection.client.clone(), &connection.namespace);
    let found = maps.list(&ListParams::default().labels(SELECTOR)).await.ok()?;
    let mut texts: BTreeMap<String, (String, String)> = BTreeMap::new();
    for map in found.items {
        let name = map.metadata.name.unwrap_or_default();
        for (key, text) in map.data.unwrap_or_default() {
            texts.insert(key, (name.clone(), text));
        }
    }
    let (place, gcfg) = texts.remove(GCFG)?;
    let runtimes = texts.remove(RUNTIMES).map(|(_, text)| text);
    Some(Installed {
        place: format!("ConfigMap '{place}'"),
        gcfg,
        runtimes,
    })
}
