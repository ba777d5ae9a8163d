//! One place that values come from: the settings file, or the environment. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::error::SettingsError;
use super::gcfg::{Assignment, Document, Header};
use super::origin::Origin;
use super::table::{Kind, Product, Setting, same};
use super::values::{self, ValueError};
use crate::text::{closest, suggestion};

/// A value and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) value: String,
    pub(super) origin: Origin,
}

/// The value of a setting in a section with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedFound {
    pub(super) setting: (&'static str, &'static str),
    pub(super) name: String,
    pub(super) found: Found,
}

/// What one place says.
#[derive(Debug, Default)]
pub(super) struct Layer {
    /// By section and key; an empty list where the values were dropped.
    pub(super) values: BTreeMap<(&'static str, &'static str), Vec<Found>>,
    /// Values in sections with a name, in order of first mention.
    pub(super) named: Vec<NamedFound>,
    /// Sentences about what was left alone.
    pub(super) notes: Vec<String>,
}

impl Layer {
    /// Adds a value after checking it; `None` is a key without `=`.
    pub(super) fn add(
        &mut self,
        setting: &'static Setting,
        name: Option<&str>,
        value: Option<&str>,
        origin: Origin,
    ) -> Result<(), SettingsError> {
        let key = (setting.section, setting.key);
        let value = match value {
            Some(value) => value,
            None if setting.kind == Kind::Bool => "true",
            None if setting.kind.is_multi() => {
                self.values.insert(key, Vec::new());
                return Ok(());
            }
            None => return Err(value_error(setting, name, origin, ValueError::NoValue)),
        };
        if let Err(problem) = check(setting, value) {
            return Err(value_error(setting, name, origin, problem));
        }
        let found = Found {
            value: value.to_owned(),
            origin,
        };
        if let Some(name) = name {
            self.add_named(key, name, found);
            return Ok(());
        }
        let values = self.values.entry(key).or_default();
        if !setting.kind.is_multi() {
            *values = vec![found];
        } else if !found.value.is_empty() {
            values.push(found);
        }
        Ok(())
    }

    pub(super) fn add_named(&mut self, setting: (&'static str, &'static str), name: &str, found: Found) {
        let earlier = self
            .named
            .iter_mut()
            .find(|e| e.setting == setting && e.name == name);
        match earlier {
            Some(entry) => entry.found = found,
            None => self.named.push(NamedFound {
                setting,
                name: name.to_owned(),
                found,
            }),
        }
    }
}

fn value_error(setting: &Setting, name: Option<&str>, origin: Origin, problem: ValueError) -> SettingsError {
    let setting = match name {
        Some(name) => format!("{} \"{name}\".{}", setting.section, setting.key),
        None => setting.path(),
    };
    SettingsError::Value {
        origin,
        setting,
        problem,
    }
}

fn check(setting: &Setting, text: &str) -> Result<(), ValueError> {
    let optional = match setting.kind {
        Kind::Text | Kind::Command | Kind::Object | Kind::SubPath => true,
        Kind::Listen | Kind::Host | Kind::Url => true,
        Kind::Path | Kind::Choice(_) => setting.default.is_empty() && !setting.named,
        kind => kind.is_multi(),
    };
    if text.trim().is_empty() {
        return if optional { Ok(()) } else { Err(ValueError::Empty) };
    }
    match setting.kind {
        Kind::Bool => values::parse_bool(text).map(drop),
        Kind::Count => values::parse_count(text).map(drop),
        Kind::Decimal => values::parse_thousandths(text).map(drop),
        Kind::Duration => values::parse_duration(text).map(drop),
        Kind::Size => values::parse_size(text).map(drop),
        Kind::Command => values::parse_command(text).map(drop),
        Kind::Choice(choices) | Kind::Choices(choices) => values::parse_choice(text, choices).map(drop),
        Kind::Object | Kind::Objects => Ok(values::parse_object_name(text).map(drop)?),
        Kind::SubPath => Ok(values::parse_sub_path(text).map(drop)?),
        Kind::Labels => Ok(values::parse_label(text).map(drop)?),
        Kind::Tolerations => Ok(values::parse_toleration(text).map(drop)?),
        Kind::Listen => values::parse_listen(text).map(drop),
        Kind::Host => values::parse_host(text).map(drop),
        Kind::Url => values::parse_address(text).map(drop),
        Kind::Networks => values::parse_network(text).map(drop),
        Kind::Path | Kind::Paths if !text.starts_with('/') => Err(ValueError::RelativePath(text.to_owned())),
        Kind::Path | Kind::Paths | Kind::Text | Kind::Texts | Kind::Name => Ok(()),
    }
}

