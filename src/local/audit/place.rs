//! What a probe needs on the machine: stand-ins for the directories that content is shown, the probe's program, and outside a
//! file, a process and sockets that it must not reach. All of it goes when it is dropped.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::audit::{Exposed, Hidden, Orders};
use crate::data::{IoFailure, Owner, new_key};
use crate::exec;
use crate::local::process;
use crate::local::scratch::Scratch;
use crate::local::server::Server;
use crate::names::{EXEC_PROGRAM, MOUNT_INPUTS};
use crate::plan::{Access, HomePlan, ProcessPlan, Source};

/// Name of the file with the orders.
const ORDERS: &str = "orders.json";
/// A process that ends when nobody holds its standard input any more.
const WAITS: &str = "/bin/cat";

/// Where the probe sees its program.
pub(super) fn program_seen() -> String {
    format!("{MOUNT_INPUTS}/{EXEC_PROGRAM}")
}

/// Where the probe sees its orders.
pub(super) fn orders_seen() -> String {
    format!("{MOUNT_INPUTS}/{ORDERS}")
}

/// What one probe needs.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) orders: Orders,
    outsider: Option<Child>,
    _tcp: Option<TcpListener>,
    _socket: Option<UnixListener>,
    // Last: what stands above lies in it.
    scratch: Scratch,
}

impl Place {
    /// Makes everything.
    ///
    /// # Errors
    /// A directory or a file can not be made.
    pub(super) fn make(server: &Server, plan: &ProcessPlan) -> Result<Self, IoFailure> {
        let owner = process::owner(&plan.identity);
        let scratch = Scratch::make(&server.settings.server.temp_dir, "audit", owner)?;
        let root = scratch.path();
        stand_ins(plan, &root.join("data"), owner)?;
        let token = new_key();
        let canary = root.join("canary");
        write(&canary, token.as_bytes(), 0o644)?;
        let outsider = outsider(plan, root);
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok();
        let port = tcp.as_ref().and_then(|tcp| tcp.local_addr().ok());
        let name = format!("offhost-audit-{}", new_key());
        let socket = abstract_socket(&name);
        let orders = Orders {
            masks: masks(plan),
            exposures: exposures(plan),
            canary,
            token,
            outsider: outsider.as_ref().and_then(|child| i32::try_from(child.id()).ok()),
            abstract_socket: socket.as_ref().map(|_| name),
            port: port.map(|address| address.port()),
            ready_file: plan.serve.as_ref().map(|serve| PathBuf::from(&serve.ready_file)),
        };
        inputs(&root.join("inputs"), &orders)?;
        Ok(Self {
            orders,
            outsider,
            _tcp: tcp,
            _socket: socket,
            scratch,
        })
    }

    /// Stands for `DataDir`.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.scratch.path().join("data")
    }

    /// Holds the program and its orders.
    pub(super) fn inputs_dir(&self) -> PathBuf {
        self.scratch.path().join("inputs")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut outsider) = self.outsider.take() {
            let _ = outsider.kill();
            let _ = outsider.wait();
        }
    }
}

/// Empty directories in place of those of the data directory: nothing of anybody's content is shown to the probe.
fn stand_ins(plan: &ProcessPlan, data: &Path, owner: Option<Owner>) -> Result<(), IoFailure> {
    for mount in &plan.mounts {
        if let Source::Data(path) = &mount.source {
            let directory = data.join(path);
            make_directory(&directory)?;
            if let (Some(_), Access::ReadWrite) = (owner, mount.access) {
                let identity = &plan.identity;
                chown(&directory, Some(identity.uid), Some(identity.gid))
                    .map_err(|source| IoFailure::new("give away", &directory, source))?;
            }
        }
    }
    Ok(())
}

/// The helper, which is the probe as well, and what it is to look at.
fn inputs(directory: &Path, orders: &Orders) -> Result<(), IoFailure> {
    make_directory(directory)?;
    let own = std::env::current_exe().map_err(|source| IoFailure::new("find", "offhost", source))?;
    let (from, to) = (own.with_file_name(EXEC_PROGRAM), directory.join(EXEC_PROGRAM));
    std::fs::copy(&from, &to).map_err(|source| IoFailure::new("copy", &from, source))?;
    set_mode(&to, 0o555)?;
    let text = serde_json::to_vec(orders).unwrap_or_default();
    write(&directory.join(ORDERS), &text, 0o444)
}

/// A process of the account that lives outside for as long as the probe does, in the directory of the canary.
fn outsider(plan: &ProcessPlan, directory: &Path) -> Option<Child> {
    let mut command = Command::new(WAITS);
    command.env_clear().current_dir(directory).process_group(0);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if process::owner(&plan.identity).is_some() {
        command.uid(plan.identity.uid).gid(plan.identity.gid);
    }
    command.spawn().ok()
}

fn abstract_socket(name: &str) -> Option<UnixListener> {
    use std::os::linux::net::SocketAddrExt;
    let address = SocketAddr::from_abstract_name(name).ok()?;
    UnixListener::bind_addr(&address).ok()
}

/// The masks, with what is behind them. Where a home moves to `/home`, what is masked in it would be seen there.
fn masks(plan: &ProcessPlan) -> Vec<Hidden> {
    let hidden = plan.masks.iter().filter_map(|mask| {
        let path = mask.path.canonicalize().ok()?;
        let found = std::fs::metadata(&path).ok()?;
        let mut aliases = exec::other_places(&path);
        if let HomePlan::CoveredBy(home) = &plan.home
            && let Ok(rest) = path.strip_prefix(home)
        {
            aliases.push(Path::new("/home").join(rest));
        }
        Some(Hidden {
            device: found.dev(),
            inode: found.ino(),
            aliases,
            path,
        })
    });
    hidden.collect()
}

/// What the process is shown, its temporary directory among it.
fn exposures(plan: &ProcessPlan) -> Vec<Exposed> {
    let mounts = plan.mounts.iter().map(|mount| Exposed {
        path: PathBuf::from(&mount.target),
        read_only: mount.access == Access::ReadOnly,
    });
    let tmp = Exposed {
        path: PathBuf::from(&plan.tmp.target),
        read_only: false,
    };
    mounts.chain([tmp]).collect()
}

fn make_directory(path: &Path) -> Result<(), IoFailure> {
    std::fs::create_dir_all(path).map_err(|source| IoFailure::new("make directory", path, source))
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), IoFailure> {
    std::fs::write(path, bytes).map_err(|source| IoFailure::new("write", path, source))?;
    set_mode(path, mode)
}

fn set_mode(path: &Path, mode: u32) -> Result<(), IoFailure> {
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, mode).map_err(|source| IoFailure::new("set mode of", path, source))
}
