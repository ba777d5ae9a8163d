# Runs as the job: `probes.py NAME CONFIG` tries one thing and says `held`, or `broken` and what it could do. Each
# probe returns nothing where the sandbox holds. It is passed as text, so it needs no file in there.
import ctypes, errno, json, mmap, os, re, resource, signal, socket, stat, struct, subprocess, sys, time

SECRET = re.compile(rb"s3cr3t-[0-9a-f]{32}")
NEWNS, NEWUSER, DETACH, HERE = 0x20000, 0x10000000, 2, -100
libc = ctypes.CDLL(None, use_errno=True)
PROBES = {}


def probe(function):
    PROBES[function.__name__] = function
    return function


def call(number, *arguments):
    words = [a if isinstance(a, (bytes, ctypes.Array)) or a is None else ctypes.c_long(a) for a in arguments]
    answer = libc.syscall(ctypes.c_long(number), *words)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def read(path):
    with open(path, "rb", buffering=0) as file:
        return file.read(1 << 20) or b""


def leak(attempt):
    """What was read is the secret."""
    try:
        found = attempt()
    except (OSError, ValueError):
        return None
    return "read the secret" if found and SECRET.search(found) else None


def done(attempt, what):
    """It was not refused."""
    try:
        attempt()
    except OSError:
        return None
    return what


def answers(attempt, errors, what):
    """It must fail in one of these ways: another failure means that the kernel got as far as looking at it."""
    try:
        attempt()
    except OSError as error:
        return None if error.errno in errors else f"{what}: {errno.errorcode.get(error.errno, error.errno)}"
    return what


def uncovered(config, *arguments):
    try:
        call(*arguments)
    except OSError:
        pass
    return leak(lambda: read(config["masked"] + "/secret")) or leak(lambda: read("/tmp/secret"))


def status():
    return dict(line.split(":\t", 1) for line in read("/proc/self/status").decode().splitlines())


@probe
def direct(config):
    return leak(lambda: read(config["masked"] + "/secret"))


@probe
def nested_mount(config):
    return leak(lambda: read(config["masked"] + "/nested/secret"))


@probe
def file_mask(config):
    return leak(lambda: read(config["credentials"]))


@probe
def listing(config):
    try:
        names = os.listdir(config["masked"])
    except OSError:
        return None
    return "saw " + " ".join(names) if "secret" in names else None


@probe
def alias(config):
    return leak(lambda: read(config["base"] + "/alias/secret"))


@probe
def write_into_mask(config):
    return done(lambda: open(config["masked"] + "/new", "w").write("x"), "wrote a file into it")


@probe
def umount(config):
    return uncovered(config, 166, config["masked"].encode(), 0)


@probe
def umount_lazily(config):
    return uncovered(config, 166, config["masked"].encode(), DETACH)


@probe
def move_mask(config):
    return uncovered(config, 165, config["masked"].encode(), b"/tmp", None, 0x2000, None)


@probe
def bind_over_mask(config):
    return uncovered(config, 165, b"/", config["masked"].encode(), None, 0x1000, None) or leak(
        lambda: read(config["masked"] + config["masked"] + "/secret"))


@probe
def umount_in_user_namespace(config):
    said = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", "umount -l $0; cat $0/secret", config["masked"]], capture_output=True)
    return leak(lambda: said.stdout)


@probe
def open_tree(config):
    def attempt():
        tree = call(428, HERE, b"/", 1)
        return read(f"/proc/self/fd/{tree}{config['masked']}/secret")
    return leak(attempt)


@probe
def by_handle(config):
    kind, data = config["handle"]
    data = bytes.fromhex(data)
    blob = ctypes.create_string_buffer(struct.pack("Ii", len(data), kind) + data)
    return leak(lambda: read(f"/proc/self/fd/{call(304, os.open('/usr', os.O_RDONLY), blob, os.O_RDONLY)}"))


@probe
def working_directory(config):
    return leak(lambda: read("secret"))


@probe
def descriptors(config):
    open_ones = [int(name) for name in os.listdir("/proc/self/fd")]
    kept = []
    for number in open_ones:
        try:
            kept += [number] if number > 2 and os.fstat(number) else []
        except OSError:
            pass
    return f"{len(kept)} descriptors" if kept else None


