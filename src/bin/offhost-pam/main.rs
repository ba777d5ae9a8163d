//! Entry of the program that calls PAM: checks a password, or opens a session around a process. Started by `offhost`, never
//! by hand.

mod libpam;

fn main() -> std::process::ExitCode {
    offhost::pam::run(&libpam::LinuxPam, std::env::args_os().skip(1)).into()
}
