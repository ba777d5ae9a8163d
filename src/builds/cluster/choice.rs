//! Which images of `runtimes.yaml` can build, in the order in which they are tried. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::runtimes::{Choice, ImageMatching, Installation, LanguageName, Runtime, Runtimes, Version};

/// Every R that builds may have: for each entry of `Server.RVersion` the images that have it, by its path or by its version; where
/// none is named, all of those that content gets without naming them, the newest R first.
#[must_use]
pub fn choices(runtimes: &Runtimes, wanted: &[PathBuf]) -> Vec<Choice> {
    let all = runtimes.runtimes.iter();
    let all = all.filter(|runtime| runtime.matching != ImageMatching::None);
    let all = all.flat_map(|runtime| {
        let found = runtime.installations.get(&LanguageName::R).into_iter().flatten();
        found.map(move |installation| (runtime, installation))
    });
    let all: Vec<(&Runtime, &Installation)> = all.collect();
    if wanted.is_empty() {
        let mut free: Vec<_> = all
            .into_iter()
            .filter(|(runtime, _)| runtime.matching == ImageMatching::Any)
            .collect();
        // A sort keeps the order of the file where versions are equal.
        free.sort_by_key(|(_, installation)| Reverse(Version::parse(&installation.version).ok()));
        return free.into_iter().map(choice).collect();
    }
    let named = wanted
        .iter()
        .flat_map(|home| all.iter().filter(|(_, installation)| is(installation, home)));
    named.copied().map(choice).collect()
}

/// Whether this is the R of a home as `Server.RVersion` names it: `/opt/R/4.4.1`, with or without `bin/R`, or its version.
fn is(installation: &Installation, home: &Path) -> bool {
    let path = Path::new(&installation.path);
    let version = home.file_name().and_then(|name| name.to_str());
    path == home || path == home.join("bin/R") || version == Some(&installation.version)
}

fn choice((runtime, installation): (&Runtime, &Installation)) -> Choice {
    Choice {
        runtime: runtime.name.clone(),
        supervisor: runtime.supervisor.clone(),
        interpreters: BTreeMap::from([(LanguageName::R, installation.clone())]),
        explanation: Vec::new(),
        volume_mounts: runtime.volume_mounts.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtimes() -> Runtimes {
        let text = r#"
- name: old
  r: {installations: [{path: /opt/R/4.1.3/bin/R, version: "4.1.3"}]}
- name: named-only
  matching: exact
  r: {installations: [{path: /opt/R/4.5.0/bin/R, version: "4.5.0"}]}
- name: off
  matching: none
  r: {installations: [{path: /opt/R/4.6.0/bin/R, version: "4.6.0"}]}
- name: new
  supervisor: /bin/nice -n 5
  r: {installations: [{path: /usr/bin/R, version: "4.2.2"}, {path: /opt/R/4.10.0/bin/R, version: "4.10.0"}]}
- name: python
  python: {installations: [{path: /usr/bin/python3, version: "3.11.2"}]}
"#;
        crate::runtimes::parse(text, "runtimes.yaml").unwrap()
    }

    fn names(wanted: &[&str]) -> Vec<String> {
        let wanted: Vec<PathBuf> = wanted.iter().map(PathBuf::from).collect();
        let choices = choices(&runtimes(), &wanted);
        let name = |choice: &Choice| {
            format!(
                "{} {}",
                choice.runtime,
                choice.interpreters[&LanguageName::R].version
            )
        };
        choices.iter().map(name).collect()
    }

    /// Proves: GB6 (P), EX4 (P)
    #[test]
    fn the_newest_r_is_tried_first_and_named_ones_in_their_order() {
        assert_eq!(names(&[]), ["new 4.10.0", "new 4.2.2", "old 4.1.3"]);
        assert_eq!(
            names(&["/opt/R/4.5.0", "/opt/R/4.1.3/bin/R"]),
            ["named-only 4.5.0", "old 4.1.3"]
        );
        assert_eq!(names(&["/somewhere/4.2.2"]), ["new 4.2.2"]);
        assert_eq!(names(&["/opt/R/4.6.0"]), [""; 0], "an image that is off");
    }

    /// Proves: SV3 (P)
    #[test]
    fn the_supervisor_of_the_image_comes_along() {
        assert_eq!(choices(&runtimes(), &[])[0].supervisor, ["/bin/nice", "-n", "5"]);
    }
}
