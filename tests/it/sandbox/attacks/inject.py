# Types into the terminal on its standard streams, in every way the kernel knows.
import ctypes, errno, fcntl, os, termios

libc = ctypes.CDLL(None, use_errno=True)
for number in (0, 1, 2):
    for take in (0, 1):
        try:
            fcntl.ioctl(number, termios.TIOCSCTTY, take)
            print("took the terminal", flush=True)
        except OSError:
            pass
    # The second number is the first one to the kernel, but not to a filter that compares 64 bits.
    for request in (0x5412, 0x1_0000_5412, 0xFFFF_FFFF_0000_5412):
        answer = libc.syscall(ctypes.c_long(16), ctypes.c_long(number), ctypes.c_ulong(request), b"x")
        print(hex(request), answer, errno.errorcode.get(ctypes.get_errno(), ""), flush=True)
try:
    os.open("/dev/tty", os.O_RDWR)
    print("opened /dev/tty", flush=True)
except OSError:
    pass
