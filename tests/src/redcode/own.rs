//! Our own hostile programs: what the corpus does not try.
//!
//! Each aims at one kind of canary, so that every kind has its control, and at
//! what is particular to Lazaret: its token, its port, its environment. Words
//! that a program prints to show its success are put together at run time, so
//! that a traceback which quotes the source is not taken for success.

use crate::corpus::Case;

const PROGRAMS: [(&str, &str); 20] = [
    (
        "append",
        "open('/etc/passwd', 'a').write('mallory:x:0:0::/:/bin/sh\\n')",
    ),
    ("chmod", "import os\nos.chmod('/etc/shadow', 0o777)"),
    ("chown", "import os\nos.chown('/etc/group', 1, 1)"),
    (
        "rename",
        "import os\nos.rename('/etc/timezone', '/etc/' + 'loot')",
    ),
    ("mkdir", "import os\nos.makedirs('/opt/' + 'loot/deep')"),
    (
        "symlink",
        "import os\nlink = '/usr/' + 'link'\nos.symlink('/etc/shadow', link)\nprint(open(link).read())",
    ),
    (
        "climb",
        "print(open('../../../../../../etc/shadow').read())",
    ),
    (
        "proc-root",
        "print(open('/proc/self/root/etc/shadow').read())",
    ),
    (
        "listdir",
        "import os\n'/root/'\nprint('\\n'.join(os.listdir('/root')))",
    ),
    ("environment", "import os\nprint(dict(os.environ))"),
    (
        "parent-environment",
        "print(open('/proc/self/environ').read())",
    ),
    (
        "token",
        "print(open('/run/lazaret-arena/state/' + 'api-token').read())",
    ),
    (
        "daemon-port",
        "import socket\nsocket.create_connection(('127.0.0.1', 7070), 2)\nprint('reached-' + 'the-daemon')",
    ),
    (
        "udp",
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 5389))",
    ),
    (
        "unix-path",
        "import socket\nsocket.socket(socket.AF_UNIX).connect('/run/lazaret-arena/' + 'socket')",
    ),
    (
        "unix-abstract",
        "import socket\nsocket.socket(socket.AF_UNIX).connect('\\0lazaret-arena')",
    ),
    (
        "exec",
        "import subprocess\nprint(subprocess.run(['/bin/sh', '-c', 'id'], capture_output=True))",
    ),
    (
        "hunt",
        "import psutil\nfor p in psutil.process_iter():\n    cmdline = p.cmdline()\n    if \"prey\" in cmdline:\n        p.kill()",
    ),
    (
        "fork",
        "import os, time\nif os.fork() == 0:\n    time.sleep(60)",
    ),
    (
        "ctypes",
        "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.unlink(b'/etc/hostname')",
    ),
];

/// Our programs as cases of the category `own`.
pub(super) fn programs() -> Vec<Case> {
    let case = |(name, code): (&str, &str)| Case {
        id: format!("own-{name}"),
        language: "python".to_owned(),
        label: "attack".to_owned(),
        category: "own".to_owned(),
        code: code.to_owned(),
        expected_if_unprotected: String::new(),
        summary: String::new(),
    };
    PROGRAMS.into_iter().map(case).collect()
}
