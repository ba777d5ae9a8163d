# Loads the filter of system calls that it reads from standard input, each time in a process of its own, in turn with one
# that is a single instruction. Prints the medians of the microseconds that took.
import ctypes, os, struct, sys, time

RUNS = 300
SECCOMP, SET_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 317, 1, 38
RETURN, ALLOW = 0x06, 0x7FFF0000

libc = ctypes.CDLL(None, use_errno=True)
call = libc.syscall
call.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_long, ctypes.c_void_p]


class Filter:
    def __init__(self, program):
        self.code = ctypes.create_string_buffer(program)
        described = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(self.code))
        self.described = ctypes.create_string_buffer(described)
        self.times = []

    def load(self):
        libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_long(1), ctypes.c_long(0), ctypes.c_long(0), ctypes.c_long(0))
        start = time.perf_counter_ns()
        answer = call(SECCOMP, SET_MODE_FILTER, 0, self.described)
        took = time.perf_counter_ns() - start
        return took if answer == 0 else -1

    def measure(self):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, struct.pack("q", self.load()))
            os._exit(0)
        os.close(writer)
        [took] = struct.unpack("q", os.read(reader, 8))
        os.close(reader)
        os.waitpid(child, 0)
        if took < 0:
            sys.exit("the kernel refuses the filter")
        self.times.append(took)


filters = [Filter(sys.stdin.buffer.read()), Filter(struct.pack("HBBI", RETURN, 0, 0, ALLOW))]
for _ in range(RUNS):
    for one in filters:
        one.measure()
print(*(sorted(one.times)[RUNS // 2] / 1000 for one in filters))
