"""Every case: a sentence that a contender keeps or does not."""

import os
import signal
import time

from running import Broken
from scene import ACCOUNT, PYTHON, end_all, processes

CASES = []  # (group, sentence, function of a bench)


def case(group, sentence):
    def add(function):
        CASES.append((group, sentence, function))
        return function
    return add


def probed(group, *rows):
    for name, sentence in rows:
        def function(bench, name=name):
            bench.probe(name)
        function.__name__ = name
        case(group, sentence)(function)


MASKS = "Masked paths"


def masked(*rows):
    for name, sentence in rows:
        def function(bench, name=name):
            bench.needs("mask")
            bench.probe(name)
        function.__name__ = name
        case(MASKS, sentence)(function)


masked(
    ("direct", "A file in a masked directory can not be read"),
    ("listing", "The names in a masked directory can not be listed"),
    ("file_mask", "A masked file shows nothing"),
    ("nested_mount", "Another mount below a masked directory is hidden with it"),
    ("alias", "The same directory mounted elsewhere is hidden too"),
    ("write_into_mask", "Nothing can be put into a mask"),
    ("umount", "A mask can not be unmounted"),
    ("umount_lazily", "A mask can not be detached lazily"),
    ("move_mask", "A mask can not be moved away"),
    ("bind_over_mask", "The root can not be mounted over a mask"),
    ("umount_in_user_namespace", "A mask can not be unmounted in a nested user namespace"),
    ("open_tree", "A detached copy of all mounts shows no more"),
    ("by_handle", "A file handle, made before, opens nothing"),
)


@case(MASKS, "A working directory in the masked directory, inherited from the launcher, leads nowhere")
def inherited_directory(bench):
    bench.needs("mask")
    bench.probe("working_directory", how={"cwd": bench.scene.data})


@case(MASKS, "Where a path to mask is missing, nothing runs")
def missing(bench):
    bench.needs("required")
    canary, absent = bench.scene.fresh(), bench.scene.fresh(0) + "/absent"
    bench.run(bench.sh(f"touch {canary}/ran", masks=[absent]))
    if os.path.exists(canary + "/ran"):
        raise Broken("ran without the mask" + " and made the path" * os.path.exists(absent))


@case(MASKS, "A path that may be missing is left out, and nothing is made for it")
def may_be_missing(bench):
    bench.needs("optional")
    path = bench.scene.fresh() + "/absent"
    outcome = bench.run(bench.sh("echo ran", missing=[path]))
    if outcome.out != b"ran\n" or os.path.exists(path):
        raise Broken("did not run, or the path was made")


SHOWN = "Exposed directories"


def with_shown(bench, name, target, read_only, **more):
    bench.probe(name, {"target": target}, binds=[(bench.scene.path("source"), target, read_only)], **more)


@case(SHOWN, "A directory is shown below a masked one")
def below_mask(bench):
    bench.needs("mask")
    target = bench.scene.data + "/app"
    with_shown(bench, "shown", target, False)


@case(SHOWN, "Its mount point is not made on the machine")
def no_mount_point(bench):
    target = bench.scene.fresh(mode=0o777) + "/fresh"
    with_shown(bench, "shown", target, False)
    if os.path.exists(target):
        raise Broken("a directory was made on the machine")


@case(SHOWN, "A read-only directory can not be written")
def read_only(bench):
    with_shown(bench, "read_only", bench.scene.path("shown"), True)


@case(SHOWN, "Nor can mounts below it")
def read_only_below(bench):
    with_shown(bench, "read_only_below", bench.scene.path("shown"), True)


@case(SHOWN, "A device in it can not be opened")
def no_devices(bench):
    with_shown(bench, "devices_in_what_is_shown", bench.scene.path("shown"), False)


@case(SHOWN, "A link that the account put in the way leads to nothing made or covered outside")
def link_in_the_way(bench):
    own, outside = bench.scene.fresh(), bench.scene.fresh(mode=0o777)
    os.symlink(outside, own + "/link")
    outcome = bench.run(bench.sh(
        f"ls -A {outside}", binds=[(bench.scene.path("source"), own + "/link/new", False)]))
    if os.listdir(outside) or b"new" in outcome.out:
        raise Broken("a directory was made behind the link")


