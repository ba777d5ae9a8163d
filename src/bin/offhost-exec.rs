//! Entry of the helper that turns a sandbox specification, or a container, into a process of the content. Started by
//! `offhost` or as the first process of a Pod's container, never by hand.

fn main() -> std::process::ExitCode {
    offhost::exec::run(std::env::args_os().skip(1)).into()
}
