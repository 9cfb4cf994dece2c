//! Nothing passes from one call to another, and nothing of the host comes in.
//!
//! Each leak has its control: within one call the same trace is visible, so a
//! clean second call means that it was taken away and not that it was never
//! made.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::thread;

use appliance_tests::arena::secret;
use appliance_tests::daemon::{Daemon, Options};
use serde_json::json;

/// Enough calls after each other to meet every worker that is kept ready.
const ROUNDS: usize = 8;

/// (what it is, leaves a trace, looks for one and prints `traced` if it is there)
const TRACES: [(&str, &str, &str); 12] = [
    (
        "a file",
        "open('trace', 'w').write('x')",
        "import os\nif os.path.exists('trace'): print('traced')",
    ),
    (
        "a file in /tmp",
        "open('/tmp/trace', 'w').write('x')",
        "import os\nif os.path.exists('/tmp/trace'): print('traced')",
    ),
    (
        "a folder",
        "import os\nos.makedirs('a/b/c')",
        "import os\nif os.listdir('.'): print('traced')",
    ),
    (
        "the environment",
        "import os\nos.environ['TRACE'] = 'x'",
        "import os\nif 'TRACE' in os.environ: print('traced')",
    ),
    (
        "a module's state",
        "import json\njson.trace = 1",
        "import json\nif hasattr(json, 'trace'): print('traced')",
    ),
    (
        "a builtin",
        "import builtins\nbuiltins.len = lambda x: -1",
        "if len('ab') != 2: print('traced')",
    ),
    (
        "a global",
        "trace = 1",
        "if 'trace' in globals(): print('traced')",
    ),
    (
        "the main module",
        "import __main__\n__main__.trace = 1",
        "import __main__\nif hasattr(__main__, 'trace'): print('traced')",
    ),
    (
        "the module search",
        "import sys\nsys.path.append('/trace')\nsys.modules['left_behind'] = sys",
        "import sys\nif '/trace' in sys.path or 'left_behind' in sys.modules: print('traced')",
    ),
    (
        "the working directory",
        "import os\nos.mkdir('/tmp/elsewhere')\nos.chdir('/tmp/elsewhere')",
        "import os\nif os.getcwd().endswith('elsewhere'): print('traced')",
    ),
    (
        "a hook at exit",
        "import atexit\natexit.register(print, 'traced')",
        "",
    ),
    (
        "the interpreter's limits",
        "import sys\nsys.setrecursionlimit(4321)",
        "import sys\nif sys.getrecursionlimit() == 4321: print('traced')",
    ),
];

#[test]
fn no_trace_of_a_call_is_in_the_next() {
    let daemon = Daemon::start();
    for (what, leave, look) in TRACES {
        let control = daemon.python(&format!("{leave}\n{look}"));
        assert_eq!(
            control.text("stdout"),
            "traced\n",
            "control of {what}: {control:?}"
        );
        for _ in 0..ROUNDS {
            let answer = daemon.python(look);
            answer.assert_ending("exited");
            assert_eq!(answer.text("stdout"), "", "{what} passed to another call");
        }
    }
}

#[test]
fn a_call_that_is_killed_leaves_nothing_either() {
    let daemon = Daemon::start();
    for end in [
        "while True: pass",
        "x = bytearray(2 << 30)",
        "import os\nos.abort()",
    ] {
        let code =
            format!("open('trace', 'w').write('x')\nopen('/tmp/trace', 'w').write('x')\n{end}");
        let request = json!({"language": "python", "code": code, "limits": {"wall_ms": 500}});
        assert_eq!(daemon.execute(&request).status, 200);
        for _ in 0..ROUNDS {
            let look = "import os\nprint(os.listdir('.'), os.listdir('/tmp'))";
            assert_eq!(
                daemon.python(look).text("stdout"),
                "[] []\n",
                "after `{end}`"
            );
        }
    }
}

#[test]
fn input_and_arguments_belong_to_one_call() {
    let daemon = Daemon::start();
    let look = "import sys\nprint(sys.argv[1:], repr(sys.stdin.read()))";
    for _ in 0..ROUNDS {
        let first = daemon.execute(&json!({
            "language": "python", "code": "print('reads nothing')",
            "stdin": "left over\n".repeat(1000), "args": ["left", "over"],
        }));
        first.assert_ending("exited");
        assert_eq!(daemon.python(look).text("stdout"), "[] ''\n");
    }
    let control = json!({"language": "python", "code": look, "stdin": "s", "args": ["a"]});
    assert_eq!(
        daemon.execute(&control).text("stdout"),
        "['a'] 's'\n",
        "control"
    );
}

