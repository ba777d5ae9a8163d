# A process outside every sandbox, of the same account: what it holds must stay out of reach.
# Arguments: the masked directory, the name of an abstract socket. It ends when its standard input does.
import os, socket, sys, threading

masked, name = sys.argv[1:]
os.chdir(masked)
directory = os.open(".", os.O_RDONLY)
file = open("secret")
kept = [file.read() for _ in range(2)] + [os.environ["SECRET"]]
listener = socket.socket(socket.AF_UNIX)
listener.bind("\0" + name)
listener.listen()


def serve():
    while True:
        client, _ = listener.accept()
        client.sendall(os.environ["SECRET"].encode())
        client.close()


threading.Thread(target=serve, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