PROCESSES = "Processes outside, of the same account"
probed(
    PROCESSES,
    ("other_processes", "They are not seen"),
    ("outside_root", "Their root shows no masked file"),
    ("outside_cwd", "Their working directory leads nowhere"),
    ("outside_descriptors", "Their descriptors can not be opened"),
    ("outside_environ", "Their environment can not be read"),
    ("outside_memory", "Their memory can not be read"),
    ("outside_process_vm", "Nor with process_vm_readv"),
    ("outside_ptrace", "They can not be traced"),
    ("outside_descriptor_taken", "No descriptor can be taken from them"),
    ("outside_namespace", "Their namespaces can not be entered"),
    ("other_proc", "Another /proc of the machine does not lead to them"),
    ("abstract_socket", "Their abstract sockets can not be reached"),
    ("shared_segment", "Their System V shared memory can not be attached"),
    ("shared_memory", "Their files in /dev/shm can not be read"),
)


@case(PROCESSES, "They can not be ended")
def outside_kill(bench):
    bench.probe("outside_kill")
    time.sleep(0.01)
    if bench.scene.process.poll() is not None:
        raise Broken("it was ended")


@case(PROCESSES, "Nothing of the launcher's environment can be read")
def launcher_environment(bench):
    env = {"PATH": os.environ["PATH"], "SENTINEL": "here"}
    bench.probe("launcher_environment", how={"env": env})


probed(
    PROCESSES,
    ("launcher_program", "The launcher's program can not be opened for writing (CVE-2019-5736)"),
    ("first_process_memory", "The memory of the first process can not be opened, nor can it be traced"),
)

PRIVILEGES = "Privileges"
probed(
    PRIVILEGES,
    ("identity", "All user and group ids are the account's"),
    ("capabilities", "No capability is held"),
    ("bounding_set", "None is in the bounding set"),
    ("new_privileges", "no_new_privs is set"),
    ("system_call_filter", "A system call filter is in force"),
    ("set_user_id", "A set-user-id program gains nothing"),
    ("become_root", "root can not be become"),
    ("unshare_user", "No user namespace with unshare"),
    ("clone_user", "No user namespace with clone"),
    ("clone3_user", "No user namespace with clone3"),
    ("new_mount", "Nothing can be mounted"),
    ("remount", "No mount can be changed"),
    ("pivot", "The root can not be changed"),
    ("fchdir_out_of_root", "No way out of a root that is changed"),
    ("device_nodes", "No device can be made"),
    ("machine_memory", "The machine's memory and ports can not be opened"),
    ("kernel_settings", "No setting of the kernel can be written"),
    ("system_files", "Nothing in /sys can be written"),
    ("control_groups", "No control group can be written"),
    ("host_name", "The host name can not be changed"),
    ("clock", "The clock can not be set"),
)


@case(PRIVILEGES, "A file that denies one of the account's groups stays denied (CVE-2014-8989)")
def denied_group(bench):
    path = bench.scene.fresh(0) + "/denied"
    with open(path, "w") as file:
        file.write(bench.scene.secret)
    os.chown(path, 0, 71003)
    os.chmod(path, 0o704)
    bench.probe("denied_group", {"denied": path}, groups=[ACCOUNT, 71003])


SURFACE = "The kernel's surface"
probed(
    SURFACE,
    ("io_uring", "io_uring is refused"),
    ("bpf", "bpf is refused"),
    ("performance_events", "perf_event_open is refused"),
    ("user_faults", "userfaultfd is refused"),
    ("keyrings", "Keyrings are refused"),
    ("kernel_modules", "Kernel modules are refused"),
    ("fanotify", "fanotify is refused"),
    ("local_descriptor_table", "modify_ldt is refused"),
    ("kernel_log", "The kernel's log can not be read"),
    ("newer_than_reviewed", "A system call newer than the filter is refused"),
    ("i386_calls", "32-bit system calls are refused"),
    ("x32_calls", "x32 system calls are refused"),
)