@probe
def fchdir_out_of_root(config):
    """Leaves a changed root by a directory that stayed open."""
    def attempt():
        outside = os.open("/", os.O_RDONLY)
        os.chroot("/tmp")
        os.fchdir(outside)
        os.chroot(".")
    return done(attempt, "changed its root and left it")


@probe
def pivot(config):
    return done(lambda: call(155, b"/tmp", b"/tmp"), "changed the root")


@probe
def new_mount(config):
    return done(lambda: call(165, b"none", b"/tmp", b"tmpfs", 0, None), "mounted a file system")


@probe
def remount(config):
    return done(lambda: call(165, b"none", config["masked"].encode(), None, 0x20, None), "changed a mount")


def outside(name):
    def attempt(config):
        return leak(lambda: read(f"/proc/{config['pid']}/{name}".replace("MASKED", config["masked"])))
    return attempt


PROBES["outside_root"] = outside("root/MASKED/secret")
PROBES["outside_cwd"] = outside("cwd/secret")
PROBES["outside_environ"] = outside("environ")


@probe
def outside_descriptors(config):
    def attempt():
        base = f"/proc/{config['pid']}/fd"
        found = b""
        for number in os.listdir(base):
            for path in (f"{base}/{number}", f"{base}/{number}/secret"):
                try:
                    found += read(path) if stat.S_ISREG(os.stat(path).st_mode) else b""
                except OSError:
                    pass
        return found
    return leak(attempt)


def memory(pid):
    found = b""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            start, end = (int(word, 16) for word in line.split()[0].split("-"))
            if "rw" in line.split()[1] and end - start < 64 << 20:
                try:
                    mem.seek(start)
                    found += b" ".join(SECRET.findall(mem.read(end - start) or b""))
                except OSError:
                    pass
    return found


@probe
def outside_memory(config):
    return leak(lambda: memory(config["pid"]))


@probe
def outside_ptrace(config):
    return done(lambda: call(101, 0x4206, config["pid"], 0, 0), "attached to it")


@probe
def outside_process_vm(config):
    buffer = ctypes.create_string_buffer(16)
    vector = ctypes.create_string_buffer(struct.pack("QQ", ctypes.addressof(buffer), 16))
    # The address need not exist there: whether the kernel got as far as looking is what counts.
    return answers(lambda: call(310, config["pid"], vector, 1, vector, 1, 0), (errno.EPERM, errno.ESRCH), "was let in")


@probe
def outside_descriptor_taken(config):
    return done(lambda: call(438, call(434, config["pid"], 0), 3, 0), "took a descriptor of it")


@probe
def outside_kill(config):
    os.path.exists("/")
    return done(lambda: os.kill(config["pid"], signal.SIGKILL), "ended it")


@probe
def outside_namespace(config):
    return done(lambda: call(308, os.open(f"/proc/{config['pid']}/ns/mnt", os.O_RDONLY), 0), "entered its namespace")


@probe
def other_proc(config):
    base = f"{config['base']}/other-proc/{config['pid']}"
    return leak(lambda: read(base + "/environ")) or leak(lambda: read(f"{base}/root{config['masked']}/secret"))


@probe
def other_processes(config):
    seen = [name for name in os.listdir("/proc") if name.isdigit()]
    return f"sees {len(seen)} processes" if len(seen) > 6 or str(config["pid"]) in seen else None


@probe
def abstract_socket(config):
    def attempt():
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("\0" + config["name"])
            return client.recv(4096)
    return leak(attempt)


@probe
def shared_segment(config):
    def attempt():
        libc.shmat.restype = ctypes.c_void_p
        number = libc.shmget(config["key"], 0, 0)
        return ctypes.string_at(libc.shmat(number, None, 0o10000), 64) if number >= 0 else b""
    return leak(attempt)


@probe
def shared_memory(config):
    return leak(lambda: read("/dev/shm/" + config["name"]))


@probe
def launcher_environment(config):
    found = b""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            found += read(f"/proc/{pid}/environ")
        except OSError:
            pass
    return "read the launcher's environment" if b"SENTINEL" in found else None


@probe
def launcher_program(config):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if done(lambda: os.open(f"/proc/{pid}/exe", os.O_WRONLY), "opened it"):
            return f"opened the program of process {pid}"
    return None


@probe
def first_process_memory(config):
    if os.getpid() == 1:
        return None
    return done(lambda: open("/proc/1/mem", "rb"), "opened its memory") or done(
        lambda: call(101, 0x4206, 1, 0, 0), "attached to it")


