//! Which of several places gives a setting its value: the environment, the file, the default. Pure.

use std::collections::BTreeMap;
use std::path::Path;

use super::env::from_env;
use super::error::SettingsError;
use super::gcfg::Document;
use super::layer::{Found, Layer, NamedFound, from_document};
use super::origin::{Origin, SettingValue};
use super::table::{Kind, Product, Setting};
use super::values;

/// Defaults that depend on the machine or the user, by section and key.
pub(super) type Defaults = BTreeMap<(&'static str, &'static str), (String, Origin)>;

/// Every setting with its value.
#[derive(Clone, Debug)]
pub struct Resolved {
    product: Product,
    values: BTreeMap<(&'static str, &'static str), Vec<Found>>,
    named: Vec<NamedFound>,
    /// Sentences about what was left alone.
    pub notes: Vec<String>,
}

/// Puts the places together. `file` is the parsed settings file and its path.
pub(super) fn resolve(
    product: Product,
    file: Option<(&Document, &Path)>,
    env: &BTreeMap<String, String>,
    defaults: &Defaults,
) -> Result<Resolved, SettingsError> {
    let mut file = match file {
        Some((document, path)) => from_document(product, document, path)?,
        None => Layer::default(),
    };
    let mut env = from_env(product, env, &file)?;
    let mut resolved = Resolved {
        product,
        values: BTreeMap::new(),
        named: Vec::new(),
        notes: file.notes.drain(..).chain(env.notes.drain(..)).collect(),
    };
    for setting in product
        .settings()
        .iter()
        .filter(|s| s.alias_of().is_none() && !s.named)
    {
        let given = given(product, setting, &mut env).or_else(|| given(product, setting, &mut file));
        let values = given.unwrap_or_else(|| resolved.default_of(setting, defaults));
        resolved.values.insert((setting.section, setting.key), values);
    }
    for entry in env.named.drain(..) {
        file.add_named(entry.setting, &entry.name, entry.found);
    }
    resolved.named = file.named;
    Ok(resolved)
}

/// What a place says under the setting's own name, else under one of its older names.
fn given(product: Product, setting: &Setting, layer: &mut Layer) -> Option<Vec<Found>> {
    let own = (setting.section, setting.key);
    let aliases = product
        .settings()
        .iter()
        .filter(|other| other.alias_of() == Some(own));
    let names = std::iter::once(own).chain(aliases.map(|alias| (alias.section, alias.key)));
    names.filter_map(|name| layer.values.remove(&name)).next()
}

impl Resolved {
    fn default_of(&self, setting: &Setting, defaults: &Defaults) -> Vec<Found> {
        let (value, origin) = match defaults.get(&(setting.section, setting.key)) {
            Some((value, origin)) => (value.clone(), origin.clone()),
            None => (self.filled_in(setting.default), Origin::Default),
        };
        if value.is_empty() && setting.kind.is_multi() {
            return Vec::new();
        }
        vec![Found { value, origin }]
    }

    /// The data directory stands above everything that is below it in the tables.
    fn filled_in(&self, default: &str) -> String {
        match default.strip_prefix("{Server.DataDir}") {
            Some(below) => format!(
                "{}{below}",
                self.one("Server", "DataDir").value.trim_end_matches('/')
            ),
            None => default.to_owned(),
        }
    }

    /// The value of a setting that is not repeatable.
    pub(super) fn one(&self, section: &'static str, key: &'static str) -> &Found {
        self.all(section, key)
            .first()
            .expect("a setting that is not repeatable has its default")
    }

    /// The values of a setting.
    pub(super) fn all(&self, section: &'static str, key: &'static str) -> &[Found] {
        self.values
            .get(&(section, key))
            .expect("every setting of the table has an entry")
    }

    /// The word of a setting with choices, as the table spells it; `None` where it is empty.
    pub(super) fn choice(&self, section: &'static str, key: &'static str) -> Option<&'static str> {
        let choices = match self.product.find(section, key)?.kind {
            Kind::Choice(choices) => choices,
            _ => return None,
        };
        values::parse_choice(&self.one(section, key).value, choices).ok()
    }

    /// The values in sections with a name, in order.
    pub(super) fn named(&self, section: &str, key: &str) -> Vec<&NamedFound> {
        self.named
            .iter()
            .filter(|entry| entry.setting == (section, key))
            .collect()
    }

    /// Every value, in the order of the table.
    #[must_use]
    pub fn provenance(&self) -> Vec<SettingValue> {
        let mut rows = Vec::new();
        for setting in self.product.settings().iter().filter(|s| s.alias_of().is_none()) {
            if setting.named {
                rows.extend(self.named(setting.section, setting.key).into_iter().map(|entry| {
                    let name = Some(entry.name.clone());
                    SettingValue::new(setting, name, &entry.found.value, entry.found.origin.clone())
                }));
                continue;
            }
            let values = self.all(setting.section, setting.key);
            let row = |found: &Found| SettingValue::new(setting, None, &found.value, found.origin.clone());
            rows.extend(values.iter().map(row));
            if values.is_empty() {
                rows.push(SettingValue::new(setting, None, "", Origin::Default));
            }
        }
        rows
    }
}