TERMINAL = "The launcher's terminal"


def typed(*rows):
    for name, sentence in rows:
        def function(bench, name=name):
            outcome = bench.probe(name, how={"terminal": True})
            if outcome.queued:
                raise Broken(f"{outcome.queued} bytes were typed")
        function.__name__ = name
        case(TERMINAL, sentence)(function)


typed(
    ("typing", "Can not be typed into (CVE-2017-5226)"),
    ("typing_with_high_bits", "Nor with a request number of more than 32 bits (CVE-2019-10063)"),
    ("pasting", "Can not be pasted into (CVE-2023-28100)"),
    ("terminal_by_name", "Can not be opened as /dev/tty"),
    ("taking_the_terminal", "Can not be taken as controlling terminal"),
)

INHERITED = "What is inherited"


@case(INHERITED, "No descriptor but the standard ones, of 200 that the launcher has (CVE-2024-21626)")
def descriptors(bench):
    held = [os.open(bench.scene.data, os.O_RDONLY) for _ in range(200)]
    try:
        bench.probe("descriptors", how={"fds": held})
    finally:
        for number in held:
            os.close(number)


@case(INHERITED, "No variable of the launcher's")
def environment(bench):
    bench.needs("environment")
    env = {"PATH": os.environ["PATH"], "SENTINEL": "here", "LD_DEBUG_OUTPUT": "/tmp/x", "BASH_ENV": "/dev/null"}
    bench.probe("environment", how={"env": env})


@case(INHERITED, "A working directory by way of a descriptor is refused or leads nowhere")
def directory_by_descriptor(bench):
    bench.needs("mask")
    held = os.open(bench.scene.data, os.O_RDONLY)
    try:
        outcome = bench.run(bench.sh("cat secret", cwd=f"/proc/self/fd/{held}"), fds=[held])
    finally:
        os.close(held)
    if bench.scene.secret.encode() in outcome.out:
        raise Broken("read the secret")


@case(INHERITED, "Signals have their default action and are not blocked")
def signal_actions(bench):
    def ignore():
        for number in (1, 2, 3, 13, 15):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
    outcome = bench.run(bench.job(["/bin/grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"]),
                        preexec_fn=ignore, restore_signals=False)
    wrong = [line for line in outcome.out.decode().splitlines() if int(line.split()[1], 16)]
    if wrong or not outcome.out:
        raise Broken(" ".join(wrong) or "did not run")


LIMITS = "Limits"


@case(LIMITS, "A crash leaves no core dump")
def core(bench):
    cwd = bench.scene.fresh()
    bench.probe("core_dump")
    bench.run(bench.sh("kill -SEGV $$", cwd=cwd))
    if os.listdir(cwd):
        raise Broken("left " + " ".join(os.listdir(cwd)))


@case(LIMITS, "A limit of open files holds and can not be raised")
def open_files(bench):
    bench.probe("open_files", limits={"core": 0, "nofile": 64})


@case(LIMITS, "A job that takes more memory than it may is ended, and that is said")
def memory(bench):
    bench.needs("memory")
    script = "held = bytearray(400 << 20)\nprint('had it')"
    outcome = bench.run(bench.job([PYTHON, "-I", "-S", "-c", script], memory=128 << 20))
    if b"had it" in outcome.out:
        raise Broken("had it all the same")
    if outcome.cause != "memory":
        raise Broken(f"ended, with code {outcome.code} and no word about memory")


@case(LIMITS, "A job whose time is over is told, then killed, and that is said")
def time_limit(bench):
    bench.needs("timeout")
    outcome = bench.run(bench.sh("trap 'echo told' TERM; while :; do sleep 0.02; done", timeout=0.3))
    if (outcome.out, outcome.signal, outcome.cause) != (b"told\n", 9, "timeout"):
        raise Broken(f"{outcome.out!r} {outcome.signal} {outcome.cause}")


ENDS = "Ends"


