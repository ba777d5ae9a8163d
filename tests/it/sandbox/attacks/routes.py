# Tries every known way to a masked file and prints one line a route: its name and what came of it.
# Run outside a sandbox, as the same account, many of them work: that is the control of the tests that use it.
import ctypes, errno, json, os, re, signal, socket, stat, struct, subprocess, sys

config = json.loads(sys.argv[1])
masked, pids, elsewhere = config["masked"], config["pids"], config["elsewhere"]
SECRET = re.compile(rb"s3cr3t-[0-9]+-[0-9a-f]{8,}")
libc = ctypes.CDLL(None, use_errno=True)
NEWUSER, NEWNS, SIGCHLD, AT_FDCWD, DETACH = 0x10000000, 0x00020000, 17, -100, 2
START = os.getcwd()


def call(number, *arguments):
    words = [a if isinstance(a, (bytes, ctypes.Array)) or a is None else ctypes.c_long(a) for a in arguments]
    answer = libc.syscall(ctypes.c_long(number), *words)
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


def show(name, result):
    if isinstance(result, bytes):
        found = SECRET.findall(result)
        result = "LEAK " + found[0].decode() if found else "nothing"
    print(f"{name}\t{result}", flush=True)


def route(name, attempt):
    try:
        show(name, attempt())
    except OSError as error:
        print(f"{name}\trefused {errno.errorcode.get(error.errno, error.errno)}", flush=True)


def read(path):
    with open(path, "rb", buffering=0) as file:
        return file.read(1 << 20) or b""


def secret():
    return read(masked + "/secret")


def memory(pid):
    found = b""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in maps:
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            if "rw" in line.split()[1] and end - start < 64 << 20:
                try:
                    mem.seek(start)
                    found += b" ".join(SECRET.findall(mem.read(end - start) or b""))
                except OSError:
                    pass
    return found


def descriptors(pid, proc="/proc"):
    found = b""
    for number in os.listdir(f"{proc}/{pid}/fd"):
        for path in (f"{proc}/{pid}/fd/{number}", f"{proc}/{pid}/fd/{number}/secret"):
            try:
                if stat.S_ISREG(os.stat(path).st_mode):
                    found += read(path)
            except OSError:
                pass
    return found


def in_child(work):
    # What the child finds comes back through a pipe.
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, work() or b"")
        except OSError as error:
            os.write(writer, b"!" + str(error.errno).encode())
        os._exit(0)
    os.close(writer)
    answer = os.read(reader, 1 << 16)
    os.close(reader)
    os.waitpid(child, 0)
    if answer.startswith(b"!"):
        raise OSError(int(answer[1:]), "in the child")
    return answer


def unmasked():
    call(166, masked.encode(), DETACH)
    return secret()


def after_clone(number, *arguments):
    child = call(number, *arguments)
    if child == 0:
        try:
            text = unmasked()
        except OSError as error:
            text = b"in it refused " + errno.errorcode[error.errno].encode()
        os.write(1, b"new namespace\t" + text + b"\n")
        os._exit(0)
    os.waitpid(child, 0)
    return b""


def changed(number, *arguments):
    call(number, *arguments)
    return secret()


def detached(number, *arguments):
    # A file descriptor of a tree in which nothing may be masked.
    tree = call(number, *arguments)
    return read(f"/proc/self/fd/{tree}{masked}/secret")


def handle():
    kind, data = config["handle"]
    data = bytes.fromhex(data)
    blob = ctypes.create_string_buffer(struct.pack("Ii", len(data), kind) + data)
    mount = os.open("/tmp", os.O_RDONLY)
    return read(f"/proc/self/fd/{call(304, mount, blob, os.O_RDONLY)}")


def abstract():
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + config["abstract"])
        return client.recv(4096)


def words(pid):
    vector = ctypes.create_string_buffer(16)
    return changed(310, pid, vector, 1, vector, 1, 0)


route("direct", secret)
route("listing", lambda: str(os.listdir(masked)).encode() and secret())
route("up from the working directory", lambda: read("secret"))
route("old working directory", lambda: read(START + "/secret"))
for path in elsewhere:
    route(f"elsewhere {path}", lambda: read(path))
for number in range(3, 300):
    try:
        os.fstat(number)
    except OSError:
        continue
    route(f"inherited {number}", lambda: read(f"/proc/self/fd/{number}"))
    route(f"inherited {number} as directory", lambda: read(f"/proc/self/fd/{number}/secret"))
