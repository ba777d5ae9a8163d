use std::collections::{BTreeMap, BTreeSet};

use super::*;

const PRODUCTS: [Product; 2] = [Product::Connect, Product::PackageManager];

/// Proves: CN1 (L, P)
#[test]
fn cn1_every_setting_stands_once_and_has_a_variable_of_its_own() {
    for product in PRODUCTS {
        let mut names = BTreeSet::new();
        let mut variables = BTreeSet::new();
        for setting in product.settings() {
            assert!(names.insert(fold(&setting.path())), "{} twice", setting.path());
            assert!(
                variables.insert(setting.variable()),
                "{} twice",
                setting.variable()
            );
            assert!(
                setting.doc.ends_with('.') && !setting.doc.contains('|'),
                "{}",
                setting.path()
            );
        }
        for known in product.known() {
            for key in known.keys {
                assert!(
                    names.insert(fold(&format!("{}.{key}", known.section))),
                    "{key} twice"
                );
            }
            let owned = product.owned_sections().contains(&known.section);
            assert_eq!(owned, !known.keys.is_empty(), "[{}]", known.section);
        }
    }
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_older_names_are_of_the_same_kind_as_the_setting_they_name() {
    for product in PRODUCTS {
        for setting in product.settings() {
            if let Some((section, key)) = setting.alias_of() {
                let target = product.find(section, key).expect("the alias names a setting");
                assert_eq!(
                    (target.kind, target.default),
                    (setting.kind, setting.default),
                    "{}",
                    setting.path()
                );
                assert_eq!(target.alias_of(), None);
            }
        }
    }
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_the_defaults_are_valid() {
    for product in PRODUCTS {
        let document = crate::settings::gcfg::Document::default();
        let none = BTreeMap::new();
        let file = Some((&document, std::path::Path::new("/f")));
        let resolved =
            crate::settings::resolve::resolve(product, file, &none, &BTreeMap::new()).expect("defaults");
        for row in resolved.provenance() {
            let setting = product.find(row.section, row.key).expect("in the table");
            if !row.value.is_empty() {
                let mut layer = crate::settings::layer::Layer::default();
                layer
                    .add(setting, None, Some(&row.value), row.origin)
                    .expect(row.key);
            }
        }
    }
}

/// Proves: CN1 (L, P)
#[test]
fn cn1_variables_are_spelt_without_separators_inside_names() {
    let variable = |section, key| {
        Product::Connect
            .find(section, key)
            .expect("in the table")
            .variable()
    };
    assert_eq!(variable("server", "datadir"), "OFFHOST_SERVER_DATADIR");
    assert_eq!(
        variable("RPackageRepository", "URL"),
        "OFFHOST_RPACKAGEREPOSITORY_NAME_URL"
    );
}
