//! Settings that mean something else in Pod mode than their words say, told once at start.

use crate::settings::{Origin, SettingValue};

/// What is told of a setting that is switched on.
const UNUSED: [(&str, &str, &str); 5] = [
    (
        "PAM",
        "UseSession",
        "no PAM session is opened around processes in Pods (PM4); give what its modules do to the image or the Pod",
    ),
    (
        "PAM",
        "ForwardPassword",
        "no password of a visitor reaches a Pod (PM4); give content its credentials from Secrets",
    ),
    (
        "Applications",
        "RunAsCurrentUser",
        "nothing runs as the visitor's account in Pods (CU4); name an account with spec.runAs",
    ),
    (
        "Applications",
        "Supervisor",
        "a supervisor must be in the image, and is named there: supervisor in runtimes.yaml",
    ),
    (
        "Applications",
        "InheritSystemEnvVars",
        "content in Pods inherits nothing from the server in any case (EN3); name variables in spec.env",
    ),
];

/// The settings that ask for something that Pods do not have, each with a sentence.
#[must_use]
pub fn of(settings: &[SettingValue]) -> Vec<(String, &'static str)> {
    let told = settings.iter().filter(|value| is_on(value));
    told.filter_map(|value| {
        let (section, key, sentence) = UNUSED
            .iter()
            .find(|(section, key, _)| value.section == *section && value.key == *key)?;
        Some((format!("{section}.{key}"), *sentence))
    })
    .collect()
}

/// Whether somebody has set it: a default asks for nothing.
fn is_on(value: &SettingValue) -> bool {
    let is_off = matches!(
        value.value.to_lowercase().as_str(),
        "" | "false" | "no" | "off" | "0"
    );
    !is_off && value.origin != Origin::Default
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(section: &'static str, key: &'static str, value: &str, origin: Origin) -> SettingValue {
        SettingValue {
            section,
            subsection: None,
            key,
            value: value.to_owned(),
            origin,
            doc: "",
        }
    }

    /// Proves: CU4 (P), PM4 (P)
    #[test]
    fn what_pods_do_not_have_is_told_where_it_is_asked_for() {
        let file = || Origin::File {
            path: "x.gcfg".into(),
            line: 1,
        };
        let told = of(&[
            value("PAM", "UseSession", "true", file()),
            value("PAM", "ForwardPassword", "false", file()),
            value("PAM", "SessionService", "su", file()),
            value("Applications", "RunAsCurrentUser", "yes", file()),
            value("Applications", "InheritSystemEnvVars", "true", Origin::Default),
        ]);
        let names: Vec<&str> = told.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["PAM.UseSession", "Applications.RunAsCurrentUser"]);
        assert!(told[1].1.contains("spec.runAs"), "{}", told[1].1);
    }
}
