//! Reads the manifest of an application (pure): as strictly as a job file.

use super::app::{AppFile, is_path};
use super::checks::{self, Fault};
use super::{JobFileError, bounds, load};
use crate::names::KIND_CONTENT_APP;

/// Reads the manifest `file` of a `ContentApp` with the content `text`.
///
/// # Errors
/// [`JobFileError`], which names the file and the line or the field.
pub fn parse_app(text: &str, file: &str) -> Result<AppFile, JobFileError> {
    load::parse(text, file, KIND_CONTENT_APP, check)
}

fn check(app: &AppFile) -> Result<(), Fault> {
    if let Some(fault) = bounds::first_fault(app) {
        return Err(fault);
    }
    let spec = &app.spec;
    for (field, value) in [
        ("metadata.name", Some(&app.metadata.name)),
        ("metadata.namespace", app.metadata.namespace.as_ref()),
        ("spec.content", spec.content.as_ref()),
        ("spec.variant", spec.variant.as_ref()),
    ] {
        if let Some(value) = value {
            checks::label(field, value)?;
        }
    }
    if let Some(path) = spec.path.as_ref().filter(|path| !is_path(path)) {
        let problem = format!(
            "is '{path}'; write /NAME or /NAME/NAME, each of letters, digits and '._~-' with a letter or digit in front"
        );
        return Err(("spec.path".to_owned(), problem));
    }
    for part in spec.host.iter().flat_map(|host| host.split('.')) {
        checks::label("spec.host", part)?;
    }
    let (least, most) = (spec.min_processes, spec.max_processes);
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        let problem = format!("is {least}, and spec.maxProcesses is {most}; raise that or lower this");
        return Err(("spec.minProcesses".to_owned(), problem));
    }
    if let Some(access) = &spec.access {
        checks::access(access)?;
    }
    checks::bundle(&spec.bundle)?;
    checks::env(&spec.env)?;
    checks::resources(&spec.resources)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(spec: &str) -> Result<AppFile, String> {
        let text = format!(
            "apiVersion: offhost.dev/v1alpha1\nkind: ContentApp\nmetadata: {{name: sales}}\nspec:\n  {spec}\n"
        );
        parse_app(&text, "sales.yaml").map_err(|error| error.to_string())
    }

    /// Proves: PK5 (L, P), PK9 (L, P)
    #[test]
    fn a_manifest_is_read() {
        let app = read(
            "{bundle: {path: shiny}, path: /dash/a.b, host: a.example.com, minProcesses: 1, appMode: shiny}",
        );
        let app = app.unwrap();
        assert_eq!(app.spec.path_of("sales"), "/dash/a.b");
        assert_eq!(read("{}").unwrap().spec.path_of("sales"), "/content/sales");
        let job = app.spec.as_job("sales");
        assert_eq!(job.content.as_deref(), Some("sales"));
        assert_eq!(job.app_mode.as_deref(), Some("shiny"));
        assert_eq!(job.bundle.path.as_deref(), Some("shiny"));
    }

    /// Proves: PK5 (L, P)
    #[test]
    fn every_mistake_is_named_with_its_place() {
        for (spec, said) in [
            ("{minProceses: 1}", "sales.yaml:5: unknown key 'minProceses'"),
            ("{minProceses: 1}", "did you mean 'minProcesses'?"),
            ("{affinity: Sesion}", "unknown value 'Sesion'"),
            ("{maxProcesses: 0}", "spec.maxProcesses is 0; at least 1"),
            (
                "{minProcesses: 3, maxProcesses: 2}",
                "spec.minProcesses is 3, and",
            ),
            ("{path: /a/}", "spec.path is '/a/'; write"),
            ("{path: sales}", "spec.path is 'sales'; write"),
            ("{path: /a/../b}", "spec.path is '/a/../b'; write"),
            ("{host: A.example}", "spec.host is 'A'"),
            ("{content: No}", "spec.content is 'No'"),
            ("{bundle: {path: a, id: \"1\"}}", "spec.bundle has more than one"),
            ("{env: [{name: A}]}", "spec.env[0] has neither"),
            ("{access: {type: Login}}", "unknown value 'Login'"),
            (
                "{access: {type: Named}}",
                "spec.access has the type Named and names nobody",
            ),
            (
                "{access: {type: All, users: [a]}}",
                "spec.access.users counts only with the type Named",
            ),
            (
                "{access: {type: Named, groups: [a, a]}}",
                "spec.access.groups names 'a' twice",
            ),
            ("{access: {type: Named, users: [\"\"]}}", "spec.access.users[0]"),
            ("{access: {type: Named, user: [a]}}", "did you mean 'users'?"),
            ("{resources: {limits: {memry: 1Gi}}}", "did you mean 'memory'?"),
        ] {
            let error = read(spec).unwrap_err();
            assert!(error.contains(said), "{spec}: {error}");
        }
        let other = parse_app("apiVersion: offhost.dev/v1alpha1\nkind: ContentJob\n", "a.yaml");
        let other = other.unwrap_err().to_string();
        assert_eq!(
            other,
            "a.yaml: kind is 'ContentJob', and 'ContentApp' is wanted here; correct it"
        );
    }
}
