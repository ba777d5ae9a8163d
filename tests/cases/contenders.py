"""The programs that are compared, each told the same job as well as its own options can say it."""

import json
import os
import shlex
import subprocess
import tempfile
from dataclasses import dataclass, field

from scene import ACCOUNT

# What the filter of offhost refuses, by name: runc takes such a list. See src/exec/seccomp_table.rs.
FORBIDDEN = """mount umount2 pivot_root chroot open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr unshare
setns ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd process_madvise open_by_handle_at name_to_handle_at bpf
perf_event_open userfaultfd add_key request_key keyctl lookup_dcookie fanotify_init quotactl quotactl_fd init_module
finit_module delete_module kexec_load kexec_file_load reboot swapon swapoff acct syslog vhangup settimeofday
clock_settime clock_adjtime adjtimex sethostname setdomainname nfsservctl migrate_pages move_pages iopl
ioperm modify_ldt _sysctl sysfs uselib ustat""".split()
ABSENT = ["clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"]
EPERM, ENOSYS = 1, 38
NAMESPACE_FLAGS = 0x7E020080


@dataclass
class Job:
    """One process and what is around it."""

    argv: list
    masks: list
    cwd: str = "/"
    env: dict = field(default_factory=lambda: {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C"})
    missing: list = field(default_factory=list)  # masks that need not exist
    binds: list = field(default_factory=list)  # (source, target, read-only)
    groups: list = field(default_factory=lambda: [ACCOUNT])
    limits: dict = field(default_factory=lambda: {"core": 0})
    memory: int = 0
    timeout: float = 0


def as_account(job):
    groups = ",".join(map(str, job.groups))
    return ["setpriv", "--reuid", str(ACCOUNT), "--regid", str(ACCOUNT), "--groups", groups]


def limited(job):
    return ["prlimit", *(f"--{name}={value}:{value}" for name, value in job.limits.items())]


class Contender:
    """A way to start a job."""

    lacks = {}  # what a case may ask for -> why it can not be said

    def __init__(self, scene):
        self.scene = scene

    def command(self, job):
        """The command line, and the descriptors that it needs."""
        raise NotImplementedError

    def told(self):
        """What was reported about the end, beside the exit code."""
        return None


class Bare(Contender):
    name = "no sandbox"
    lacks = {"mask": "no sandbox", "bind": "no sandbox", "memory": "no sandbox", "timeout": "no sandbox",
             "required": "no sandbox", "optional": "no sandbox", "environment": "no sandbox"}

    def command(self, job):
        inner = ["env", "-i", *(f"{key}={value}" for key, value in job.env.items()), *job.argv]
        return [*limited(job), *as_account(job), "sh", "-c", 'cd "$0" && exec "$@"', job.cwd, *inner], []


class Offhost(Contender):
    mode = ""

    def command(self, job):
        spec = {
            "mode": self.mode, "argv": job.argv, "env": [f"{key}={value}" for key, value in job.env.items()],
            "cwd": job.cwd, "uid": ACCOUNT, "gid": ACCOUNT, "groups": job.groups,
            "masks": [{"path": path, "required": True} for path in job.masks]
            + [{"path": path, "required": False} for path in job.missing],
            "binds": [{"source": source, "target": target, "read_only": read_only}
                      for source, target, read_only in [*job.binds, (None, "/dev/shm", False)]],
            "rlimits": [{"resource": name, "limit": limit} for name, limit in job.limits.items()],
            "cgroup": {"name": f"case-{os.getpid()}", "memory_bytes": job.memory, "cpu_millis": None, "pids": None}
            if job.memory else None,
            "timeout_ms": int(job.timeout * 1000) or 60_000, "grace_ms": 500,
        }
        said = os.memfd_create("specification")
        os.write(said, json.dumps(spec).encode())
        # A case may start several jobs; the last one's reports are asked for.
        self.report, writer = os.pipe()
        life, self.lifeline = os.pipe()
        numbers = [said, writer, life]
        words = [self.scene.helper, *map(str, numbers), "-", "-"]
        prefix = as_account(job) if self.mode == "unprivileged" else []
        return [*prefix, *words], numbers

    def told(self):
        os.close(self.lifeline)
        with os.fdopen(self.report) as file:
            return [json.loads(line) for line in file]


class OffhostUserns(Offhost):
    name, mode = "offhost, root with user namespace", "root-userns"


class OffhostRoot(Offhost):
    name, mode = "offhost, root without", "root"


class OffhostUnprivileged(Offhost):
    name, mode = "offhost, unprivileged", "unprivileged"
    lacks = {"memory": "an ordinary user has no control groups; said in the report"}


class Bubblewrap(Contender):
    name = "bubblewrap"
    lacks = {"memory": "has no limits", "timeout": "has none", "optional": "has no such option"}

    def command(self, job):
        words = [
            "bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--proc", "/proc", "--unshare-user",
            "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--uid", str(ACCOUNT), "--gid", str(ACCOUNT),
            "--new-session", "--die-with-parent", "--disable-userns", "--cap-drop", "ALL", "--clearenv",
            "--tmpfs", "/dev/shm"]
        for key, value in job.env.items():
            words += ["--setenv", key, value]
        for path in job.masks:
            words += ["--ro-bind", "/dev/null", path] if os.path.isfile(path) else ["--tmpfs", path]
        for source, target, read_only in job.binds:
            words += ["--ro-bind" if read_only else "--bind", source, target]
        for path in job.masks:
            words += [] if os.path.isfile(path) else ["--remount-ro", path]
        return [*limited(job), *as_account(job), *words, "--chdir", job.cwd, "--", *job.argv], []


class Runc(Contender):
    name = "runc"
    lacks = {"timeout": "has none"}
    runs = 0

    def command(self, job):
        bundle = tempfile.mkdtemp(dir=self.scene.base, prefix="runc-")
        os.mkdir(bundle + "/rootfs")
        with open(bundle + "/config.json", "w") as file:
            json.dump(self.config(job), file)
        program = os.environ.get("SANDBOX_CASES_RUNC", "runc")
        Runc.runs += 1
        run = [program, "--root", bundle + "/state", "run", "--bundle", bundle, f"case-{os.getpid()}-{Runc.runs}"]
        # Its root is the machine's, as all others see it.
        script = f"mount --rbind / {bundle}/rootfs && exec {shlex.join(run)}"
        return ["unshare", "-m", "sh", "-c", script], []

    def config(self, job):
        every = [{"containerID": 0, "hostID": 0, "size": 4294967295}]
        mounts = [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
                  {"destination": "/dev", "type": "bind", "source": "/dev", "options": ["rbind"]},
                  {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "nodev"]}]
        for path in job.masks:
            if os.path.isdir(path):
                mounts.append({"destination": path, "type": "tmpfs", "source": "tmpfs",
                               "options": ["nosuid", "nodev", "ro", "size=4k", "mode=555"]})
        for source, target, read_only in job.binds:
            options = ["rbind", "nosuid", "nodev", *(["rro"] if read_only else [])]
            mounts.append({"destination": target, "type": "bind", "source": source, "options": options})
        linux = {
            "uidMappings": every, "gidMappings": every,
            "namespaces": [{"type": kind} for kind in ("user", "pid", "ipc", "uts", "mount")],
            "maskedPaths": [path for path in job.masks if not os.path.isdir(path)] + job.missing,
            "seccomp": filter_of_names(),
        }
        if job.memory:
            linux["resources"] = {"memory": {"limit": job.memory}}
        limits = [{"type": f"RLIMIT_{name.upper()}", "hard": limit, "soft": limit} for name, limit in job.limits.items()]
        return {
            "ociVersion": "1.0.2", "root": {"path": "rootfs"}, "mounts": mounts, "linux": linux,
            "process": {"user": {"uid": ACCOUNT, "gid": ACCOUNT, "additionalGids": job.groups}, "args": job.argv,
                        "env": [f"{key}={value}" for key, value in job.env.items()], "cwd": job.cwd,
                        "capabilities": {}, "noNewPrivileges": True, "rlimits": limits}}


def filter_of_names():
    def refuse(names, errno, arguments=()):
        return {"names": names, "action": "SCMP_ACT_ERRNO", "errnoRet": errno, "args": list(arguments)}

    def request(number):
        return {"index": 1, "value": 0xFFFFFFFF, "valueTwo": number, "op": "SCMP_CMP_MASKED_EQ"}

    flags = [1 << bit for bit in range(32) if NAMESPACE_FLAGS >> bit & 1]
    return {
        "defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [
            refuse(FORBIDDEN, EPERM), refuse(ABSENT, ENOSYS),
            *(refuse(["ioctl"], EPERM, [request(number)]) for number in (0x5412, 0x541C)),
            *(refuse(["clone"], EPERM, [{"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}])
              for flag in flags)]}


class Unshare(Contender):
    name = "unshare"
    lacks = {"memory": "has no limits", "timeout": "has none"}

    def command(self, job):
        words = shlex.quote
        lines = ["set -e", "mount -t tmpfs -o nosuid,nodev none /dev/shm"]
        # A source may lie below a mask: it is held open until it is shown.
        for number, (source, _, _) in enumerate(job.binds):
            lines.append(f"exec {number + 3}<{words(source)}")
        for path in job.masks:
            lines.append(f"if [ -d {words(path)} ]; then mount -t tmpfs -o nosuid,nodev,size=4k none {words(path)}; "
                         f"else mount --bind /dev/null {words(path)}; fi")
        for path in job.missing:
            lines.append(f"[ ! -e {words(path)} ] || mount -t tmpfs -o ro,size=4k none {words(path)}")
        for number, (_, target, read_only) in enumerate(job.binds):
            flags = "nosuid,nodev" + (",ro" if read_only else "")
            lines.append(f"mkdir -p {words(target)}; mount --rbind /proc/$$/fd/{number + 3} {words(target)}; "
                         f"mount -o remount,bind,{flags} {words(target)}; exec {number + 3}<&-")
        lines += [f"[ ! -d {words(path)} ] || mount -o remount,ro {words(path)}" for path in job.masks]
        inner = [*limited(job), "setsid", *as_account(job),
                 "unshare", "-U", "--keep-caps", f"--map-user={ACCOUNT}", f"--map-group={ACCOUNT}",
                 "setpriv", "--no-new-privs", "--bounding-set", "-all", "--inh-caps", "-all", "--ambient-caps", "-all",
                 "env", "-i", *(f"{key}={value}" for key, value in job.env.items()), *job.argv]
        # The shell stays as the first process: it reaps, and the kernel ends all with it.
        lines += [f"cd {words(job.cwd)}", "set +e", shlex.join(inner), "exit $?"]
        outer = ["unshare", "-m", "-p", "-i", "-u", "-f", "--mount-proc", "--kill-child"]
        return [*outer, "sh", "-c", "\n".join(lines)], []


OURS = [OffhostUserns, OffhostRoot, OffhostUnprivileged]
OTHERS = [Bubblewrap, Runc, Unshare, Bare]


def version_of(contender):
    """The name with the version, for the table's head."""
    programs = {"bubblewrap": ["bwrap", "--version"], "unshare": ["unshare", "--version"],
                "runc": [os.environ.get("SANDBOX_CASES_RUNC", "runc"), "--version"]}
    words = programs.get(contender.name)
    if not words:
        return contender.name
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return f"{contender.name} {said.split()[-1]}"
