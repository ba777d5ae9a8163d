//! What the settings name: the claim, the service account, the images; and the Service of uploads.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, ServiceAccount};
use kube::Api;

use super::client::Connection;
use super::doctor::{Subject, as_controller, is_code, unknown};
use super::upload;
use crate::check::Check;
use crate::names::LEASE;
use crate::runtimes::{ImageMatching, Runtimes};
use crate::settings::{Kubernetes, Loaded};

/// What the settings name.
pub(super) async fn check(connection: &Connection, subject: &Subject<'_>) -> Vec<Check> {
    let settings = &subject.loaded.settings.kubernetes;
    let mut checks = vec![configuration(connection, subject.loaded)];
    checks.extend(namespace(connection, settings));
    checks.push(claim(connection, settings).await);
    checks.push(service_account(connection, settings).await);
    checks.push(helper(settings));
    checks.extend(images(&subject.runtimes));
    checks.push(leader(connection).await);
    checks
}

fn configuration(connection: &Connection, loaded: &Loaded) -> Check {
    const NAME: &str = "configuration";
    match &loaded.config_file {
        Some(file) => Check::pass(NAME, file.display().to_string()),
        None => Check::warn(
            NAME,
            "no file; defaults and variables only",
            format!(
                "give the controller's with --config, or {}",
                as_controller(connection)
            ),
        ),
    }
}

/// The claim and the Pods are in the namespace of the settings.
fn namespace(connection: &Connection, settings: &Kubernetes) -> Option<Check> {
    let named = settings.namespace.as_ref()?;
    (*named != connection.namespace).then(|| {
        Check::warn(
            "namespace",
            format!(
                "Kubernetes.Namespace is '{named}', and '{}' is looked at",
                connection.namespace
            ),
            format!("give --namespace {named}"),
        )
    })
}

async fn claim(connection: &Connection, settings: &Kubernetes) -> Check {
    const NAME: &str = "data claim";
    let namespace = &connection.namespace;
    let Some(name) = &settings.data_dir_pvc_name else {
        return Check::fail(
            NAME,
            "Kubernetes.DataDirPVCName is not set; name the claim of the data directory",
        );
    };
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(connection.client.clone(), namespace);
    let claim = match claims.get(name).await {
        Ok(claim) => claim,
        Err(error) if is_code(&error, 404) => {
            return Check::fail(
                NAME,
                format!(
                    "there is no claim '{name}' in namespace '{namespace}'; make it, or correct Kubernetes.DataDirPVCName"
                ),
            );
        }
        Err(error) => return unknown(NAME, "get", "persistentvolumeclaims", connection, error),
    };
    let below = settings
        .data_dir_pvc_sub_path
        .as_ref()
        .map(|path| format!(", below '{path}'"));
    let place = format!("'{name}'{}", below.unwrap_or_default());
    let status = claim.status.unwrap_or_default();
    let phase = status.phase.unwrap_or_default();
    if phase == "Lost" {
        return Check::fail(
            NAME,
            format!("{place} has lost its volume; restore it, or name another claim"),
        );
    }
    let wanted = claim.spec.and_then(|spec| spec.access_modes);
    let modes = status.access_modes.or(wanted).unwrap_or_default();
    let can = |mode: &str| modes.iter().any(|known| known == mode);
    if can("ReadWriteMany") {
        return match phase.as_str() {
            "Bound" => Check::pass(NAME, format!("{place}, bound, ReadWriteMany")),
            _ => pending(NAME, &place, "ReadWriteMany"),
        };
    }
    if can("ReadWriteOnce") {
        return Check::warn(
            NAME,
            format!("{place} can be used on one node at a time (ReadWriteOnce)"),
            "where there are several nodes, use a claim that is ReadWriteMany, or keep the controller and content on one node with Kubernetes.NodeSelector",
        );
    }
    Check::fail(
        NAME,
        format!(
            "{place} can not be written by several Pods ({}); use a claim that is ReadWriteMany, or ReadWriteOnce on one node",
            modes.join(", ")
        ),
    )
}

fn pending(name: &'static str, place: &str, mode: &str) -> Check {
    Check::warn(
        name,
        format!("{place}, {mode}, waits for a volume"),
        "some storage classes bind with the first Pod; else see: kubectl describe pvc",
    )
}

async fn service_account(connection: &Connection, settings: &Kubernetes) -> Check {
    const NAME: &str = "service account";
    let name = settings.service_account.as_deref().unwrap_or("default");
    let accounts: Api<ServiceAccount> = Api::namespaced(connection.client.clone(), &connection.namespace);
    match accounts.get(name).await {
        Ok(_) => Check::pass(NAME, format!("content runs with '{name}', without its token")),
        Err(error) if is_code(&error, 404) => Check::fail(
            NAME,
            format!(
                "there is no service account '{name}' in namespace '{}'; make it, or correct Kubernetes.ServiceAccount",
                connection.namespace
            ),
        ),
        Err(error) => unknown(NAME, "get", "serviceaccounts", connection, error),
    }
}

fn helper(settings: &Kubernetes) -> Check {
    const NAME: &str = "helper image";
    match &settings.exec_image {
        None => Check::fail(
            NAME,
            "Kubernetes.ExecImage is not set; name the image with offhost-exec",
        ),
        Some(image) => match image_fault(image) {
            Some(fault) => Check::fail(
                NAME,
                format!("Kubernetes.ExecImage '{image}' {fault}; correct it"),
            ),
            None => Check::pass(NAME, image.clone()),
        },
    }
}

