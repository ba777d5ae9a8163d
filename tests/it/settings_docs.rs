//! `docs/settings.md` is what the table says. `UPDATE_DOCS=1` writes it anew.

use std::path::Path;

/// Proves: CN1 (L, P)
#[test]
fn cn1_the_page_of_settings_is_made_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    let page = offhost::settings::table::markdown();
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().expect("it has a parent")).expect("made");
        std::fs::write(&path, &page).expect("written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page,
        "docs/settings.md is not what the table says; run UPDATE_DOCS=1 cargo test --test it"
    );
}
