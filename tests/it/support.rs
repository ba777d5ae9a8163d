//! What several integration tests share.

/// Whether the test may run: it needs something that not every machine has, so it runs only where the
/// variable `var` is `1`. Otherwise it says so, and why.
pub(crate) fn needs(name: &str, var: &str, why: &str) -> bool {
    let given = std::env::var(var).is_ok_and(|value| value == "1");
    if !given {
        println!("SKIPPED {name}: {why}; set {var}=1 to run it");
    }
    given
}
