//! Every setting that the system uses, and the names of those it knows and leaves alone (CN1).

mod authentication;
mod connect;
mod gateway;
mod known;
mod kubernetes;
mod markdown;
mod package_manager;
#[cfg(test)]
mod tests;

pub(super) use authentication::PROVIDERS;
pub use markdown::markdown;

use super::gcfg::fold;
use crate::names::ENV_PREFIX;

/// Whose configuration file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// `rstudio-connect.gcfg`.
    Connect,
    /// `rstudio-pm.gcfg`.
    PackageManager,
}

impl Product {
    /// Where the file is unless another is named.
    #[must_use]
    pub fn config_file(self) -> &'static str {
        match self {
            Self::Connect => crate::names::CONFIG_FILE,
            Self::PackageManager => "/etc/rstudio-pm/rstudio-pm.gcfg",
        }
    }

    /// Every setting that is read, in the order in which it is shown.
    #[must_use]
    pub fn settings(self) -> &'static [Setting] {
        match self {
            Self::Connect => CONNECT,
            Self::PackageManager => package_manager::SETTINGS,
        }
    }

    /// Names that files of this product may have and that are left alone.
    #[must_use]
    pub fn known(self) -> &'static [Known] {
        match self {
            Self::Connect => known::CONNECT,
            Self::PackageManager => known::PACKAGE_MANAGER,
        }
    }

    /// The setting of these names, spelt in any case.
    #[must_use]
    pub fn find(self, section: &str, key: &str) -> Option<&'static Setting> {
        self.settings()
            .iter()
            .find(|setting| same(setting.section, section) && same(setting.key, key))
    }

    /// The sections that have settings which are read, in order, each once.
    #[must_use]
    pub fn owned_sections(self) -> Vec<&'static str> {
        let mut sections: Vec<&str> = Vec::new();
        for setting in self.settings() {
            if !sections.contains(&setting.section) {
                sections.push(setting.section);
            }
        }
        sections
    }

    /// Every key that may stand in an owned section, read or left alone.
    #[must_use]
    pub fn keys_of(self, section: &str) -> Vec<&'static str> {
        let read = self
            .settings()
            .iter()
            .filter(|setting| same(setting.section, section))
            .map(|s| s.key);
        let left = self.known().iter().filter(|known| same(known.section, section));
        read.chain(left.flat_map(|known| known.keys.iter().copied()))
            .collect()
    }
}

/// The settings of all tables.
const CONNECT: &[Setting] = &joined();

const TABLES: [&[Setting]; 4] = [
    connect::SETTINGS,
    gateway::SETTINGS,
    authentication::SETTINGS,
    kubernetes::SETTINGS,
];

const COUNT: usize = TABLES[0].len() + TABLES[1].len() + TABLES[2].len() + TABLES[3].len();

const fn joined() -> [Setting; COUNT] {
    let mut all = [TABLES[0][0]; COUNT];
    let (mut table, mut row, mut at) = (0, 0, 0);
    while at < all.len() {
        if row == TABLES[table].len() {
            (table, row) = (table + 1, 0);
        }
        all[at] = TABLES[table][row];
        (row, at) = (row + 1, at + 1);
    }
    all
}

/// Whether two names of sections or keys are the same name.
#[must_use]
pub fn same(a: &str, b: &str) -> bool {
    fold(a) == fold(b)
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Name of the section.
    pub section: &'static str,
    /// Name of the key.
    pub key: &'static str,
    /// What its value is.
    pub kind: Kind,
    /// The default as one would write it; empty where there is none. `{Server.DataDir}` stands for that setting.
    pub default: &'static str,
    /// Where its value goes.
    pub feeds: Feeds,
    /// Whether it stands in sections with a name, such as `[RPackageRepository "name"]`.
    pub named: bool,
    /// One sentence about it.
    pub doc: &'static str,
}

impl Setting {
    /// `Section.Key`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    /// The variable that overrides it: `OFFHOST_SECTION_KEY`, with `NAME` between them for named sections.
    #[must_use]
    pub fn variable(&self) -> String {
        let name = if self.named { "NAME_" } else { "" };
        let (section, key) = (self.section.to_uppercase(), self.key.to_uppercase());
        format!("{ENV_PREFIX}{section}_{name}{key}")
    }

    /// The setting that this one is an older name of.
    #[must_use]
    pub fn alias_of(&self) -> Option<(&'static str, &'static str)> {
        match self.feeds {
            Feeds::Alias(section, key) => Some((section, key)),
            Feeds::Field(_) | Feeds::Checked => None,
        }
    }

    /// Whether its value is never shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        let key = self.key.to_lowercase();
        self.kind == Kind::Text && (key.contains("password") || key.contains("secret"))
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A switch.
    Bool,
    /// An integer of 0 or more.
    Count,
    /// A decimal of 0 or more.
    Decimal,
    /// Text.
    Text,
    /// Text that must not be empty, such as the name of an account.
    Name,
    /// Text, repeatable.
    Texts,
    /// An absolute path.
    Path,
    /// An absolute path, repeatable.
    Paths,
    /// A duration.
    Duration,
    /// A size in bytes.
    Size,
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// Some of these words, in any case, repeatable.
    Choices(&'static [&'static str]),
    /// A command: the absolute path of a program, and arguments.
    Command,
    /// The name of a Kubernetes object.
    Object,
    /// Names of Kubernetes objects, repeatable.
    Objects,
    /// A relative path inside a volume.
    SubPath,
    /// Labels `key=value`, repeatable.
    Labels,
    /// Tolerations `key[=value]:Effect[:seconds]`, repeatable.
    Tolerations,
    /// An address to listen at, `:3939` or `127.0.0.1:3939`.
    Listen,
    /// The name of a host.
    Host,
    /// An address of the web without path.
    Url,
    /// Networks `10.0.0.0/8`, repeatable.
    Networks,
}

impl Kind {
    /// Whether entries are collected instead of the last one counting.
    #[must_use]
    pub fn is_multi(self) -> bool {
        matches!(
            self,
            Self::Texts
                | Self::Paths
                | Self::Choices(_)
                | Self::Objects
                | Self::Labels
                | Self::Tolerations
                | Self::Networks
        )
    }

    /// What stands between the values of a repeatable setting in a variable of one line.
    #[must_use]
    pub fn separator(self) -> char {
        match self {
            // A colon is part of each.
            Self::Tolerations | Self::Networks => ',',
            _ => ':',
        }
    }
}

/// Where a setting's value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feeds {
    /// Into this field of [`super::Settings`].
    Field(&'static str),
    /// It is another name of this section and key.
    Alias(&'static str, &'static str),
    /// It is checked and shown; finite tasks have no use for it.
    Checked,
}

/// Names that are accepted and left alone.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Name of the section.
    pub section: &'static str,
    /// Keys, for a section in which others are read. A section that is left alone as a whole has none here.
    pub keys: &'static [&'static str],
}

/// An entry of the tables.
const fn setting(
    section: &'static str,
    key: &'static str,
    kind: Kind,
    default: &'static str,
    feeds: Feeds,
    doc: &'static str,
) -> Setting {
    Setting {
        section,
        key,
        kind,
        default,
        feeds,
        named: false,
        doc,
    }
}

/// An entry of the tables for a section with names.
const fn named(
    section: &'static str,
    key: &'static str,
    kind: Kind,
    feeds: Feeds,
    doc: &'static str,
) -> Setting {
    Setting {
        section,
        key,
        kind,
        default: "",
        feeds,
        named: true,
        doc,
    }
}
