//! The limits of one builder, as they are written.

use serde::Deserialize;

use crate::settings::BuildLimits;
use crate::settings::values::{ValueError, parse_count, parse_size, parse_thousandths};

/// The limits of one builder, as they are written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct WrittenLimits {
    memory: Option<Amount>,
    cpu: Option<Amount>,
    processes: Option<Amount>,
    file_size: Option<Amount>,
    open_files: Option<Amount>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a limit is a number, or a text such as 2 GiB")]
enum Amount {
    Whole(u64),
    Number(f64),
    Text(String),
}

impl Amount {
    fn text(&self) -> String {
        match self {
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl WrittenLimits {
    /// These where they are given, else those of the settings.
    pub(super) fn over(&self, settings: BuildLimits) -> Result<BuildLimits, (&'static str, ValueError)> {
        type Parse = fn(&str) -> Result<u64, ValueError>;
        let read = |key, given: &Option<Amount>, parse: Parse, else_: u64| match given {
            Some(amount) => parse(&amount.text()).map_err(|error| (key, error)),
            None => Ok(else_),
        };
        Ok(BuildLimits {
            memory: read("limits.memory", &self.memory, parse_size, settings.memory)?,
            cpu_millis: read("limits.cpu", &self.cpu, parse_thousandths, settings.cpu_millis)?,
            processes: read(
                "limits.processes",
                &self.processes,
                parse_count,
                settings.processes,
            )?,
            file_size: read("limits.fileSize", &self.file_size, parse_size, settings.file_size)?,
            open_files: read(
                "limits.openFiles",
                &self.open_files,
                parse_count,
                settings.open_files,
            )?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn some() -> BuildLimits {
        BuildLimits {
            file_size: 2 * MIB,
            open_files: 64,
            ..BuildLimits::default()
        }
    }

    /// Proves: GB1 (B)
    #[test]
    fn a_builder_has_its_own_limits_before_those_of_the_settings() {
        let written: WrittenLimits =
            serde_yaml::from_str("{memory: 1 GiB, cpu: 0.5, processes: 7, openFiles: 0}").unwrap();
        let limits = written.over(some()).unwrap();
        let wanted = BuildLimits {
            memory: 1024 * MIB,
            cpu_millis: 500,
            processes: 7,
            file_size: 2 * MIB,
            open_files: 0,
        };
        assert_eq!(limits, wanted);
        for (text, key) in [
            ("{memory: lots}", "limits.memory"),
            ("{processes: -1}", "limits.processes"),
            ("{fileSize: 1 x}", "limits.fileSize"),
        ] {
            let written: WrittenLimits = serde_yaml::from_str(text).unwrap();
            assert_eq!(written.over(some()).unwrap_err().0, key);
        }
        let wrong = serde_yaml::from_str::<WrittenLimits>("{memory: [1]}").unwrap_err();
        assert!(wrong.to_string().contains("a limit is a number, or"), "{wrong}");
        assert!(serde_yaml::from_str::<WrittenLimits>("{filesize: 1}").is_err());
    }
}
