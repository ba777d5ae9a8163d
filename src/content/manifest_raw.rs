//! The shape of `manifest.json`, as tolerant as both clients need it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::manifest::ManifestPackage;

#[derive(Deserialize)]
pub(super) struct Raw {
    #[serde(default)]
    pub(super) metadata: Option<RawMetadata>,
    pub(super) platform: Option<String>,
    pub(super) python: Option<RawPython>,
    pub(super) quarto: Option<RawQuarto>,
    pub(super) node: Option<RawNode>,
    pub(super) nodejs: Option<RawNode>,
    pub(super) jupyter: Option<RawJupyter>,
    pub(super) environment: Option<RawEnvironment>,
    #[serde(default, deserialize_with = "map")]
    pub(super) packages: BTreeMap<String, ManifestPackage>,
    #[serde(default, deserialize_with = "map")]
    pub(super) files: BTreeMap<String, serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct RawMetadata {
    pub(super) appmode: Option<String>,
    pub(super) entrypoint: Option<String>,
    pub(super) primary_rmd: Option<String>,
    pub(super) primary_html: Option<String>,
    pub(super) content_category: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct RawPython {
    pub(super) version: Option<String>,
    pub(super) package_manager: Option<RawPackageManager>,
}

#[derive(Deserialize)]
pub(super) struct RawPackageManager {
    pub(super) package_file: Option<String>,
    pub(super) allow_uv: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct RawQuarto {
    pub(super) version: Option<String>,
    #[serde(default)]
    pub(super) engines: OneOrMany,
}

/// R writes a vector of one engine as a bare string.
#[derive(Default, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
pub(super) struct RawNode {
    pub(super) version: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct RawJupyter {
    pub(super) hide_all_input: Option<bool>,
    pub(super) hide_tagged_input: Option<bool>,
}

#[derive(Default, Deserialize)]
pub(super) struct RawEnvironment {
    pub(super) image: Option<String>,
    pub(super) environment_management: Option<BTreeMap<String, Option<bool>>>,
    pub(super) python: Option<RawRequires>,
    pub(super) r: Option<RawRequires>,
    pub(super) quarto: Option<RawRequires>,
    pub(super) node: Option<RawRequires>,
    pub(super) nodejs: Option<RawRequires>,
}

#[derive(Deserialize)]
pub(super) struct RawRequires {
    pub(super) requires: Option<String>,
}

/// A map; R writes `null` or `[]` for an empty one.
pub(super) fn map<'de, D, T>(deserializer: D) -> Result<BTreeMap<String, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum MapOrEmpty<T> {
        Map(BTreeMap<String, T>),
        Empty([(); 0]),
    }
    Ok(match Option::<MapOrEmpty<T>>::deserialize(deserializer)? {
        Some(MapOrEmpty::Map(map)) => map,
        Some(MapOrEmpty::Empty(_)) | None => BTreeMap::new(),
    })
}

impl From<OneOrMany> for Vec<String> {
    fn from(value: OneOrMany) -> Self {
        match value {
            OneOrMany::None => Self::new(),
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}
