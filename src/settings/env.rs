//! What the variables `OFFHOST_SECTION_KEY` say. Pure.

use std::collections::BTreeMap;

use super::error::SettingsError;
use super::layer::{Layer, is_owned, misspelt_section};
use super::origin::Origin;
use super::table::{Product, Setting, same};
use crate::names::ENV_PREFIX;
use crate::text::{closest, suggestion};

/// Variables with the prefix that are no settings.
const OTHERS: [&str; 3] = ["TEST_", "LOG", "CONFIG"];

/// What `env` says. `file` is what the settings file says: a variable for a section with a name means the
/// one that the file has, if any.
pub(super) fn from_env(
    product: Product,
    env: &BTreeMap<String, String>,
    file: &Layer,
) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    let mut left = Vec::new();
    for (name, value) in env {
        let Some(rest) = name.strip_prefix(ENV_PREFIX) else {
            continue;
        };
        if is_other(rest) || is_service_link(rest, value) {
            continue;
        }
        let origin = Origin::Env { name: name.clone() };
        if let Some(setting) = product
            .settings()
            .iter()
            .find(|s| !s.named && s.variable() == *name)
        {
            add(&mut layer, setting, value, &origin)?;
        } else if let Some((setting, section_name)) = named_setting(product, rest) {
            let section_name = file_name(file, setting, section_name);
            layer.add(setting, Some(&section_name), Some(value), origin)?;
        } else if !is_setting_of_other(product, name, rest) {
            check_unknown(product, name, rest)?;
            left.push(name.as_str());
        }
    }
    if !left.is_empty() {
        layer
            .notes
            .push(format!("variables not used by this system: {}", left.join(", ")));
    }
    Ok(layer)
}

fn is_other(rest: &str) -> bool {
    OTHERS.iter().any(|other| match other.ends_with('_') {
        true => rest.starts_with(other),
        false => rest == *other,
    })
}

/// Kubernetes describes every Service of a namespace to every Pod in variables, and ours is called so too.
fn is_service_link(rest: &str, value: &str) -> bool {
    let is_port = rest == "PORT" || rest.ends_with("_PORT");
    let padded = format!("_{rest}_");
    padded.contains("_SERVICE_HOST_")
        || padded.contains("_SERVICE_PORT_")
        || padded.contains("_PORT_") && (padded.contains("_TCP_") || padded.contains("_UDP_"))
        || is_port && value.contains("://")
}

fn add(
    layer: &mut Layer,
    setting: &'static Setting,
    value: &str,
    origin: &Origin,
) -> Result<(), SettingsError> {
    if !setting.kind.is_multi() {
        return layer.add(setting, None, Some(value), origin.clone());
    }
    layer.add(setting, None, None, origin.clone())?;
    let separator = if value.contains('\n') {
        '\n'
    } else {
        setting.kind.separator()
    };
    for item in value.split(separator).map(str::trim) {
        layer.add(setting, None, Some(item), origin.clone())?;
    }
    Ok(())
}

/// The setting and the name in `SECTION_NAME_KEY`.
fn named_setting(product: Product, rest: &str) -> Option<(&'static Setting, &str)> {
    product
        .settings()
        .iter()
        .filter(|setting| setting.named)
        .find_map(|setting| {
            let (section, key) = (setting.section.to_uppercase(), setting.key.to_uppercase());
            let name = rest.strip_prefix(&section)?.strip_prefix('_')?;
            let name = name.strip_suffix(&key)?.strip_suffix('_')?;
            (!name.is_empty()).then_some((setting, name))
        })
}

fn file_name(file: &Layer, setting: &Setting, in_variable: &str) -> String {
    let is_same = |name: &str| {
        let as_variable: String = name
            .chars()
            .map(|c| if c.is_alphanumeric() { c } else { '_' })
            .collect();
        as_variable.eq_ignore_ascii_case(in_variable)
    };
    let named = file
        .named
        .iter()
        .find(|entry| entry.setting.0 == setting.section && is_same(&entry.name));
    named.map_or_else(|| in_variable.to_owned(), |entry| entry.name.clone())
}

/// One environment serves both products.
fn is_setting_of_other(product: Product, name: &str, rest: &str) -> bool {
    let other = match product {
        Product::Connect => Product::PackageManager,
        Product::PackageManager => Product::Connect,
    };
    other.settings().iter().any(|setting| setting.variable() == name) || named_setting(other, rest).is_some()
}

fn check_unknown(product: Product, name: &str, rest: &str) -> Result<(), SettingsError> {
    let (section, key) = rest.split_once('_').unwrap_or((rest, ""));
    if key.is_empty() {
        return Ok(());
    }
    let left_alone = product.keys_of(section).iter().any(|known| same(known, key));
    let misspelt = is_owned(product, section) || misspelt_section(product, section).is_some();
    if left_alone || !misspelt {
        return Ok(());
    }
    // Only the key is compared where the section is right: what all variables share makes them look close.
    let in_section = product
        .settings()
        .iter()
        .filter(|setting| same(setting.section, section));
    let by_key = closest(key, in_section.map(|setting| setting.key))
        .and_then(|key| product.find(section, key))
        .map(|setting| format!("; did you mean '{}'?", setting.variable()));
    let suggestion = match by_key {
        Some(suggestion) => suggestion,
        None if is_owned(product, section) => String::new(),
        None => {
            let variables: Vec<String> = product.settings().iter().map(Setting::variable).collect();
            suggestion(name, variables.iter().map(String::as_str))
        }
    };
    Err(SettingsError::UnknownVariable {
        name: name.to_owned(),
        suggestion,
    })
}
