//! What content holds when it starts: no capability, no way to one, no descriptor, no signal disposition.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::support::{bind, in_each_mode};
use super::tools::{field, holding_open};

/// Proves: SB6 (L)
#[test]
fn capabilities_are_empty_and_the_walls_stand() {
    in_each_mode("capabilities_are_empty_and_the_walls_stand", |rig| {
        let status = rig.run(&rig.sh("cat /proc/self/status")).good();
        for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(field(&status, name), "0000000000000000", "{name}");
        }
        assert_eq!(field(&status, "NoNewPrivs"), "1");
        assert_eq!(field(&status, "Seccomp"), "2");
        let uid = rig.uid.to_string();
        let all = [uid.as_str(); 4].join("\t");
        assert_eq!(field(&status, "Uid"), all);
        assert_eq!(field(&status, "Gid"), all);
    });
}

/// Proves: SB6 (L)
#[test]
fn a_set_user_id_program_gains_nothing() {
    in_each_mode("a_set_user_id_program_gains_nothing", |rig| {
        // Copied by a program of its own, so that no other thread's child holds it open.
        let copied = std::process::Command::new("cp")
            .arg("/usr/bin/id")
            .arg(rig.path("id"))
            .status();
        assert!(copied.unwrap().success());
        fs::set_permissions(rig.path("id"), fs::Permissions::from_mode(0o6755)).unwrap();
        let text = rig
            .run(&rig.sh(&format!(
                "{0} -u; {0} -ru; {0} -g; {0} -G; echo x | su root -c 'echo became root'; true",
                rig.path("id").display()
            )))
            .good();
        let uid = rig.uid.to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines, [&uid[..]; 4], "{text}");
    });
}

/// Proves: SB6 (L)
#[test]
fn only_the_standard_streams_are_inherited() {
    in_each_mode("only_the_standard_streams_are_inherited", |rig| {
        let data = rig.data().display().to_string();
        let rig = rig.with(&holding_open(&data, 200));
        let text = rig.run(&rig.sh("exec ls /proc/self/fd")).good();
        // The fourth is the directory that ls reads.
        assert_eq!(text, "0\n1\n2\n3\n");
    });
}

/// Proves: SB6 (L), SB8 (L)
#[test]
fn signals_arrive_as_in_a_fresh_process() {
    in_each_mode("signals_arrive_as_in_a_fresh_process", |rig| {
        let rig = rig.with(
            "/usr/bin/python3 -I -S -c \"import os,signal,sys\n\
             for n in (1,2,3,13,15,17): signal.signal(n, signal.SIG_IGN)\n\
             signal.pthread_sigmask(signal.SIG_BLOCK, range(1,65))\n\
             os.execvp(sys.argv[1], sys.argv[1:])\"",
        );
        let status = rig.run(&rig.spec(&["/bin/cat", "/proc/self/status"])).good();
        assert_eq!(field(&status, "SigBlk"), "0000000000000000");
        assert_eq!(field(&status, "SigIgn"), "0000000000000000");
        assert_eq!(field(&status, "SigPnd"), "0000000000000000");
    });
}

/// Proves: SB6 (L)
#[test]
#[cfg(target_arch = "x86_64")]
fn system_calls_of_other_architectures_are_not_answered() {
    in_each_mode("system_calls_of_other_architectures_are_not_answered", |rig| {
        let x32 = "import ctypes; l=ctypes.CDLL(None,use_errno=True)\n\
                   print(l.syscall(ctypes.c_long(0x40000000+39)), ctypes.get_errno())";
        assert_eq!(rig.run(&rig.python(x32, &[])).good(), "-1 38\n");
        // mov eax, 20 (getpid of i386); int 0x80; ret
        let i386 = "import ctypes, mmap\n\
                    m = mmap.mmap(-1, 4096, prot=7)\n\
                    m.write(bytes.fromhex('b814000000cd80c3'))\n\
                    f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))\n\
                    print('answered', f())";
        let outcome = rig.run(&rig.python(i386, &[]));
        // A kernel without the 32-bit calls answers with SIGSEGV.
        let signal = outcome.ended.as_ref().unwrap().signal;
        assert!(
            matches!(signal, Some(libc::SIGSYS | libc::SIGSEGV)),
            "{outcome:?}"
        );
        assert_eq!(outcome.text(), "");
    });
}

/// Proves: SB6 (L)
#[test]
fn nothing_is_set_user_id_or_a_device_in_what_is_exposed() {
    in_each_mode("nothing_is_set_user_id_or_a_device_in_what_is_exposed", |rig| {
        let exposed = rig.own_directory("exposed");
        let device = exposed.join("null");
        let made = std::process::Command::new("mknod")
            .args(["-m", "666"])
            .arg(&device)
            .args(["c", "1", "3"])
            .status();
        assert!(made.unwrap().success());
        let mut spec = rig.sh("cat /shown/null 2>&1; grep ' /shown ' /proc/self/mountinfo");
        let target = rig.path("shown");
        fs::create_dir(&target).unwrap();
        spec.argv[2] = spec.argv[2].replace("/shown", &target.display().to_string());
        spec.binds = vec![bind(&exposed, &target, false)];
        let text = rig.run(&spec).good();
        assert!(text.contains("Permission denied"), "{text}");
        assert!(text.contains("nosuid,nodev"), "{text}");
    });
}

/// Proves: SB6 (L)
#[test]
fn nothing_of_the_launchers_environment_is_inherited() {
    in_each_mode("nothing_of_the_launchers_environment_is_inherited", |rig| {
        let rig = rig.before("export SENTINEL=abcdef LD_PRELOAD= BASH_ENV=/etc/passwd");
        let text = rig
            .run(&rig.sh("cat /proc/*/environ 2>/dev/null | tr '\\0' '\\n'; exec env"))
            .good();
        assert!(!text.contains("SENTINEL"), "{text}");
        let own = rig.run(&rig.spec(&["/usr/bin/env"])).good();
        assert_eq!(own, "PATH=/usr/bin:/bin:/usr/sbin:/sbin\nLANG=C\n");
    });
}
