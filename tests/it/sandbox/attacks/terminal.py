# Runs a program with a terminal of its own as controlling terminal and standard streams; then says in a file how many
# bytes wait to be read from that terminal. Arguments: the file, the program and its arguments.
import fcntl, os, pty, struct, sys, termios

result, program = sys.argv[1], sys.argv[2:]
master, slave = pty.openpty()
modes = termios.tcgetattr(slave)
# Without line mode every byte counts at once; without echo nothing comes back.
modes[3] &= ~(termios.ICANON | termios.ECHO)
termios.tcsetattr(slave, termios.TCSANOW, modes)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for number in (0, 1, 2):
        os.dup2(slave, number)
    os.close(master)
    os.close(slave)
    os.execv(program[0], program)
_, status = os.waitpid(child, 0)
waiting = struct.unpack("i", fcntl.ioctl(slave, termios.FIONREAD, b"\0" * 4))[0]
said = b""
while struct.unpack("i", fcntl.ioctl(master, termios.FIONREAD, b"\0" * 4))[0]:
    said += os.read(master, 4096)
with open(result, "w") as file:
    file.write(f"queued {waiting}\n{said.decode(errors='replace')}")
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
