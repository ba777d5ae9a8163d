//! The system call filter as the kernel has it: every number of three ABIs, asked for by content.

use super::support::in_each_mode;

const CALLS: &str = include_str!("attacks/calls.py");
/// What the table says, held to it by a test of its own.
const TABLE: &str = include_str!("attacks/filter-x86_64.txt");

/// Proves: SB5 (L), SB6 (L)
#[test]
#[cfg(target_arch = "x86_64")]
fn every_system_call_is_answered_as_the_table_says() {
    in_each_mode("every_system_call_is_answered_as_the_table_says", |rig| {
        let text = rig.run(&rig.python(CALLS, &[])).good();
        // A kernel without the 32-bit calls ends who makes one with another signal.
        let text = text.replace("i386 SIGSEGV\n", "i386 SIGSYS\n");
        let others = "x32 0 ENOSYS\nclone EPERM\nclone of a thread passed\nioctl that types EPERM\nioctl passed\n\
                      i386 SIGSYS\n";
        assert_eq!(text, format!("{TABLE}{others}"));
    });
}
