use super::*;
use crate::sandbox::Met;

const MIB: u64 = 1 << 20;

fn some() -> BuildLimits {
    BuildLimits {
        memory: 512 * MIB,
        cpu_millis: 1_500,
        processes: 100,
        file_size: 2 * MIB,
        open_files: 64,
    }
}

fn ended(code: i32, cause: Option<EndCause>) -> Ended {
    Ended {
        code: Some(code),
        signal: None,
        cause,
        layers: Vec::new(),
        met: Met::default(),
    }
}

/// Proves: GB1 (B)
#[test]
fn each_limit_is_put_on_the_process_and_0_is_none() {
    let mut spec: SandboxSpec = crate::builds::view::sandbox(
        &crate::builds::view::Builder {
            uid: 999,
            gid: 999,
            name: None,
            home: None,
        },
        &[],
        None,
        vec!["R".to_owned()],
        &std::collections::BTreeMap::new(),
        std::time::Duration::from_secs(1),
    );
    let bare = spec.clone();
    put_on(&mut spec, BuildLimits::default(), "key", true);
    assert_eq!(spec, bare);
    put_on(&mut spec, some(), "key", true);
    let group = spec.cgroup.clone().unwrap();
    assert_eq!((group.name.as_str(), group.pids), ("key", Some(100)));
    assert_eq!(
        (group.memory_bytes, group.cpu_millis),
        (Some(512 * MIB), Some(1_500))
    );
    let own: Vec<u64> = spec.rlimits.iter().map(|limit| limit.limit).collect();
    assert_eq!(own, [0, 2 * MIB, 64, 101]);
    // An older kernel would count every process of the account.
    let mut older = bare;
    put_on(&mut older, some(), "key", false);
    assert!(
        !older
            .rlimits
            .iter()
            .any(|limit| limit.resource == RlimitName::Nproc)
    );
    for (release, counts) in [
        ("6.1.0-18-amd64", true),
        ("5.14.0", true),
        ("5.10.0-8", false),
        ("x", false),
    ] {
        assert_eq!(counts_processes(release), counts, "{release}");
    }
    assert_eq!(
        in_shell(some()),
        "ulimit -c 0; ulimit -f 4096 2>/dev/null; ulimit -n 64 2>/dev/null; exec \"$@\""
    );
    assert_eq!(missing_outside(some()).len(), 3);
}

/// Proves: GB1 (B)
#[test]
fn a_limit_that_ended_a_build_is_told_with_its_value_its_reason_and_what_raises_it() {
    let (how, reason) = ended_by(&ended(137, Some(EndCause::Memory)), some(), "").unwrap();
    assert_eq!(reason, Reason::OutOfMemory);
    assert!(
        how.contains("its limit of 512 MiB (raise limits.memory of the builder or Sandbox."),
        "{how}"
    );
    let (how, reason) = ended_by(&ended(153, None), some(), "").unwrap();
    assert_eq!(reason, Reason::OutOfStorage);
    assert!(how.contains("its limit of 2 MiB (raise limits.fileSize"), "{how}");
    let said = "sh: File size limit exceeded";
    assert!(
        ended_by(&ended(1, None), some(), said)
            .unwrap()
            .0
            .contains("larger than 2 MiB")
    );
    assert!(ended_by(&ended(0, None), some(), said).is_none());
    assert!(ended_by(&ended(1, None), BuildLimits::default(), said).is_none());
    let how = with_met(
        "ended".to_owned(),
        &ended(1, None),
        some(),
        "fork: Resource temporarily unavailable",
    );
    assert!(
        how.starts_with("ended; it says") && how.contains("100 processes"),
        "{how}"
    );
    let mut counted = ended(1, None);
    counted.met.refused_processes = 2;
    let how = with_met(
        "ended".to_owned(),
        &counted,
        some(),
        "Resource temporarily unavailable",
    );
    assert!(
        how.starts_with("ended; it met its limit of 100") && !how.contains("it says"),
        "{how}"
    );
    assert_eq!(
        with_met("ended".to_owned(), &ended(1, None), some(), "no"),
        "ended"
    );
}

/// Proves: GB1 (B)
#[test]
fn a_limit_that_can_not_be_had_is_told_unless_another_way_holds_it() {
    let layers: Vec<String> = [
        "pids limit not in force: x",
        "memory limit not in force: x",
        "landlock",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(not_in_force(&layers, some(), true), [layers[1].clone()]);
    assert_eq!(not_in_force(&layers, some(), false), layers[..2]);
    assert_eq!(describe(BuildLimits::default()), "none are set");
    assert_eq!(
        describe(some()),
        "at most 512 MiB of memory, 1.5 processors, 100 processes, files of 2 MiB, 64 open files"
    );
}
