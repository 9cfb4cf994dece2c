//! Limits hold, each with its own ending and within its own time.
//!
//! Every case has its control: the same act below the limit goes through, so
//! that the ending is the limit's work and not a fault of the program.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use appliance_tests::daemon::{Answer, Daemon};
use appliance_tests::process;
use serde_json::{Value, json};

/// To kill, reap, record and answer, on a machine that others use too.
const GRACE: Duration = Duration::from_millis(1500);

/// The profile's limits (profiles/wasm-offline.toml).
const OUTPUT_BYTES: usize = 1 << 20;
const FILE_BYTES: u64 = 16 << 20;
const FILE_COUNT: u64 = 256;

fn run(daemon: &Daemon, code: &str, limits: Value) -> Answer {
    daemon.execute(&json!({"language": "python", "code": code, "limits": limits}))
}

#[test]
fn what_does_not_end_is_ended_in_time() {
    let daemon = Daemon::start();
    for code in [
        "while True: pass",
        "import time\ntime.sleep(60)",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "import signal\nfor s in range(1, 65):\n    try: signal.signal(s, signal.SIG_IGN)\n    except Exception: pass\nwhile True: pass",
        "9 ** 9 ** 9",
        "import re\nre.match('(a+)+$', 'a' * 60 + 'b')",
        "import zlib\nwhile True: zlib.compress(bytes(32 << 20))",
        "sum(range(10**15))",
        "import select\nselect.select([], [], [], 60)",
        "import atexit\natexit.register(lambda: [0 for _ in iter(int, 1)])",
    ] {
        let answer = run(&daemon, code, json!({"wall_ms": 1000}));
        answer.assert_ending("timed_out");
        assert_eq!(answer.body["exit_code"], Value::Null, "`{code}`");
        assert!(
            answer.took >= Duration::from_secs(1),
            "`{code}` got its time: {:?}",
            answer.took
        );
        assert!(
            answer.took < Duration::from_secs(1) + GRACE,
            "`{code}`: {:?}",
            answer.took
        );
    }
    let control = run(
        &daemon,
        "import time\ntime.sleep(0.5)\nprint('up')",
        json!({"wall_ms": 3000}),
    );
    control.assert_ending("exited");
    assert_eq!(control.text("stdout"), "up\n");
}

#[test]
fn output_before_the_end_of_time_is_kept() {
    let daemon = Daemon::start();
    let code = "print('before', flush=True)\nwhile True: pass";
    let answer = run(&daemon, code, json!({"wall_ms": 1000}));
    answer.assert_ending("timed_out");
    assert_eq!(answer.text("stdout"), "before\n");
}

#[test]
fn the_default_wall_limit_holds_when_none_is_asked() {
    let daemon = Daemon::start();
    let answer = daemon.python("while True: pass");
    answer.assert_ending("timed_out");
    assert!(answer.took >= Duration::from_secs(10), "{:?}", answer.took);
    assert!(
        answer.took < Duration::from_secs(10) + GRACE,
        "{:?}",
        answer.took
    );
}

#[test]
fn eating_memory_ends_out_of_memory() {
    let daemon = Daemon::start();
    for code in [
        "x = []\nwhile True: x.append(bytearray(1 << 20))",
        "x = bytearray(3 << 29)",
        "x = 'a'\nwhile True: x += x",
    ] {
        let (answer, peak) = with_peak(&daemon, code, json!({"wall_ms": 5000}));
        answer.assert_ending("out_of_memory");
        assert_eq!(answer.body["exit_code"], Value::Null);
        assert!(peak < 1 << 30, "`{code}`: the workers held {peak} bytes");
        daemon.assert_works();
    }
    let control = run(
        &daemon,
        "x = bytearray(100 << 20)\nprint(len(x))",
        json!({}),
    );
    control.assert_ending("exited");
    assert!(control.body["usage"]["memory_peak_bytes"].as_u64().unwrap() > 100 << 20);
}