/// The images of `runtimes.yaml`.
fn images(runtimes: &Result<Runtimes, String>) -> Vec<Check> {
    const NAME: &str = "images";
    let runtimes = match runtimes {
        Ok(runtimes) => &runtimes.runtimes,
        Err(error) => return vec![Check::fail(NAME, error)],
    };
    if runtimes.is_empty() {
        return vec![Check::fail(
            NAME,
            "runtimes.yaml names no image, so that nothing will run; add one",
        )];
    }
    let faulty = runtimes.iter().filter_map(|runtime| {
        let fault = image_fault(&runtime.name)?;
        Some(Check::fail(
            NAME,
            format!("the image '{}' {fault}; correct runtimes.yaml", runtime.name),
        ))
    });
    let mut checks: Vec<Check> = faulty.collect();
    let count = runtimes.len();
    if runtimes
        .iter()
        .all(|runtime| runtime.matching != ImageMatching::Any)
    {
        checks.push(Check::warn(
            NAME,
            format!("none of the {count} images is chosen unasked"),
            "give one of them the matching 'any', or name one in each job",
        ));
    }
    let loose = runtimes
        .iter()
        .filter(|runtime| !runtime.name.contains("@sha256:"))
        .count();
    checks.push(if loose == 0 {
        Check::pass(NAME, format!("{count}, all named by digest"))
    } else {
        Check::warn(
            NAME,
            format!("{count}, of which {loose} are named without a digest: what is pushed under such a name changes what runs"),
            "write NAME@sha256:DIGEST",
        )
    });
    checks
}

/// What is wrong with the name of an image.
fn image_fault(name: &str) -> Option<&'static str> {
    let (rest, digest) = match name.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (name, None),
    };
    let is_hex =
        |digits: &str| digits.len() == 64 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if digest.is_some_and(|digest| !digest.strip_prefix("sha256:").is_some_and(is_hex)) {
        return Some("has a digest that is not sha256: and 64 hexadecimal digits");
    }
    // A colon before the last slash is that of a port.
    let (path, tag) = match rest.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (rest, None),
    };
    let tag_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if tag.is_some_and(|tag| tag.is_empty() || tag.len() > 128 || !tag.chars().all(tag_letter)) {
        return Some("has a tag that is none");
    }
    let (host, below) = match path.split_once('/') {
        Some((host, below)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), below),
        _ => (None, path),
    };
    let host_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if host.is_some_and(|host| !host.chars().all(host_letter)) {
        return Some("names a registry that is none");
    }
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    let is_part = |part: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        part.chars().all(letter) && edge(part.chars().next()) && edge(part.chars().next_back())
    };
    let is_name = below.split('/').all(is_part);
    (!is_name).then_some("is no name of an image: lower-case letters, digits and . _ - between slashes")
}

/// Whether a controller leads.
async fn leader(connection: &Connection) -> Check {
    const NAME: &str = "controller";
    let leases: Api<Lease> = Api::namespaced(connection.client.clone(), &connection.namespace);
    match leases.get(LEASE).await {
        Ok(lease) => match lease
            .spec
            .and_then(|spec| spec.holder_identity)
            .filter(|holder| !holder.is_empty())
        {
            Some(holder) => Check::pass(NAME, format!("'{holder}' leads, or has led last")),
            None => Check::warn(NAME, "none leads", "see whether its Pods run: kubectl get pods"),
        },
        Err(error) if is_code(&error, 404) => Check::warn(
            NAME,
            format!("none has led in namespace '{}' yet", connection.namespace),
            "see whether its Pods run: kubectl get pods",
        ),
        Err(error) => unknown(NAME, "get", "leases", connection, error),
    }
}

/// Where publishers send content.
pub(super) async fn upload_service(connection: &Connection) -> Check {
    const NAME: &str = "uploads";
    match upload::service(connection, None).await {
        Ok(service) => Check::pass(NAME, format!("content is sent to the Service '{service}'")),
        Err(error) => Check::fail(NAME, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_are_told_from_what_is_none() {
        let digest = "a".repeat(64);
        for name in [
            "content",
            "library/content:4.2",
            "registry.example:5000/team/content:r4.2-py3.11",
            "localhost/a__b.c-d",
            &format!("ghcr.example/content@sha256:{digest}"),
            &format!("content:1@sha256:{digest}"),
        ] {
            assert_eq!(image_fault(name), None, "{name}");
        }
        for name in [
            "",
            "Content",
            "content:",
            "content@sha256:abc",
            "https://registry.example/content",
            "a//b",
            "a b",
            "content:a b",
            "-a",
        ] {
            assert!(image_fault(name).is_some(), "{name}");
        }
    }

    #[test]
    fn images_that_nothing_runs_in_are_told() {
        let found = |runtimes: &Result<Runtimes, String>| images(runtimes).remove(0);
        let none = found(&Ok(Runtimes::default()));
        assert!(none.found.contains("nothing will run"), "{none:?}");
        let broken = found(&Err("runtimes.yaml:3: unknown key".to_owned()));
        assert!(broken.found.contains("unknown key"), "{broken:?}");
    }
}