#[test]
fn calls_at_the_same_time_see_only_themselves() {
    let daemon = Daemon::start();
    let code = "import sys, os, time\nmark = sys.argv[1]\nopen('mark', 'w').write(mark)\n\
                open('/tmp/' + mark, 'w').write(mark)\nos.environ['MARK'] = mark\ntime.sleep(0.3)\n\
                print(open('mark').read(), os.environ['MARK'], sys.stdin.read(), os.listdir('/tmp'))";
    thread::scope(|scope| {
        for number in 0..ROUNDS {
            let (daemon, mark) = (&daemon, format!("mark{number}"));
            scope.spawn(move || {
                for _ in 0..3 {
                    let answer = daemon.execute(&json!({
                        "language": "python", "code": code, "args": [mark], "stdin": mark,
                    }));
                    assert_eq!(
                        answer.text("stdout"),
                        format!("{mark} {mark} {mark} ['{mark}']\n"),
                        "{answer:?}"
                    );
                }
            });
        }
    });
}

/// An interpreter that was frozen must not have its randomness frozen with it.
#[test]
fn every_call_has_its_own_randomness() {
    let daemon = Daemon::start();
    for code in [
        "import random\nprint(random.random())",
        "import os\nprint(os.urandom(8).hex())",
        "import uuid\nprint(uuid.uuid4())",
        "import secrets\nprint(secrets.token_hex())",
        "import tempfile\nprint(tempfile.mktemp())",
    ] {
        let seen: BTreeSet<String> = (0..ROUNDS)
            .map(|_| daemon.python(code).text("stdout").to_owned())
            .collect();
        assert_eq!(seen.len(), ROUNDS, "`{code}` repeats itself: {seen:?}");
    }
    let control: BTreeSet<String> = (0..3)
        .map(|_| daemon.python("import random\nrandom.seed(1)\nprint(random.random())"))
        .map(|answer| answer.text("stdout").to_owned())
        .collect();
    assert_eq!(control.len(), 1, "control: a seed repeats");
}

#[test]
fn the_clock_is_not_frozen() {
    let daemon = Daemon::start();
    let answer = daemon.python("import time\nprint(int(time.time()))");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let seen: u64 = answer.text("stdout").trim().parse().unwrap();
    assert!(now.abs_diff(seen) < 60, "{seen} against {now}");
}

#[test]
fn nothing_of_the_host_is_in_the_guest() {
    let word = secret();
    let mut options = Options::default();
    options
        .environment
        .push(("LAZARET_TEST_SECRET".to_owned(), word.clone()));
    let daemon = Daemon::start_with(options);
    let kept = daemon.state().join("kept");
    std::fs::write(&kept, &word).unwrap();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for code in [
        "import os\nprint(dict(os.environ))".to_owned(),
        "print(open('/proc/self/environ').read())".to_owned(),
        "print(open('/proc/1/environ').read())".to_owned(),
        format!("print(open({:?}).read())", kept.display().to_string()),
        format!("print(open('../../../../..' + {:?}).read())", kept.display().to_string()),
        format!("import os\nos.symlink({:?}, 'link')\nprint(open('link').read())", kept.display().to_string()),
        "import os\nfor d, _, f in os.walk('/'): print(d, f)".to_owned(),
        "import os\nfor n in range(3, 64):\n    try: print(os.read(n, 4096))\n    except OSError: pass".to_owned(),
    ] {
        let answer = daemon.python(&code);
        assert_eq!(answer.status, 200);
        let said = answer.everything();
        assert!(!said.contains(&word), "`{code}` reads the host: {said}");
        assert!(!said.contains(daemon.client().token()), "`{code}` reads the token");
    }
    let control = std::process::Command::new("cat")
        .arg(&kept)
        .output()
        .unwrap();
    assert_eq!(
        control.stdout,
        word.as_bytes(),
        "control: outside it can be read"
    );
    let names = daemon.python("import os, platform\nprint(os.listdir('/'), platform.node())");
    assert!(!names.text("stdout").contains("etc"), "{names:?}");
    assert!(!names.text("stdout").contains(host.trim()), "{names:?}");
}

#[test]
fn the_network_is_not_there() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    let daemon = Daemon::start();
    for code in [
        format!("import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)\nprint('in')"),
        format!("import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}', timeout=2)\nprint('in')"),
        format!("import http.client\nc = http.client.HTTPConnection('127.0.0.1', {port}, timeout=2)\nc.request('GET', '/')\nprint('in')"),
        "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 53))\nprint('in')".to_owned(),
        "import socket\nsocket.socket(socket.AF_UNIX)\nprint('in')".to_owned(),
        "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\nprint('in')".to_owned(),
        "import socket\nprint(socket.gethostbyname('localhost'), 'in')".to_owned(),
    ] {
        let answer = daemon.execute(&json!({
            "language": "python", "code": code, "limits": {"wall_ms": 4000},
        }));
        assert_eq!(answer.status, 200);
        assert!(!answer.text("stdout").contains("in"), "`{code}`: {answer:?}");
    }
    assert!(listener.accept().is_err(), "nobody called");
    let control = std::net::TcpStream::connect(("127.0.0.1", port));
    assert!(
        control.is_ok() && listener.accept().is_ok(),
        "control: the listener hears"
    );
}
