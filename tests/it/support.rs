//! What several integration tests share.

use std::io::Write as _;

/// Whether the test may run: it needs something that not every machine has, so it runs only where the
/// variable `var` is `1`. Otherwise it says so, and why.
pub(crate) fn needs(name: &str, var: &str, why: &str) -> bool {
    let given = std::env::var(var).is_ok_and(|value| value == "1");
    if !given {
        // Past the capture of the test harness, so that a skipped test is seen; in one write, because tests
        // run side by side.
        let line = format!("\nSKIPPED {name}: {why}; set {var}=1 to run it\n");
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
    given
}