/// What the settings file at `path` says.
pub(super) fn from_document(
    product: Product,
    document: &Document,
    path: &Path,
) -> Result<Layer, SettingsError> {
    let at = |line| Origin::File {
        path: path.to_owned(),
        line,
    };
    let mut layer = Layer::default();
    let mut left_sections: BTreeSet<String> = BTreeSet::new();
    let mut left_keys: BTreeSet<String> = BTreeSet::new();
    for header in &document.headers {
        if !check_header(product, header, &at)? {
            left_sections.insert(canonical_section(product, &header.section));
        }
    }
    for entry in &document.assignments {
        if !is_owned(product, &entry.section) {
            continue;
        }
        match product.find(&entry.section, &entry.key) {
            Some(setting) => {
                note_alias(&mut layer, setting, &at(entry.line));
                let (name, value) = (entry.subsection.as_deref(), entry.value.as_deref());
                layer.add(setting, name, value, at(entry.line))?;
            }
            None => drop(left_keys.insert(left_alone(product, entry, &at)?)),
        }
    }
    note_left(&mut layer, path, "sections", left_sections);
    note_left(&mut layer, path, "settings", left_keys);
    Ok(layer)
}

pub(super) fn is_owned(product: Product, section: &str) -> bool {
    product
        .settings()
        .iter()
        .any(|setting| same(setting.section, section))
}

/// Whether the section is one whose settings are read.
fn check_header(
    product: Product,
    header: &Header,
    at: &dyn Fn(usize) -> Origin,
) -> Result<bool, SettingsError> {
    let (origin, section) = (at(header.line), header.section.clone());
    let settings = product.settings().iter();
    let Some(owned) = settings.clone().find(|setting| same(setting.section, &section)) else {
        return match misspelt_section(product, &section) {
            Some(meant) => Err(SettingsError::UnknownSection {
                origin,
                section,
                suggestion: format!("; did you mean [{meant}]?"),
            }),
            None => Ok(false),
        };
    };
    match &header.subsection {
        Some(name) if !owned.named => Err(SettingsError::NameNotTaken {
            origin,
            section,
            name: name.clone(),
        }),
        None if owned.named => Err(SettingsError::NameMissing { origin, section }),
        _ => Ok(true),
    }
}

/// The owned section that was probably meant by one that is not known at all.
pub(super) fn misspelt_section(product: Product, section: &str) -> Option<&'static str> {
    let left = product.known().iter().map(|known| known.section);
    if left.clone().any(|known| same(known, section)) {
        return None;
    }
    let owned = product.owned_sections();
    // Names of one or two letters are close to everything short.
    let candidates = owned.iter().copied().chain(left).filter(|name| name.len() > 2);
    closest(section, candidates).filter(|meant| owned.contains(meant))
}

fn canonical_section(product: Product, section: &str) -> String {
    let known = product.known().iter().find(|known| same(known.section, section));
    format!("[{}]", known.map_or(section, |known| known.section))
}

/// The name of a key that is known and left alone.
fn left_alone(
    product: Product,
    entry: &Assignment,
    at: &dyn Fn(usize) -> Origin,
) -> Result<String, SettingsError> {
    let keys = product.keys_of(&entry.section);
    match keys.iter().find(|key| same(key, &entry.key)) {
        Some(key) => Ok(format!("{}.{key}", owned_name(product, &entry.section))),
        None => Err(SettingsError::UnknownKey {
            origin: at(entry.line),
            section: entry.section.clone(),
            key: entry.key.clone(),
            suggestion: suggestion(&entry.key, keys),
        }),
    }
}

/// The section as the table spells it.
fn owned_name(product: Product, section: &str) -> &str {
    let names = product.owned_sections();
    names
        .into_iter()
        .find(|name| same(name, section))
        .unwrap_or(section)
}

fn note_alias(layer: &mut Layer, setting: &Setting, origin: &Origin) {
    if let Some((section, key)) = setting.alias_of() {
        let older = setting.path();
        layer
            .notes
            .push(format!("{origin}: {older} is another name of {section}.{key}"));
    }
}

fn note_left(layer: &mut Layer, path: &Path, what: &str, names: BTreeSet<String>) {
    if !names.is_empty() {
        let names: Vec<String> = names.into_iter().collect();
        layer.notes.push(format!(
            "{}: {what} not used by this system: {}",
            path.display(),
            names.join(", ")
        ));
    }
}
