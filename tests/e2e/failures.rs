//! What goes wrong, and what is said of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::job::{condition, object, shell, with};
use crate::release::shared;
use crate::{api, cluster};

/// Proves: OH1 (P)
#[test]
fn an_image_that_is_not_there_is_named() {
    if !cluster::there() {
        return;
    }
    let spec = with(
        shell("true"),
        &json!({
            "runtime": {"name": cluster::image("nothing")}, "startDeadlineSeconds": 15,
        }),
    );
    let job = shared().job("no-image", spec);
    let said = job.says("Succeeded", "Unknown", "ImageUnavailable");
    assert!(said.contains(&cluster::image("nothing")), "{said}");
    let said = job.fails("ImageUnavailable");
    assert!(said.contains("startDeadlineSeconds"), "{said}");
}

/// Proves: OH1 (P), SC7 (P)
#[test]
fn a_job_that_fits_no_node_says_why() {
    if !cluster::there() {
        return;
    }
    let huge = json!({"resources": {"requests": {"cpu": "500"}}, "startDeadlineSeconds": 20});
    let job = shared().job("no-node", with(shell("true"), &huge));
    let said = job.says("PodScheduled", "False", "Unschedulable");
    assert!(said.contains("cpu"), "{said}");
    job.delete();
    job.is_gone();
}

/// Proves: OH1 (P), SC7 (P), PK10 (P)
#[test]
fn the_end_of_a_process_is_told_with_its_cause() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let hungry = release.job(
        "out-of-memory",
        with(
            shell("python3 -c 'x = bytearray(400 << 20); print(len(x))'"),
            &json!({"resources": {"limits": {"memory": "64Mi"}}}),
        ),
    );
    let slow = release.job(
        "deadline",
        with(shell("sleep 300"), &json!({"timeoutSeconds": 2})),
    );
    let wrong = release.job("exit-code", shell("echo last words; exit 7"));
    let killed = release.job("signal", shell("kill -KILL $$"));
    let said = wrong.fails("ProcessFailed");
    assert!(
        said.contains("exit code 7") && said.contains("offhost logs exit-code"),
        "{said}"
    );
    let seen = wrong.get();
    assert_eq!(seen["status"]["exitCode"], 7);
    assert_eq!(wrong.log(&seen, 0), "last words\n");
    assert!(killed.fails("ProcessFailed").contains("signal 9"));
    let said = slow.fails("DeadlineExceeded");
    assert!(
        said.contains("2 s") && said.contains("spec.timeoutSeconds"),
        "{said}"
    );
    let said = hungry.fails("OutOfMemory");
    assert!(
        said.contains("64Mi") && said.contains("spec.resources.limits.memory"),
        "{said}"
    );
    // What is known stays when the Pod has gone.
    for pod in hungry.pods() {
        let name = pod["metadata"]["name"].as_str().unwrap();
        api::delete(&format!("{}/{name}", api::core(&release.namespace, "pods")));
    }
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(condition(&hungry.get(), "Succeeded").reason, "OutOfMemory");
}

/// Proves: SV2 (P)
#[test]
fn a_supervisor_that_the_image_lacks_is_named() {
    if !cluster::there() {
        return;
    }
    let spec = with(
        shell("true"),
        &json!({"runtime": {"name": cluster::image("offhost")}}),
    );
    let said = shared().job("no-supervisor", spec).fails("SupervisorRefused");
    assert!(
        said.contains("/usr/local/bin/with-modules") && said.contains(&cluster::image("offhost")),
        "{said}"
    );
}

/// Proves: OH1 (P), EN4 (P)
#[test]
fn what_is_missing_is_told_soon_and_the_job_goes_on_when_it_comes() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let from = json!({"secretKeyRef": {"name": "database", "key": "password"}});
    let spec = with(
        shell("echo it is $PASSWORD"),
        &json!({"env": [{"name": "PASSWORD", "valueFrom": from}]}),
    );
    let begun = Instant::now();
    let job = release.job("missing-secret", spec);
    let said = job.says("Succeeded", "Unknown", "ReferenceNotFound");
    println!("offhost/missing-secret-told-ms {}", begun.elapsed().as_millis());
    assert!(said.contains("database"), "{said}");
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"},
        "stringData": {"password": "a secret"}});
    api::create(&api::core(&release.namespace, "secrets"), &secret);
    let seen = job.succeeds();
    assert_eq!(job.log(&seen, 0), "it is a secret\n");

    let spec = with(shell("true"), &json!({"serviceAccountName": "reporter"}));
    let begun = Instant::now();
    let job = release.job("missing-account", spec);
    let said = job.says("Succeeded", "Unknown", "ReferenceNotFound");
    println!(
        "offhost/missing-service-account-told-ms {}",
        begun.elapsed().as_millis()
    );
    assert!(said.contains("'reporter'"), "{said}");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "reporter"}});
    api::create(&api::core(&release.namespace, "serviceaccounts"), &account);
    job.succeeds();
}

/// Proves: RA1 (P), CU4 (P)
#[test]
fn root_is_refused_however_it_is_written() {
    if !cluster::there() {
        return;
    }
    for (number, account) in ["root", "0"].iter().enumerate() {
        let spec = with(shell("id"), &json!({"runAs": account}));
        let job = shared().job(&format!("as-root-{number}"), spec);
        let said = job.fails("AccountRefused");
        assert!(said.contains("root never runs content"), "{said}");
        assert!(job.pods().is_empty());
    }
}

/// Proves: OH1 (P)
#[test]
fn what_the_definition_does_not_allow_is_refused_by_the_api_server() {
    if !cluster::there() {
        return;
    }
    let release = shared();
    let strict = format!("{}?fieldValidation=Strict", api::jobs(&release.namespace));
    let unknown = object("refused", with(shell("true"), &json!({"comand": ["ls"]})));
    let refusal = api::try_create(&strict, &unknown).unwrap_err();
    assert!(
        refusal.message.contains("unknown field \"spec.comand\""),
        "{refusal:?}"
    );
    let text = std::fs::read_to_string(cluster::repository("tests/fixtures/jobs/refused.yaml")).unwrap();
    let cases: Vec<Value> = serde_yaml::from_str(&text).unwrap();
    assert!(cases.len() > 10);
    for case in cases {
        let mut refused = object("refused", json!({}));
        refused["spec"] = case["spec"].clone();
        let refusal = api::try_create(&strict, &refused).unwrap_err();
        assert!(matches!(refusal.code, 400 | 422), "{case}: {refusal:?}");
        assert!(
            refusal.message.contains(case["server"].as_str().unwrap()),
            "{case}: {refusal:?}"
        );
    }
    let job = release.job("immutable", with(shell("true"), &json!({"suspended": true})));
    let change = json!({"spec": {"command": ["ls"]}});
    let refusal = api::try_patch(&job.path(), &change).unwrap_err();
    assert!(refusal.code == 422, "{refusal:?}");
    job.delete();
}