@case(ENDS, "All 256 exit codes arrive")
def exit_codes(bench):
    for code in range(256) if bench.is_whole else (0, 1, 125, 126, 127, 128, 137, 255):
        outcome = bench.run(bench.sh(f"exit {code}"))
        if outcome.code != code:
            raise Broken(f"{outcome.code} for {code}: {outcome.refused or outcome.err[-200:]}")


@case(ENDS, "A death by each fatal signal is told from every exit code")
def signals(bench):
    harmless = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
    stops = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
    for number in sorted(set(range(1, 32)) - harmless - stops) + [34, 64]:
        outcome = bench.run(bench.sh(f"kill -{number} $$; exit 99", cwd="/tmp"))
        if outcome.signal != number:
            raise Broken(f"signal {number} arrives as exit code {outcome.code}")


def told_to_end(bench, script, number=signal.SIGTERM):
    running = bench.start(bench.sh(script))
    if running.process.stdout.readline() != b"ready\n":
        running.process.kill()
        raise Broken(why_not(running))
    start = time.monotonic()
    running.tell(number)
    outcome = running.finish()
    return outcome, time.monotonic() - start


def why_not(running):
    return "did not start: " + " ".join(running.process.stderr.read().decode().split()[-14:])


@case(ENDS, "SIGTERM to the launcher reaches the job, which may finish")
def term(bench):
    outcome, _ = told_to_end(bench, "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done")
    if outcome.code != 7:
        raise Broken(f"ended with {outcome.code if outcome.signal is None else f'signal {outcome.signal}'}")


@case(ENDS, "SIGTERM ends a job that has no handler for it")
def term_by_default(bench):
    running = bench.start(bench.job([PYTHON, "-I", "-S", "-c", "print('ready', flush=True)\nimport time\ntime.sleep(8)"]))
    if running.process.stdout.readline() != b"ready\n":
        raise Broken(why_not(running))
    start = time.monotonic()
    running.tell(signal.SIGTERM)
    outcome = running.finish()
    if time.monotonic() - start > 6:
        raise Broken("it went on")
    if outcome.signal != signal.SIGTERM and outcome.code != 128 + signal.SIGTERM:
        raise Broken(f"ended with {outcome.code if outcome.signal is None else f'signal {outcome.signal}'}")


def none_left(bench, seconds=10):
    end = time.monotonic() + seconds
    while left := processes(besides=[bench.scene.outsider().pid]):
        if time.monotonic() > end:
            end_all(left)
            raise Broken(f"{len(left)} processes stay")
        time.sleep(0.005)


STAYERS = """
import os, signal, sys, time
def stay(prepare):
    if os.fork() == 0:
        for number in (0, 1, 2):
            os.close(number)
        prepare()
        for number in range(1, 65):
            try: signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError): pass
        time.sleep(600)
stay(lambda: None)
stay(os.setsid)
stay(lambda: (os.setsid(), os.fork() and os._exit(0)))
stay(lambda: os.kill(os.getpid(), signal.SIGSTOP))
time.sleep(0.1)
print('ready', flush=True)
"""


@case(ENDS, "Daemons, stopped and deaf processes end with the job")
def stayers(bench):
    bench.run(bench.job([PYTHON, "-I", "-S", "-c", STAYERS]))
    none_left(bench)


@case(ENDS, "Everything ends when the launcher is killed")
def killed_launcher(bench):
    running = bench.start(bench.job([PYTHON, "-I", "-S", "-c", STAYERS + "time.sleep(600)"]))
    if running.process.stdout.readline() != b"ready\n":
        raise Broken(why_not(running))
    running.process.kill()
    try:
        none_left(bench)
    finally:
        running.finish()


probed(
    ENDS,
    ("zombies", "A dead orphan is reaped while the job runs"),
    ("first_process", "The job is not process 1, whose signals have no default action"),
)


