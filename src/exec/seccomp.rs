//! The seccomp filter: the table as a binary search, because the kernel runs the filter once for every system call
//! number when it is loaded: a chain of comparisons takes seven times as long to load.

use libc::sock_filter;

use super::seccomp_table::{LAST_REVIEWED, Verdict, verdict};

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
/// Low 32 bits of the first and second argument: the kernel ignores the high ones of `ioctl` requests, and a filter
/// that compares all 64 bits lets `TIOCSTI + 2^32` through (CVE-2019-10063).
const FIRST_ARGUMENT: u32 = 16;
const SECOND_ARGUMENT: u32 = 24;

/// `AUDIT_ARCH_*` of this architecture.
#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xC000_003E;
/// `AUDIT_ARCH_*` of this architecture.
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xC000_00B7;

/// Every flag of `clone(2)` that makes a namespace.
const NAMESPACE_FLAGS: u32 = 0x7E02_0080;
/// Types a character into the terminal.
const TIOCSTI: u32 = 0x5412;
/// Pastes the selection into the console.
const TIOCLINUX: u32 = 0x541C;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const KILL: u32 = libc::SECCOMP_RET_KILL_PROCESS;
const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM.cast_unsigned();
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned();

/// The whole filter: a tree of comparisons, then the answers, each of which stands there once.
#[must_use]
pub(crate) fn filter() -> Vec<sock_filter> {
    let mut branches = Vec::new();
    plant(&ranges(), &mut branches);
    let mut program = vec![
        load(ARCHITECTURE),
        jump(libc::BPF_JEQ, AUDIT_ARCH, 1, 0),
        // The 32-bit calls of the same kernel have numbers of their own.
        answer(KILL),
        load(NUMBER),
    ];
    for (at, branch) in branches.iter().enumerate() {
        let [high, low] = [branch.high, branch.low].map(|way| {
            let distance = place(way, branches.len()) - at - 1;
            u8::try_from(distance).expect("the tree is far smaller than 255 comparisons, which a test holds")
        });
        program.push(jump(libc::BPF_JGE, branch.from, high, low));
    }
    program.extend(LEAVES.into_iter().flat_map(leaf));
    program
}

/// The same as bytes, each instruction as the kernel takes it (`struct sock_filter`): for whoever looks at the filter or
/// measures it from outside (SB6).
#[must_use]
pub fn syscall_filter() -> Vec<u8> {
    let bytes = |instruction: sock_filter| {
        let mut bytes = instruction.code.to_ne_bytes().to_vec();
        bytes.extend([instruction.jt, instruction.jf]);
        bytes.extend(instruction.k.to_ne_bytes());
        bytes
    };
    filter().into_iter().flat_map(bytes).collect()
}

/// Runs of system call numbers with the same answer: first number and verdict. The x32 numbers, from 2^30 on, are
/// among those after the last reviewed.
fn ranges() -> Vec<(u32, Verdict)> {
    let mut ranges: Vec<(u32, Verdict)> = Vec::new();
    for number in 0..=LAST_REVIEWED + 1 {
        let verdict = verdict(number);
        if ranges.last().is_none_or(|(_, last)| *last != verdict) {
            ranges.push((number, verdict));
        }
    }
    ranges
}

/// Where a comparison leads.
#[derive(Clone, Copy)]
enum Way {
    /// To another comparison, by its position.
    Branch(usize),
    /// To an answer.
    Leaf(Verdict),
}

/// One comparison.
struct Branch {
    /// Numbers from this one on go the high way.
    from: u32,
    high: Way,
    low: Way,
}

/// Plants the binary search of these ranges; a branch always stands before those it leads to.
fn plant(ranges: &[(u32, Verdict)], branches: &mut Vec<Branch>) -> Way {
    let [(_, only)] = ranges else {
        let (low, high) = ranges.split_at(ranges.len() / 2);
        let at = branches.len();
        let unknown = Way::Branch(at);
        branches.push(Branch {
            from: high[0].0,
            high: unknown,
            low: unknown,
        });
        branches[at].low = plant(low, branches);
        branches[at].high = plant(high, branches);
        return Way::Branch(at);
    };
    Way::Leaf(*only)
}

/// The answers, in their order after the tree.
const LEAVES: [Verdict; 5] = [
    Verdict::Allow,
    Verdict::Forbid,
    Verdict::Absent,
    Verdict::ForbidNamespaces,
    Verdict::ForbidTerminalInjection,
];

/// Position of a way's end, counted from the first comparison.
fn place(way: Way, branches: usize) -> usize {
    match way {
        Way::Branch(at) => at,
        Way::Leaf(verdict) => {
            let before = LEAVES.into_iter().take_while(|other| *other != verdict);
            branches + before.map(|other| leaf(other).len()).sum::<usize>()
        }
    }
}