#[test]
fn less_memory_can_be_asked_for() {
    let daemon = Daemon::start();
    let code = "x = bytearray(100 << 20)\nprint(len(x))";
    let answer = run(&daemon, code, json!({"memory_bytes": 96 << 20}));
    answer.assert_ending("out_of_memory");
    run(&daemon, code, json!({"memory_bytes": 256 << 20})).assert_ending("exited");
}

#[test]
fn a_flood_of_output_is_cut_and_said_to_be() {
    let daemon = Daemon::start();
    let code = "import sys\nfor _ in range(5000): print('x' * 1023)\nprint('y' * 3000000, file=sys.stderr)";
    let answer = run(&daemon, code, json!({}));
    answer.assert_ending("exited");
    assert_eq!(answer.text("stdout").len(), OUTPUT_BYTES);
    assert_eq!(answer.text("stderr").len(), OUTPUT_BYTES);
    assert_eq!(
        answer.body["truncated"],
        json!({"stdout": true, "stderr": true})
    );
    let small = run(&daemon, "print('0123456789')", json!({"output_bytes": 4}));
    assert_eq!(small.text("stdout"), "0123");
    assert_eq!(
        small.body["truncated"],
        json!({"stdout": true, "stderr": false})
    );
    let exact = run(&daemon, "print('012', end='')", json!({"output_bytes": 3}));
    assert_eq!(
        exact.body["truncated"]["stdout"], false,
        "control: what fits is not cut"
    );
}

#[test]
fn an_endless_flood_ends_and_costs_no_memory() {
    let daemon = Daemon::start();
    let code = "while True: print('x' * 100000)";
    let (answer, peak) = with_peak(&daemon, code, json!({"wall_ms": 2000}));
    answer.assert_ending("timed_out");
    assert_eq!(answer.text("stdout").len(), OUTPUT_BYTES);
    assert_eq!(answer.body["truncated"]["stdout"], true);
    assert!(peak < 1 << 30, "{peak}");
    assert!(answer.took < Duration::from_secs(2) + GRACE);
}

#[test]
fn a_flood_of_file_bytes_meets_a_full_disk() {
    let daemon = Daemon::start();
    let code = "import os\nwritten = 0\ntry:\n    for n in range(64):\n        \
                with open(f'f{n}', 'wb') as f: f.write(b'x' * (1 << 20))\n        written += 1\n\
                except OSError as e: print('full')\nprint(written)";
    let answer = run(&daemon, code, json!({}));
    answer.assert_ending("exited");
    let lines: Vec<&str> = answer.text("stdout").lines().collect();
    assert_eq!(lines[0], "full", "{answer:?}");
    let written: u64 = lines[1].parse().unwrap();
    assert!(
        (8..=FILE_BYTES >> 20).contains(&written),
        "{written} MiB fitted"
    );
    daemon.assert_works();
    let again = run(
        &daemon,
        "open('f', 'wb').write(b'x' * (8 << 20))\nprint('room')",
        json!({}),
    );
    assert_eq!(
        again.text("stdout"),
        "room\n",
        "control: the next call has its room again"
    );
}

#[test]
fn a_flood_of_files_meets_a_full_disk() {
    let daemon = Daemon::start();
    for make in [
        "open(f'f{n}', 'w').close()",
        "os.mkdir(f'd{n}')",
        "os.symlink('x', f'l{n}')",
    ] {
        let code = format!(
            "import os\nn = 0\ntry:\n    while n < 5000:\n        {make}\n        n += 1\n\
             except OSError: print('full')\nprint(n)"
        );
        let answer = run(&daemon, &code, json!({}));
        answer.assert_ending("exited");
        let lines: Vec<&str> = answer.text("stdout").lines().collect();
        assert_eq!(lines[0], "full", "`{make}`: {answer:?}");
        assert!(
            lines[1].parse::<u64>().unwrap() <= FILE_COUNT,
            "`{make}`: {answer:?}"
        );
    }
    let code = "for n in range(200): open(f'f{n}', 'w').close()\nprint('fits')";
    assert_eq!(
        run(&daemon, code, json!({})).text("stdout"),
        "fits\n",
        "control"
    );
}

