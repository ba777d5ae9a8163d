//! Entry of the helper that turns a sandbox specification into a process. Started by `offhost`, never by hand.

fn main() -> std::process::ExitCode {
    offhost::exec::run(std::env::args().skip(1)).into()
}
