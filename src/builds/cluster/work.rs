//! What a Pod of a build is called, so that one thing is never built by two at a time. Pure.

use sha2::{Digest, Sha256};

/// Longest part of a name that is a package's.
const LONGEST: usize = 24;

/// What is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// Beginning of the names of its Pods.
    pub name: String,
    /// What it is, for people.
    pub of: String,
}

impl Work {
    /// The build of something that is called so. All of `parts` tell it from every other; the same parts give the same name.
    #[must_use]
    pub fn new(called: &str, of: String, parts: &[&str]) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        let digest: String = digest.finalize()[..6]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let slug = slug(called);
        let name = match slug.as_str() {
            "" => format!("build-{digest}"),
            slug => format!("build-{slug}-{digest}"),
        };
        Self { name, of }
    }

    /// The name of the Pod of one of its processes.
    #[must_use]
    pub fn pod_name(&self, what: &str) -> String {
        format!("{}-{}", self.name, step(what))
    }
}

/// One word for a process of a build.
#[must_use]
pub fn step(what: &str) -> &'static str {
    match what {
        "R CMD build" => "source",
        "R CMD INSTALL --build" => "binary",
        _ => "probe",
    }
}

/// The last part of an address, as a part of the name of an object.
fn slug(called: &str) -> String {
    let called = called.trim_end_matches('/');
    let last = called.rsplit(['/', ':']).next().unwrap_or_default();
    let last = last.strip_suffix(".git").unwrap_or(last).to_ascii_lowercase();
    let plain: String = last
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(LONGEST)
        .collect();
    plain.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Proves: GB6 (P)
    #[test]
    fn one_thing_has_one_name() {
        let work = |parts: &[&str]| Work::new("ssh://git@example.com/R/Praise_2.git", String::new(), parts);
        let name = work(&["a", "b"]).pod_name("R CMD build");
        assert_eq!(name, work(&["a", "b"]).pod_name("R CMD build"));
        assert!(
            name.starts_with("build-praise-2-") && name.ends_with("-source"),
            "{name}"
        );
        assert_ne!(name, work(&["ab", ""]).pod_name("R CMD build"));
        assert_ne!(name, work(&["a", "b"]).pod_name("R CMD INSTALL --build"));
    }

    proptest! {
        /// Proves: GB6 (P)
        #[test]
        fn any_address_gives_the_name_of_an_object(called in "\\PC{0,60}") {
            let name = Work::new(&called, String::new(), &[&called]).pod_name("R CMD INSTALL --build");
            prop_assert!(name.len() <= 63, "{}", name);
            prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{}", name);
        }
    }
}
