//! `[Kubernetes]`, and the resources of `[Scheduler]`.

use std::collections::BTreeMap;

use super::{Built, Reader, parse_small};
use crate::settings::error::SettingsError;
use crate::settings::layer::Found;
use crate::settings::typed::{Amounts, Devices, ImageVolumes, Kubernetes, Scheduler};
use crate::settings::values::{self, ObjectError, Toleration, ValueError};

impl Reader<'_> {
    pub(super) fn kubernetes(&self) -> Built<Kubernetes> {
        const SECTION: &str = "Kubernetes";
        let ttl = self.parsed(SECTION, "TTLSecondsAfterFinished", parse_seconds)?;
        Ok(Kubernetes {
            home_size_limit: self.parsed(SECTION, "HomeSizeLimit", values::parse_size)?,
            ttl_seconds_after_finished: Some(ttl).filter(|seconds| *seconds > 0),
            ..self.pods()?
        })
    }

    /// What Pods of content and of Git builds have in common.
    pub(super) fn pods(&self) -> Built<Kubernetes> {
        const SECTION: &str = "Kubernetes";
        Ok(Kubernetes {
            namespace: self.optional_text(SECTION, "Namespace"),
            data_dir_pvc_name: self.optional_text(SECTION, "DataDirPVCName"),
            data_dir_pvc_sub_path: self.sub_path()?,
            exec_image: self.optional_text(SECTION, "ExecImage"),
            image_volumes: match self.choice(SECTION, "ImageVolumes") {
                Some("always") => ImageVolumes::Always,
                Some("never") => ImageVolumes::Never,
                _ => ImageVolumes::Auto,
            },
            image_pull_policy: self.choice(SECTION, "ImagePullPolicy"),
            image_pull_secrets: self
                .texts(SECTION, "ImagePullSecret")
                .iter()
                .map(|name| name.trim().to_owned())
                .collect(),
            service_account: self.optional_text(SECTION, "ServiceAccount"),
            runtime_class_name: self.optional_text(SECTION, "RuntimeClassName"),
            priority_class_name: self.optional_text(SECTION, "PriorityClassName"),
            user_namespaces: self.switch(SECTION, "UserNamespaces")?,
            node_selector: self.node_selector()?,
            tolerations: self.tolerations()?,
            tmp_size_limit: self.parsed(SECTION, "TmpSizeLimit", values::parse_size)?,
            node_lost_seconds: self.parsed(SECTION, "NodeLostSeconds", parse_seconds)?,
            ..Kubernetes::default()
        })
    }

    pub(super) fn scheduler(&self) -> Built<Scheduler> {
        Ok(Scheduler {
            cpu: self.amounts(
                ["CPURequest", "CPULimit", "MaxCPURequest", "MaxCPULimit"],
                values::parse_thousandths,
            )?,
            memory: self.amounts(
                [
                    "MemoryRequest",
                    "MemoryLimit",
                    "MaxMemoryRequest",
                    "MaxMemoryLimit",
                ],
                values::parse_size,
            )?,
            ephemeral_storage: self.amounts(
                [
                    "EphemeralStorageRequest",
                    "EphemeralStorageLimit",
                    "MaxEphemeralStorageRequest",
                    "MaxEphemeralStorageLimit",
                ],
                values::parse_size,
            )?,
            nvidia_gpu: self.devices("NvidiaGPULimit", "MaxNvidiaGPULimit")?,
            amd_gpu: self.devices("AMDGPULimit", "MaxAMDGPULimit")?,
            apps: self.apps()?,
        })
    }

    /// The resources of a build. They have no bounds: whoever writes a package asks for nothing.
    pub(super) fn build_resources(&self) -> Built<Scheduler> {
        let amounts = |request, limit, parse: fn(&str) -> Result<u64, ValueError>| {
            Ok::<_, SettingsError>(Amounts {
                request: self.parsed("Scheduler", request, parse)?,
                limit: self.parsed("Scheduler", limit, parse)?,
                ..Amounts::default()
            })
        };
        Ok(Scheduler {
            cpu: amounts("CPURequest", "CPULimit", values::parse_thousandths)?,
            memory: amounts("MemoryRequest", "MemoryLimit", values::parse_size)?,
            ephemeral_storage: amounts(
                "EphemeralStorageRequest",
                "EphemeralStorageLimit",
                values::parse_size,
            )?,
            ..Scheduler::default()
        })
    }

    fn amounts(
        &self,
        [request, limit, max_request, max_limit]: [&'static str; 4],
        parse: fn(&str) -> Result<u64, ValueError>,
    ) -> Built<Amounts> {
        const SECTION: &str = "Scheduler";
        Ok(Amounts {
            request: self.parsed(SECTION, request, parse)?,
            limit: self.parsed(SECTION, limit, parse)?,
            max_request: self.parsed(SECTION, max_request, parse)?,
            max_limit: self.parsed(SECTION, max_limit, parse)?,
        })
    }

    fn devices(&self, limit: &'static str, max_limit: &'static str) -> Built<Devices> {
        Ok(Devices {
            limit: self.parsed("Scheduler", limit, values::parse_count)?,
            max_limit: self.parsed("Scheduler", max_limit, values::parse_count)?,
        })
    }

    fn optional_text(&self, section: &'static str, key: &'static str) -> Option<String> {
        Some(self.text(section, key)).filter(|text| !text.is_empty())
    }

    /// One of the words of the table, as the table spells it.
    fn choice(&self, section: &'static str, key: &'static str) -> Option<&'static str> {
        self.0.choice(section, key)
    }

    fn sub_path(&self) -> Built<Option<String>> {
        let text = self.text("Kubernetes", "DataDirPVCSubPath");
        if text.is_empty() {
            return Ok(None);
        }
        self.parsed("Kubernetes", "DataDirPVCSubPath", |text| {
            Ok(values::parse_sub_path(text)?)
        })
        .map(Some)
    }

    fn node_selector(&self) -> Built<BTreeMap<String, String>> {
        let mut labels = BTreeMap::new();
        for found in self.0.all("Kubernetes", "NodeSelector") {
            let refused = |problem| refused("Kubernetes.NodeSelector", found, problem);
            let (key, value) = values::parse_label(&found.value).map_err(refused)?;
            if labels.get(&key).is_some_and(|other| *other != value) {
                return Err(refused(ObjectError::LabelTwice(found.value.clone())));
            }
            labels.insert(key, value);
        }
        Ok(labels)
    }

    fn tolerations(&self) -> Built<Vec<Toleration>> {
        let parse = |found: &Found| {
            values::parse_toleration(&found.value)
                .map_err(|problem| refused("Kubernetes.Toleration", found, problem))
        };
        self.0.all("Kubernetes", "Toleration").iter().map(parse).collect()
    }
}

fn refused(setting: &str, found: &Found, problem: ObjectError) -> SettingsError {
    SettingsError::Value {
        origin: found.origin.clone(),
        setting: setting.to_owned(),
        problem: problem.into(),
    }
}

/// At most a year: more is a mistake, and no field of Kubernetes takes all that a number could be.
fn parse_seconds(text: &str) -> Result<u32, ValueError> {
    match parse_small(text)? {
        seconds @ 0..=31_536_000 => Ok(seconds),
        _ => Err(ValueError::TooLarge(text.to_owned())),
    }
}