@probe
def capabilities(config):
    held = [name for name in ("CapInh", "CapPrm", "CapEff", "CapAmb") if int(status()[name], 16)]
    return "holds " + " ".join(held) if held else None


@probe
def bounding_set(config):
    return "CapBnd " + status()["CapBnd"] if int(status()["CapBnd"], 16) else None


@probe
def new_privileges(config):
    return None if status()["NoNewPrivs"] == "1" else "no_new_privs is not set"


@probe
def system_call_filter(config):
    return None if status()["Seccomp"] == "2" else "no filter"


@probe
def set_user_id(config):
    said = subprocess.run([config["base"] + "/id", "-u"], capture_output=True, text=True).stdout.strip()
    return None if said == str(os.getuid()) else f"became {said}"


@probe
def become_root(config):
    return done(lambda: os.setuid(0), "became root") or done(lambda: os.setresgid(0, 0, 0), "became group root")


@probe
def identity(config):
    ids = (*os.getresuid(), *os.getresgid())
    return None if set(ids) == {config["account"]} else f"runs as {ids}"


@probe
def groups(config):
    wanted, seen = set(config["groups"]), set(os.getgroups()) | {os.getgid()}
    return None if seen == wanted else f"has {sorted(seen)}"


@probe
def denied_group(config):
    return leak(lambda: read(config["denied"]))


@probe
def device_nodes(config):
    return done(lambda: os.mknod("/tmp/sandbox-cases-node", 0o600 | stat.S_IFBLK, os.makedev(254, 0)), "made a device")


@probe
def machine_memory(config):
    return done(lambda: os.open("/dev/mem", os.O_RDONLY), "opened /dev/mem") or done(
        lambda: os.open("/dev/port", os.O_RDWR), "opened /dev/port")


@probe
def kernel_settings(config):
    for name in ("kernel/core_pattern", "kernel/modprobe", "vm/overcommit_memory", "kernel/domainname"):
        broken = done(lambda: os.open("/proc/sys/" + name, os.O_WRONLY), f"may write {name}")
        if broken:
            return broken
    return done(lambda: os.open("/proc/sysrq-trigger", os.O_WRONLY), "may write sysrq-trigger")


@probe
def system_files(config):
    for name in ("kernel/uevent_helper", "power/state", "kernel/mm/transparent_hugepage/enabled"):
        broken = done(lambda: os.open("/sys/" + name, os.O_WRONLY), f"may write {name}")
        if broken:
            return broken
    return None


@probe
def control_groups(config):
    for directory, _, names in os.walk("/sys/fs/cgroup"):
        for name in {"cgroup.procs", "release_agent"} & set(names):
            if os.access(os.path.join(directory, name), os.W_OK):
                return f"may write {directory}/{name}"
        if directory.count("/") > 6:
            break
    return None


@probe
def kernel_log(config):
    return answers(lambda: call(103, 3, ctypes.create_string_buffer(1 << 12), 1 << 12), (errno.EPERM,), "read it")


@probe
def host_name(config):
    return done(lambda: call(170, b"other", 5), "changed it")


@probe
def clock(config):
    now = struct.pack("qq", int(time.time()), 0)
    return done(lambda: call(227, 0, now), "set it")


@probe
def unshare_user(config):
    return done(lambda: call(272, NEWUSER), "made a user namespace")


@probe
def clone_user(config):
    def attempt():
        child = call(56, NEWUSER | signal.SIGCHLD, 0, 0, 0, 0)
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    return done(attempt, "made a user namespace")


@probe
def clone3_user(config):
    def attempt():
        arguments = ctypes.create_string_buffer(struct.pack("11Q", NEWUSER, 0, 0, 0, signal.SIGCHLD, *[0] * 6))
        child = call(435, arguments, 88)
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    return done(attempt, "made a user namespace")


REFUSED = (errno.EPERM, errno.ENOSYS)


def surface(name, number, *arguments):
    PROBES[name] = lambda config: answers(lambda: call(number, *arguments), REFUSED, "the kernel answers")


surface("io_uring", 425, 8, bytes(120))
surface("bpf", 321, 5, bytes(120), 120)
surface("performance_events", 298, bytes(128), 0, -1, -1, 0)
surface("user_faults", 323, 1)
surface("keyrings", 250, 0, -3, 0)
surface("kernel_modules", 313, -1, b"", 0)
surface("fanotify", 300, 0, 0)
surface("local_descriptor_table", 154, 0, ctypes.create_string_buffer(64), 64)
surface("newer_than_reviewed", 467, HERE, b"/", 1, None, 0)