for proc in ["/proc"] + config["procs"]:
    seen = [x for x in os.listdir(proc) if x.isdigit() and int(x) != os.getpid()] if os.path.isdir(proc) else []
    for pid in sorted(set(map(str, pids)) | set(seen if len(seen) < 40 else ["1"])):
        base = f"{proc}/{pid}"
        route(f"{base}/root", lambda: read(f"{base}/root{masked}/secret"))
        route(f"{base}/cwd", lambda: read(f"{base}/cwd/secret"))
        route(f"{base}/fd", lambda: descriptors(pid, proc))
        route(f"{base}/environ", lambda: read(f"{base}/environ"))
        route(f"{base}/task root", lambda: read(f"{base}/task/{pid}/root{masked}/secret"))
        route(f"{base}/maps", lambda: read(f"{base}/maps"))
        route(f"{base}/map_files", lambda: str(os.listdir(f"{base}/map_files")).encode())
for pid in sorted({1, *pids}):
    route(f"mem {pid}", lambda: memory(pid))
    route(f"exe {pid}", lambda: os.open(f"/proc/{pid}/exe", os.O_WRONLY) and b"")
    for kind in ("mnt", "user", "pid"):
        route(f"setns {kind} {pid}", lambda: changed(308, os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY), 0))
    route(f"pidfd setns {pid}", lambda: changed(308, call(434, pid, 0), NEWNS | NEWUSER))
    route(f"pidfd_getfd {pid}", lambda: changed(438, call(434, pid, 0), 3, 0))
    route(f"ptrace attach {pid}", lambda: changed(101, 16, pid, 0, 0))
    route(f"ptrace seize {pid}", lambda: changed(101, 0x4206, pid, 0, 0))
    route(f"process_vm_readv {pid}", lambda: words(pid))
for pid in pids:
    route(f"kill {pid}", lambda: os.kill(pid, signal.SIGKILL) or b"")
route("abstract socket", abstract)
route("unshare", lambda: in_child(lambda: call(272, NEWUSER | NEWNS) and b"" or unmasked()))
route("unshare program", lambda: subprocess.run(
    ["unshare", "-Urm", "sh", "-c", f"umount -l {masked}; cat {masked}/secret"],
    capture_output=True).stdout)
route("nsenter program", lambda: subprocess.run(
    ["nsenter", "-t", "1", "-m", "cat", masked + "/secret"], capture_output=True).stdout)
route("clone", lambda: after_clone(56, NEWUSER | NEWNS | SIGCHLD, 0, 0, 0, 0))
clone3 = ctypes.create_string_buffer(struct.pack("11Q", NEWUSER | NEWNS, 0, 0, 0, SIGCHLD, 0, 0, 0, 0, 0, 0))
route("clone3", lambda: after_clone(435, clone3, 88))
here, there = masked.encode(), b"/tmp"
route("umount", lambda: changed(166, here, 0))
route("umount lazily", lambda: changed(166, here, DETACH))
route("mount move", lambda: changed(165, here, there, None, 0x2000, None))
route("mount remount", lambda: changed(165, b"none", here, None, 0x20, None))
route("mount bind", lambda: changed(165, b"/", here, None, 0x1000, None))
route("mount tmpfs", lambda: changed(165, b"none", there, b"tmpfs", 0, None))
route("mount private", lambda: changed(165, None, b"/", None, 0x40000 | 0x4000, None))
route("open_tree clone", lambda: detached(428, AT_FDCWD, b"/", 1))
route("open_tree", lambda: detached(428, AT_FDCWD, b"/", 0))
route("open_tree_attr", lambda: detached(467, AT_FDCWD, b"/", 1, None, 0))
route("move_mount", lambda: changed(429, AT_FDCWD, here, AT_FDCWD, there, 0))
route("fsopen", lambda: changed(430, b"tmpfs", 0))
route("fspick", lambda: changed(433, AT_FDCWD, here, 0))
route("fsmount", lambda: changed(432, 0, 0, 0))
route("fsconfig", lambda: changed(431, 0, 6, None, None, 0))
route("mount_setattr", lambda: changed(442, AT_FDCWD, here, 0, bytes(32), 32))
route("chroot", lambda: changed(161, b"/tmp"))
route("pivot_root", lambda: changed(155, b"/tmp", b"/tmp"))
route("open_by_handle_at", handle)
route("mknod", lambda: os.mknod("/tmp/offhost-node", 0o600 | stat.S_IFBLK, os.makedev(254, 0)) or b"")
route("io_uring_setup", lambda: changed(425, 8, bytes(120)))
route("bpf", lambda: changed(321, 0, bytes(64), 64))
for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/modprobe"):
    route(f"write {path}", lambda: os.open(path, os.O_WRONLY) and b"")
route("direct, at last", secret)
