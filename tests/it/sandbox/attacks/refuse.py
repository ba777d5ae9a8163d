# Runs a program for which one system call, by number, is answered with an error number; a third number restricts that to
# calls with this first argument ("-" for any). Then: the program and its arguments.
import ctypes, os, struct, sys

number, answer, first, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]


def step(code, yes, no, value):
    return struct.pack("HBBI", code, yes, no, value)


code = step(0x20, 0, 0, 0)
if first == "-":
    code += step(0x15, 0, 1, number)
else:
    code += step(0x15, 0, 3, number) + step(0x20, 0, 0, 16) + step(0x15, 0, 1, int(first))
code += step(0x06, 0, 0, 0x00050000 | answer) + step(0x06, 0, 0, 0x7FFF0000)
libc = ctypes.CDLL(None, use_errno=True)
holder = ctypes.create_string_buffer(code)
filter = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(holder)))
# As root without no_new_privs, which the program under test must set by itself.
if os.geteuid() != 0:
    libc.prctl(38, ctypes.c_long(1), ctypes.c_long(0), ctypes.c_long(0), ctypes.c_long(0))
if libc.syscall(ctypes.c_long(317), ctypes.c_long(1), ctypes.c_long(0), filter) != 0:
    raise OSError(ctypes.get_errno(), "seccomp")
os.execv(program[0], program)