@probe
def x32_calls(config):
    child = os.fork()
    if child == 0:
        os._exit(1 if answers(lambda: call(0x40000000 + 39), REFUSED, "the kernel answers") else 0)
    return "the kernel answers" if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) > 0 else None


@probe
def i386_calls(config):
    child = os.fork()
    if child == 0:
        # mov eax, 20 (getpid of i386); int 0x80; ret
        code = mmap.mmap(-1, 4096, prot=7)
        code.write(bytes.fromhex("b814000000cd80c3"))
        ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
        os._exit(0)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return None if ended < 0 else "the kernel answers"


def type_into(requests):
    for number in (0, 1, 2):
        for request in requests:
            if libc.ioctl(ctypes.c_int(number), ctypes.c_ulong(request), b"x") == 0:
                return "typed a character"
    return None


@probe
def typing(config):
    return type_into([0x5412])


@probe
def typing_with_high_bits(config):
    for number in (0, 1, 2):
        for request in (0x1_0000_5412, 0xFFFF_FFFF_0000_5412):
            if libc.syscall(ctypes.c_long(16), ctypes.c_long(number), ctypes.c_ulong(request), b"x") == 0:
                return "typed a character"
    return None


@probe
def pasting(config):
    """Only a console would do it; the answer shows whether the terminal was asked."""
    def attempt():
        if libc.ioctl(0, ctypes.c_ulong(0x541C), b"\x02"):
            raise OSError(ctypes.get_errno(), "")
    return answers(attempt, REFUSED, "the terminal was asked")


@probe
def terminal_by_name(config):
    return done(lambda: os.open("/dev/tty", os.O_RDWR), "opened it")


@probe
def taking_the_terminal(config):
    def attempt():
        if libc.ioctl(0, ctypes.c_ulong(0x540E), ctypes.c_int(1)):
            raise OSError(ctypes.get_errno(), "")
    return done(attempt, "took it")


@probe
def environment(config):
    return " ".join(os.environ.keys() & {"SENTINEL", "LD_DEBUG_OUTPUT", "BASH_ENV"}) or None


@probe
def core_dump(config):
    return None if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0) else "core dumps can be had"


@probe
def open_files(config):
    if resource.getrlimit(resource.RLIMIT_NOFILE) != (64, 64):
        return f"{resource.getrlimit(resource.RLIMIT_NOFILE)}"
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 1024))
    except (OSError, ValueError):
        return None
    return "raised the limit"


@probe
def shown(config):
    return None if read(config["target"] + "/file") == b"shown" else "is not shown"


@probe
def read_only(config):
    return done(lambda: open(config["target"] + "/new", "w"), "wrote into it")


@probe
def read_only_below(config):
    if os.stat(config["target"] + "/below").st_dev == os.stat(config["target"]).st_dev:
        return "the mount below is not shown"
    return done(lambda: open(config["target"] + "/below/new", "w"), "wrote into the mount below")


@probe
def devices_in_what_is_shown(config):
    return done(lambda: os.open(config["target"] + "/null", os.O_RDONLY), "opened a device")


@probe
def zombies(config):
    """An orphan that ends is reaped by the first process."""
    reader, writer = os.pipe()
    if os.fork() == 0:
        orphan = os.fork()
        if orphan:
            os.write(writer, b"%d" % orphan)
            os._exit(0)
        os._exit(0)
    os.wait()
    orphan = int(os.read(reader, 20))
    end = time.monotonic() + 10
    while os.path.exists(f"/proc/{orphan}"):
        if time.monotonic() > end:
            return "a dead process stays"
        time.sleep(0.005)
    return None


@probe
def first_process(config):
    return "is process 1, which the kernel gives no default action of signals" if os.getpid() == 1 else None


@probe
def memory_of(config):
    # Touched page by page, so that a limit ends this very process.
    held = bytearray(config["bytes"])
    return f"had {len(held)} bytes"


try:
    broken = PROBES[sys.argv[1]](json.loads(sys.argv[2]))
except Exception as error:
    broken = f"{type(error).__name__}: {error}"
print("held" if broken is None else f"broken\t{broken}", flush=True)
