"""The page of the cases: what each contender kept, in one run on one machine."""

import platform

SIGN = {"held": "yes", "broken": "**no**", "-": "–"}

HEAD = """# Sandbox cases

<!-- Written by `make sandbox-cases`; the list of cases is compared by a test. -->

What a job can and can not do, tried in one run, each case in each of the three forms of offhost's sandbox and in three
other programs that make one. A case is a small program that runs as the job and tries something, or a launch whose end is
looked at. `make sandbox-cases` repeats it; `make test` runs offhost's three columns, and fails if one case does.

How the others are started, so that they are as equal to offhost as their own options make them:

- The same account, the same masks, mounts of their own, and PID, IPC, UTS and user namespaces; no core dumps.
- bubblewrap is started by the account itself, with a new session, without capabilities, and with `--disable-userns`. It
  takes a system call filter only as a program that its caller brings, and so it has none.
- runc is started by root with the machine's root as its own, a user namespace in which every id stands for itself, no
  capabilities, and the list of system calls that offhost refuses.
- unshare is started by root, with mounts made by a shell script that stays as the first process, and then `setsid`,
  `setpriv` and a second `unshare` for the user namespace.
- "No sandbox" is the same job as the same account. Where it says yes, the machine itself refuses, and the case shows only
  that a sandbox does not make it worse.

"yes" means that the sentence holds, "no" that it does not, and "–" that the program has no words for it; below the table
is the reason for each of the last two. It was measured on {machine}.

"""

BESIDES = """
## What the others can do and offhost does not

- A network of their own (bubblewrap `--unshare-net`, runc, `unshare -n`). Content may use the network; to take it away,
  use a firewall rule for the account, or a cluster with a NetworkPolicy.
- A new root that shows only what is named (bubblewrap, runc). offhost masks what belongs to the server, because content
  needs the machine's libraries, fonts and certificates.
- Control group namespaces (all three), overlays (bubblewrap, runc), mounts with other ids (runc), and a filter of one's
  own (bubblewrap, runc).
"""


def row_of(sentence, verdicts):
    return f"| {sentence} | " + " | ".join(SIGN[verdict] for verdict, _ in verdicts) + " |\n"


def table(names, results):
    text = "| | " + " | ".join(names) + " |\n" + "|---|" + ":-:|" * len(names) + "\n"
    last = None
    for group, sentence, verdicts in results:
        if group != last:
            text += f"| **{group}** |" + " |" * len(names) + "\n"
            last = group
        text += row_of(sentence, verdicts)
    for name, sign in (("held", "kept"), ("broken", "not kept")):
        counts = [sum(row[at][0] == name for _, _, row in results) for at in range(len(names))]
        text += f"| **{sign}** | " + " | ".join(map(str, counts)) + " |\n"
    return text


def reasons(names, results):
    text = ""
    for at, name in enumerate(names):
        told = [(sentence, row[at]) for _, sentence, row in results if row[at][0] != "held"]
        if not told or name == "no sandbox":
            continue
        text += f"\n### {name}\n\n"
        text += "".join(f"- {sentence}: {SIGN[verdict].strip('*')}, {plain(why)}\n" for sentence, (verdict, why) in told)
    return text


def plain(why):
    """Without what differs from run to run."""
    words = " ".join(why.replace("|", "\\|").split())
    return words if len(words) < 160 else words[:157] + "..."


def write_page(path, names, results):
    release = ".".join(platform.release().split(".")[:2])
    machine = f"Linux {release} on {platform.machine()}"
    text = HEAD.replace("{machine}", machine) + table(names, results)
    text += "\n## Why\n" + reasons(names, results) + BESIDES
    with open(path, "w") as file:
        file.write(text)
