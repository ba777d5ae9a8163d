//! `volume_mounts` of an image: what is mounted, and that it does not cover the content (EX4, PW3).

use std::path::{Component, Path};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::names;

/// One volume that every process of an image mounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VolumeMount {
    /// What is mounted.
    pub source: VolumeSource,
    /// Where.
    pub target: VolumeTarget,
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "volume_type", rename_all = "lowercase")]
pub enum VolumeSource {
    /// A directory of an NFS server.
    Nfs {
        /// The server.
        nfs_host: String,
        /// The directory.
        nfs_export_path: String,
    },
    /// A claim.
    Pvc {
        /// Its name.
        pvc_name: String,
    },
}

/// Where a volume is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the key 'path'")]
pub struct VolumeTarget {
    /// Absolute path, without needless slashes.
    pub path: String,
    /// Whether it can only be read.
    #[serde(default)]
    pub read_only: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum VolumeType {
    Nfs,
    Pvc,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the key 'volume_type'")]
struct WrittenSource {
    volume_type: VolumeType,
    nfs_host: Option<String>,
    nfs_export_path: Option<String>,
    pvc_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map with the keys 'source' and 'target'")]
struct Written {
    source: WrittenSource,
    target: VolumeTarget,
}

impl<'de> Deserialize<'de> for VolumeMount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { source, target } = Written::deserialize(deserializer)?;
        Ok(Self {
            source: source.read().map_err(de::Error::custom)?,
            target: VolumeTarget {
                path: read_target(&target.path).map_err(de::Error::custom)?,
                ..target
            },
        })
    }
}

impl WrittenSource {
    fn read(self) -> Result<VolumeSource, &'static str> {
        let given = |value: Option<String>| value.filter(|text| !text.is_empty());
        let parts = (
            given(self.nfs_host),
            given(self.nfs_export_path),
            given(self.pvc_name),
        );
        match (self.volume_type, parts) {
            (VolumeType::Nfs, (Some(nfs_host), Some(nfs_export_path), None)) => Ok(VolumeSource::Nfs {
                nfs_host,
                nfs_export_path,
            }),
            (VolumeType::Nfs, _) => Err("an nfs volume needs nfs_host and nfs_export_path, and no pvc_name"),
            (VolumeType::Pvc, (None, None, Some(pvc_name))) => Ok(VolumeSource::Pvc { pvc_name }),
            (VolumeType::Pvc, _) => Err("a pvc volume needs pvc_name, and no nfs_host or nfs_export_path"),
        }
    }
}

/// Refuses a target that would cover what content sees, or that content's directories would cover.
fn read_target(path: &str) -> Result<String, String> {
    let target = Path::new(path);
    let plain = target
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !target.is_absolute() || !plain {
        return Err(format!(
            "the target path '{path}' must be absolute and without '..'"
        ));
    }
    for own in [names::MOUNT_DIR, names::MOUNT_OFFHOST] {
        if target.starts_with(own) || Path::new(own).starts_with(target) {
            return Err(format!(
                "a volume at '{path}' would cover {own}, where content is mounted; choose another path"
            ));
        }
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    Ok(format!("/{}", parts.join("/")))
}

/// Reads the volumes of an image; two at one place are refused.
pub(super) fn distinct<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<VolumeMount>, D::Error> {
    let mounts = Option::<Vec<VolumeMount>>::deserialize(deserializer)?.unwrap_or_default();
    for (place, later) in mounts.iter().enumerate() {
        let path = &later.target.path;
        if mounts[..place].iter().any(|earlier| earlier.target.path == *path) {
            return Err(de::Error::custom(format!(
                "two volumes are mounted at '{path}'; keep one of them"
            )));
        }
    }
    Ok(mounts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<VolumeMount, String> {
        serde_yaml::from_str(yaml).map_err(|error| error.to_string())
    }

    #[test]
    fn both_kinds_are_kept_as_written() {
        let mount =
            read("{source: {volume_type: pvc, pvc_name: 123}, target: {path: /data, read_only: true}}")
                .unwrap();
        assert_eq!(
            serde_json::to_value(mount).unwrap(),
            serde_json::json!({"source": {"volume_type": "pvc", "pvc_name": "123"},
                "target": {"path": "/data", "read_only": true}})
        );
        read("{source: {volume_type: nfs, nfs_host: h, nfs_export_path: /x, pvc_name: null}, target: {path: /d}}").unwrap();
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        for (source, said) in [
            ("{volume_type: nfs, nfs_host: h}", "nfs_export_path"),
            ("{volume_type: pvc, nfs_host: h}", "pvc_name"),
            ("{volume_type: pvc, pvc_name: ''}", "pvc_name"),
            ("{volume_type: host, pvc_name: x}", "unknown variant `host`"),
        ] {
            let error = read(&format!("{{source: {source}, target: {{path: /d}}}}")).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn two_volumes_have_two_places() {
        #[derive(Debug, Deserialize)]
        struct Image {
            #[serde(deserialize_with = "distinct")]
            volume_mounts: Vec<VolumeMount>,
        }
        let read = |paths: [&str; 2]| {
            let mount =
                |path| format!("{{source: {{volume_type: pvc, pvc_name: x}}, target: {{path: {path}}}}}");
            let yaml = format!("volume_mounts: [{}]", paths.map(mount).join(", "));
            serde_yaml::from_str::<Image>(&yaml).map_err(|error| error.to_string())
        };
        assert_eq!(
            read(["/a//b/", "/c"]).unwrap().volume_mounts[0].target.path,
            "/a/b"
        );
        assert!(
            read(["/a", "/a/"])
                .unwrap_err()
                .contains("two volumes are mounted at '/a'")
        );
    }

    /// Proves: PW3 (P)
    #[test]
    fn a_volume_can_not_cover_the_content() {
        for path in [
            "/",
            "/opt",
            "/opt/rstudio-connect",
            "/opt/rstudio-connect/mnt/",
            "/opt/rstudio-connect/mnt/app",
            "/opt/offhost",
            "/opt/offhost/bin",
            "data",
            "/data/../opt",
        ] {
            let yaml = format!("{{source: {{volume_type: pvc, pvc_name: x}}, target: {{path: '{path}'}}}}");
            assert!(read(&yaml).is_err(), "{path}");
        }
        let sibling = "{source: {volume_type: pvc, pvc_name: x}, target: {path: /opt/rstudio-connect/mnt2}}";
        assert!(read(sibling).is_ok());
    }
}