@case(ENDS, "16 MiB go in and come out byte for byte, and errors stay apart")
def streams(bench):
    content = os.urandom(1 << 20) * 16
    running = bench.start(bench.sh("cat; echo apart >&2"), stdin=-1)
    out, err = running.process.communicate(content, timeout=30)
    running.contender.told()
    if out != content or err != b"apart\n":
        raise Broken(f"{len(out)} bytes came back, and {err[-80:]!r}")


MACHINE = "The machine"


@case(MACHINE, "No mount appears outside where the machine shares its mounts")
def shared_mounts(bench):
    script = ("awk 'END { print NR }' /proc/self/mountinfo; \"$@\" >/dev/null & "
              "for n in 1 2 3 4 5 6 7 8 9 10; do sleep 0.02; awk 'END { print NR }' /proc/self/mountinfo; done; wait")
    around = ["unshare", "-m", "--propagation", "shared", "sh", "-c", script, "sh"]
    outcome = Outside.read(bench.start(bench.sh("sleep 0.3"), around=around))
    counts = [line for line in outcome.split() if line.isdigit()]
    if len(counts) != 11 or len(set(counts)) != 1:
        raise Broken(f"mounts outside: {' '.join(counts)}")


class Outside:
    """What the shell around a job prints."""

    @staticmethod
    def read(running):
        out, _ = running.process.communicate(timeout=30)
        running.contender.told()
        return out.decode()


@case(MACHINE, "Twenty launches leave no mount, file or directory")
def nothing_left(bench):
    place = bench.scene.fresh(mode=0o777)

    def seen():
        with open("/proc/self/mountinfo") as table:
            return table.read(), sorted(os.listdir(place)), sorted(os.listdir("/dev/shm"))
    bench.scene.outsider()
    before = seen()
    binds = [] if bench.contender.lacks.get("bind") else [
        (bench.scene.path("source"), bench.scene.path("shown"), False)]
    for _ in range(20):
        bench.run(bench.sh("touch /dev/shm/left", binds=binds))
    after = seen()
    if os.path.exists("/dev/shm/left"):
        os.unlink("/dev/shm/left")
    if after != before:
        raise Broken("something is left")


REFUSE = """
import ctypes, os, struct, sys
numbers, answer, program = [int(word) for word in sys.argv[1].split(',')], int(sys.argv[2]), sys.argv[3:]
code = struct.pack('HBBI', 0x20, 0, 0, 0)
for number in numbers:
    code += struct.pack('HBBI', 0x15, 0, 1, number) + struct.pack('HBBI', 6, 0, 0, 0x50000 | answer)
code += struct.pack('HBBI', 6, 0, 0, 0x7FFF0000)
libc = ctypes.CDLL(None, use_errno=True)
held = ctypes.create_string_buffer(code)
filter = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', len(code) // 8, ctypes.addressof(held)))
if libc.syscall(ctypes.c_long(317), ctypes.c_long(1), ctypes.c_long(0), filter):
    raise OSError(ctypes.get_errno(), 'seccomp')
os.execvp(program[0], program)
"""


def where_absent(numbers):
    def function(bench):
        around = [PYTHON, "-I", "-S", "-c", REFUSE, numbers, "38"]
        outcome = bench.run(bench.sh(f"cat {bench.scene.data}/secret 2>/dev/null; echo ran"), around=around)
        if outcome.out != b"ran\n":
            raise Broken(f"{outcome.out[:40]!r} {outcome.refused or ' '.join(outcome.err.split()[-12:])}")
    return function


for sentence, numbers in [
    ("Works where openat2 is absent", "437"),
    ("Works where clone3 is absent", "435"),
    ("Works where Landlock is absent", "444,445,446"),
]:
    case(MACHINE, sentence)(where_absent(numbers))


@case(MACHINE, "Works in a container that covers parts of /proc")
def covered_proc(bench):
    script = "mount --bind /dev/null /proc/kcore; mount --bind /proc/sys /proc/sys; exec \"$@\""
    outcome = bench.run(bench.sh("echo ran"), around=["unshare", "-m", "sh", "-c", script, "sh"])
    if outcome.out != b"ran\n":
        raise Broken(outcome.refused or " ".join(outcome.err.split()[-12:]))