#[test]
fn handles_that_stay_open_end_nobody_but_their_owner() {
    let daemon = Daemon::start();
    let code = "open('f', 'w').close()\nx = []\ntry:\n    while True: x.append(open('f'))\n\
                except OSError: print('enough')";
    let answer = run(&daemon, code, json!({"wall_ms": 5000}));
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_ne!(answer.text("ending"), "launch_failed", "{answer:?}");
    daemon.assert_works();
}

#[test]
fn new_processes_and_threads_are_not_to_be_had() {
    let daemon = Daemon::start();
    for code in [
        "import os\nwhile True: os.fork()",
        "import subprocess\nsubprocess.run(['/bin/true'])",
        "import os\nos.execv('/bin/sh', ['sh'])",
        "import multiprocessing\nmultiprocessing.Process(target=print).start()",
        "import _thread\n_thread.start_new_thread(print, ())",
    ] {
        let answer = run(&daemon, code, json!({"wall_ms": 3000}));
        answer.assert_ending("exited");
        assert_ne!(answer.body["exit_code"], 0, "`{code}`: {answer:?}");
    }
    daemon.assert_works();
}

#[test]
fn deep_nesting_breaks_the_program_and_nothing_else() {
    let daemon = Daemon::start();
    for code in [
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(): f()\nf()",
        "eval('(' * 100000 + ')' * 100000)",
        "x = []\nfor _ in range(10**6): x = [x]\nrepr(x)",
        "import json\njson.loads('[' * 10**6)",
        "import re\nre.compile('(' * 10000)",
    ] {
        let answer = run(&daemon, code, json!({"wall_ms": 5000}));
        assert_eq!(answer.status, 200, "`{code}`: {answer:?}");
        assert_ne!(answer.text("ending"), "launch_failed", "`{code}`");
        assert!(answer.body["exit_code"] != 0, "`{code}`: {answer:?}");
        daemon.assert_works();
    }
}

#[test]
fn a_call_at_its_limit_does_not_slow_its_neighbour() {
    let daemon = Daemon::start();
    let client = daemon.client();
    let hog = thread::spawn(move || {
        client.execute(&json!({
            "language": "python", "code": "while True: pass", "limits": {"wall_ms": 3000},
        }))
    });
    thread::sleep(Duration::from_millis(200));
    let answer = daemon.python("print('quick')");
    assert_eq!(answer.text("stdout"), "quick\n");
    assert!(
        answer.took < Duration::from_millis(1500),
        "{:?}",
        answer.took
    );
    hog.join().unwrap().assert_ending("timed_out");
}

#[test]
fn who_hangs_up_leaves_no_call_behind() {
    let daemon = Daemon::start();
    daemon.assert_works();
    let client = daemon.client();
    let mut stream = std::net::TcpStream::connect(client.address()).unwrap();
    let body =
        json!({"language": "python", "code": "while True: pass", "limits": {"wall_ms": 2000}});
    let body = body.to_string();
    let head = format!(
        "POST /v1/execute HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        client.token(),
        body.len()
    );
    std::io::Write::write_all(&mut stream, (head + &body).as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(300));
    drop(stream);
    thread::sleep(Duration::from_secs(2) + GRACE);
    let busy = process::descendants(daemon.pid())
        .into_iter()
        .filter(|p| p.state == 'R');
    assert_eq!(busy.count(), 0, "nothing spins after the wall limit");
    daemon.assert_works();
}

/// Runs a call, and meanwhile watches what the daemon's processes hold themselves.
fn with_peak(daemon: &Daemon, code: &str, limits: Value) -> (Answer, u64) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut peak = 0;
            while !done.load(Ordering::Acquire) {
                let mut pids: Vec<i32> = process::descendants(daemon.pid())
                    .iter()
                    .map(|p| p.pid)
                    .collect();
                pids.push(daemon.pid());
                let largest = pids.into_iter().map(process::own_memory_bytes).max();
                peak = peak.max(largest.unwrap_or(0));
                thread::sleep(Duration::from_millis(20));
            }
            peak
        });
        let answer = run(daemon, code, limits);
        done.store(true, Ordering::Release);
        (answer, watch.join().unwrap())
    })
}
