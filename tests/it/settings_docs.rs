//! `docs/settings.md` is what the table says.

use crate::repository::assert_page;

/// Proves: CN1 (L, P)
#[test]
fn cn1_the_page_of_settings_is_made_from_the_table() {
    assert_page("docs/settings.md", &offhost::settings::table::markdown());
}