/// Code that answers with a verdict.
fn leaf(verdict: Verdict) -> Vec<sock_filter> {
    match verdict {
        Verdict::Allow => vec![answer(ALLOW)],
        Verdict::Forbid => vec![answer(EPERM)],
        Verdict::Absent => vec![answer(ENOSYS)],
        Verdict::ForbidNamespaces => vec![
            load(FIRST_ARGUMENT),
            jump(libc::BPF_JSET, NAMESPACE_FLAGS, 0, 1),
            answer(EPERM),
            answer(ALLOW),
        ],
        Verdict::ForbidTerminalInjection => vec![
            load(SECOND_ARGUMENT),
            jump(libc::BPF_JEQ, TIOCSTI, 1, 0),
            jump(libc::BPF_JEQ, TIOCLINUX, 0, 1),
            answer(EPERM),
            answer(ALLOW),
        ],
    }
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter {
        code: u16::try_from(code).expect("BPF codes have 16 bits"),
        jt,
        jf,
        k,
    }
}

fn load(offset: u32) -> sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

fn jump(condition: u32, value: u32, yes: u8, no: u8) -> sock_filter {
    instruction(libc::BPF_JMP | condition | libc::BPF_K, yes, no, value)
}

fn answer(value: u32) -> sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the filter as the kernel would.
    fn run(program: &[sock_filter], arch: u32, number: u32, args: [u64; 2]) -> u32 {
        let mut data = [0u32; 8];
        data[0] = number;
        data[1] = arch;
        for (i, arg) in args.iter().enumerate() {
            data[4 + 2 * i] = u32::try_from(arg & 0xFFFF_FFFF).unwrap();
            data[5 + 2 * i] = u32::try_from(arg >> 32).unwrap();
        }
        let (mut at, mut acc) = (0usize, 0u32);
        loop {
            let op = program[at];
            let code = u32::from(op.code);
            at += 1;
            let branch = |yes: bool| usize::from(if yes { op.jt } else { op.jf });
            match code & 0x07 {
                libc::BPF_LD => acc = data[op.k as usize / 4],
                libc::BPF_RET => return op.k,
                _ => {
                    at += match code & 0xF0 {
                        libc::BPF_JEQ => branch(acc == op.k),
                        libc::BPF_JGE => branch(acc >= op.k),
                        libc::BPF_JSET => branch(acc & op.k != 0),
                        other => panic!("unexpected jump {other:#x}"),
                    }
                }
            }
        }
    }

    /// Proves: SB6 (L)
    #[test]
    fn every_number_is_answered_as_the_table_says() {
        let program = filter();
        // The time to load it grows with its length.
        assert!(program.len() <= 128, "{} instructions", program.len());
        for number in (0..1024).chain([0x4000_0000, 0x4000_003B, u32::MAX]) {
            let got = run(&program, AUDIT_ARCH, number, [0, 0]);
            let want = match verdict(number) {
                Verdict::Forbid => EPERM,
                Verdict::Absent => ENOSYS,
                _ => ALLOW,
            };
            assert_eq!(got, want, "system call {number}");
            assert_eq!(
                run(&program, 0x4000_0003, number, [0, 0]),
                KILL,
                "32-bit system call {number}"
            );
        }
    }

    /// `tests/it/sandbox/filter.rs` tries this table in a sandbox, where the kernel has the filter.
    ///
    /// Proves: SB6 (L)
    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_table_that_is_tried_for_real_is_this_one() {
        let lines = ranges().into_iter().map(|(first, verdict)| {
            let answer = match verdict {
                Verdict::Forbid => "EPERM",
                Verdict::Absent => "ENOSYS",
                _ => "passed",
            };
            (first, answer)
        });
        let mut text = String::new();
        let mut last = "";
        for (first, answer) in lines {
            if answer != last {
                text += &format!("x86_64 {first} {answer}\n");
                last = answer;
            }
        }
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/it/sandbox/attacks/filter-x86_64.txt"
        );
        if std::env::var("UPDATE_DOCS").is_ok_and(|value| value == "1") {
            std::fs::write(path, &text).unwrap();
        }
        assert_eq!(
            std::fs::read_to_string(path).unwrap_or_default(),
            text,
            "run `make docs`"
        );
    }

    /// Proves: SB5 (L), SB6 (L)
    #[test]
    fn namespaces_and_terminal_injection_are_forbidden_whatever_else_is_set() {
        let program = filter();
        let clone = u32::try_from(libc::SYS_clone).unwrap();
        let ioctl = u32::try_from(libc::SYS_ioctl).unwrap();
        for flag in [
            libc::CLONE_NEWNS,
            libc::CLONE_NEWUSER,
            libc::CLONE_NEWPID,
            libc::CLONE_NEWNET,
            libc::CLONE_NEWIPC,
            libc::CLONE_NEWUTS,
            libc::CLONE_NEWCGROUP,
            0x80, // CLONE_NEWTIME
        ] {
            let flags = u64::from(flag.cast_unsigned()) | u64::from(libc::SIGCHLD.cast_unsigned());
            assert_eq!(run(&program, AUDIT_ARCH, clone, [flags, 0]), EPERM);
        }
        let thread = (libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_SIGHAND).cast_unsigned();
        assert_eq!(run(&program, AUDIT_ARCH, clone, [u64::from(thread), 0]), ALLOW);
        for request in [0x5412u64, 0x541C, 0x1_0000_5412, 0xFFFF_FFFF_0000_541C] {
            assert_eq!(run(&program, AUDIT_ARCH, ioctl, [0, request]), EPERM);
        }
        assert_eq!(run(&program, AUDIT_ARCH, ioctl, [0, 0x5401]), ALLOW);
    }
}
