# Acts by which programs leave containers, each tried once. Prints `hit NAME` where one works and
# `miss NAME: why` where it does not. Nothing is written and nothing is set to another value, so
# that the control, which is allowed everything, does no harm either.
import ctypes, glob, os, socket, stat, struct, sys, time

CANARY, MARKER, PORT = sys.argv[1], sys.argv[2], int(sys.argv[3])
libc = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    found = libc.syscall(ctypes.c_long(number), *arguments)
    if found < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return found


def child(act):
    # In a process of its own: what it changes about itself ends with it.
    pid = os.fork()
    if pid == 0:
        try:
            act()
            os._exit(0)
        except OSError as error:
            os._exit(min(error.errno or 255, 255) or 255)
        except BaseException:
            os._exit(255)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        raise OSError(status, "in a child")


def writable(pattern):
    files = glob.glob(pattern)
    last = OSError(2, "nothing there")
    for file in files:
        try:
            os.close(os.open(file, os.O_WRONLY))
            return
        except OSError as error:
            last = error
    raise last


def reads(*paths):
    for path in paths:
        for file in glob.glob(path):
            try:
                with open(file) as opened:
                    if MARKER in opened.read():
                        return
            except OSError:
                pass
    raise OSError(2, "not found")


def processes():
    for file in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(file, "rb") as opened:
                words = opened.read()
        except OSError:
            continue
        if MARKER.encode() in words and b"acts" not in words and b"-c" not in words:
            return
    raise OSError(2, "not found")


def unix(path):
    for file in glob.glob(path):
        try:
            with socket.socket(socket.AF_UNIX) as one:
                one.connect(file)
                return
        except OSError:
            pass
    raise OSError(2, "not found")


def connect(family, address):
    with socket.socket(family) as one:
        one.settimeout(2)
        one.connect(address)


def opens(family, kind, protocol=0):
    socket.socket(family, kind, protocol).close()


def block_device():
    for file in glob.glob("/dev/*"):
        if stat.S_ISBLK(os.stat(file).st_mode):
            os.close(os.open(file, os.O_RDONLY))
            return
    raise OSError(2, "no block device")


def device_node():
    os.mknod("/tmp/node", 0o600 | stat.S_IFCHR, os.makedev(1, 1))
    try:
        os.close(os.open("/tmp/node", os.O_RDONLY))
    finally:
        os.unlink("/tmp/node")


def mounts(kind):
    def act():
        call(272, 0x20000)
        os.makedirs("/tmp/m", exist_ok=True)
        call(165, kind, b"/tmp/m", kind, 0, b"")
    child(act)


def clock():
    now = time.clock_gettime(time.CLOCK_REALTIME)
    spec = struct.pack("qq", int(now), int(now % 1 * 1e9))
    call(227, 0, spec)


def perf():
    attributes = struct.pack("IIQ", 1, 112, 0) + bytes(96)
    os.close(call(298, attributes, 0, -1, -1, 0))


def bpf():
    os.close(call(321, 0, struct.pack("IIII", 1, 4, 4, 1) + bytes(112), 128))


def namespace():
    child(lambda: call(308, os.open("/proc/1/ns/net", os.O_RDONLY), 0))


ACTS = {
    "mount tmpfs": lambda: mounts(b"tmpfs"),
    "mount proc": lambda: mounts(b"proc"),
    "unshare mount namespace": lambda: child(lambda: call(272, 0x20000)),
    "unshare user namespace": lambda: child(lambda: call(272, 0x10000000)),
    "join a namespace of process 1": namespace,
    "chroot": lambda: child(lambda: os.chroot("/tmp")),
    "device node": device_node,
    "block device": block_device,
    "become root": lambda: child(lambda: (os.setgid(0), os.setuid(0))),
    "read a file of the host": lambda: reads(CANARY),
    "read it through another process": lambda: reads("/proc/*/root" + CANARY, "/proc/*/cwd" + CANARY),
    "see a process of the host": processes,
    "docker's socket": lambda: unix("/var/run/docker.sock"),
    "docker's socket through another process": lambda: unix("/proc/*/root/run/docker.sock"),
    "a listener of the host": lambda: connect(socket.AF_INET, ("127.0.0.1", PORT)),
    "core_pattern": lambda: writable("/proc/sys/kernel/core_pattern"),
    "sysrq": lambda: writable("/proc/sysrq-trigger"),
    "release_agent": lambda: writable("/sys/fs/cgroup/*/release_agent"),
    "cgroup.procs": lambda: writable("/sys/fs/cgroup/*/cgroup.procs"),
    "memory limit": lambda: writable("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    "uevent_helper": lambda: writable("/sys/kernel/uevent_helper"),
    "write to the root": lambda: (open("/escape", "x").close(), os.unlink("/escape")),
    "clock": clock,
    "keyring": lambda: call(248, b"user", b"lazaret", b"x", 1, -2),
    "userfaultfd": lambda: os.close(call(323, 0)),
    "bpf": bpf,
    "io_uring": lambda: os.close(call(425, 1, bytes(120))),
    "perf": perf,
    "ptrace": lambda: child(lambda: call(101, 0, 0, 0, 0)),
    "raw socket": lambda: opens(socket.AF_INET, socket.SOCK_RAW, 1),
    "packet socket": lambda: opens(17, socket.SOCK_RAW, 0),
    "netlink socket": lambda: opens(16, socket.SOCK_RAW, 0),
    "vsock": lambda: opens(40, socket.SOCK_STREAM),
    "kernel crypto socket": lambda: opens(38, socket.SOCK_SEQPACKET),
}

for name, act in ACTS.items():
    try:
        act()
        print("hit", name, flush=True)
    except OSError as error:
        print(f"miss {name}: {error}", flush=True)
    except Exception as error:
        print(f"broken {name}: {error!r}", flush=True)
