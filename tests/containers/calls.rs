//! What one call in a container promises to its caller, in gVisor and on the host's kernel.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::thread;
use std::time::{Duration, Instant};

use appliance_tests::containers::{PROFILES, bash, can_run, containers_of, daemon, python, with};
use appliance_tests::daemon::{Answer, Client, Daemon};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

/// A daemon for all tests of this file would hide what one leaves to the next.
fn each(test: impl Fn(&Client, &str)) {
    if !can_run() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let daemon = daemon(state.path());
    for profile in PROFILES {
        test(&daemon.client(), profile);
    }
    daemon.stop();
    assert_eq!(
        containers_of(state.path()),
        Vec::<String>::new(),
        "nothing is left"
    );
}

fn file<'a>(answer: &'a Answer, path: &str) -> Option<&'a Value> {
    answer.body["files"]
        .as_array()?
        .iter()
        .find(|file| file["path"] == path)
}

fn content(answer: &Answer, path: &str) -> Vec<u8> {
    let file = file(answer, path).unwrap_or_else(|| panic!("`{path}`: {answer:?}"));
    BASE64
        .decode(file["content_base64"].as_str().unwrap())
        .unwrap()
}

#[test]
fn streams_status_arguments_and_input() {
    each(|client, profile| {
        let answer = bash(client, profile, "echo out; echo err >&2; exit 7");
        answer.assert_ending("exited");
        assert_eq!(
            (answer.text("stdout"), answer.text("stderr")),
            ("out\n", "err\n")
        );
        assert_eq!(answer.body["exit_code"], 7);

        let more = json!({"stdin": "one\ntwo\n", "args": ["a b", "$(id)"]});
        let answer = with(
            client,
            profile,
            "bash",
            "cat; printf '%s|' \"$@\"",
            more.clone(),
        );
        assert_eq!(answer.text("stdout"), "one\ntwo\na b|$(id)|", "{answer:?}");

        let code = "import sys\nprint(sys.argv[1:], sys.stdin.read())";
        let answer = with(client, profile, "python", code, more);
        assert_eq!(
            answer.text("stdout"),
            "['a b', '$(id)'] one\ntwo\n\n",
            "{answer:?}"
        );

        let answer = bash(client, profile, "kill -SEGV $$");
        answer.assert_ending("killed");
        assert_eq!(answer.text("detail"), "it died of signal 11");
        assert!(answer.body["usage"]["wall_us"].as_u64().unwrap() > 0);
    });
}

#[test]
fn files_go_in_and_come_out() {
    each(|client, profile| {
        let more = json!({
            "files": [
                {"path": "in/data.bin", "content_base64": BASE64.encode([0, 255, 10])},
                {"path": "run.sh", "content": "cp in/data.bin out.bin"},
            ],
            "collect": ["*.bin", "deep/**"],
        });
        let answer = with(
            client,
            profile,
            "bash",
            "sh run.sh; mkdir -p deep/er; echo x > deep/er/x; pwd",
            more,
        );
        assert_eq!(answer.text("stdout"), "/workspace\n", "{answer:?}");
        assert_eq!(content(&answer, "out.bin"), [0, 255, 10]);
        assert_eq!(content(&answer, "deep/er/x"), b"x\n");
        assert_eq!(answer.body["files"].as_array().unwrap().len(), 2);
        // The next call finds nothing of it.
        assert_eq!(
            bash(client, profile, "ls -A /workspace /tmp")
                .text("stdout")
                .matches("bin")
                .count(),
            0
        );
    });
}

/// What a guest lays out to be followed on the host side: nothing of it is.
#[test]
fn hostile_files_are_left_out_and_nothing_is_followed() {
    each(|client, profile| {
        let code = "ln -s /etc/passwd link; ln -s / root; mkfifo pipe; mkdir dir; ln plain hard 2>/dev/null\n\
                    echo good > plain; ln plain hard; chmod 000 dir; echo > $'new\\nline'\n\
                    dd if=/dev/zero of=big bs=1M count=60 status=none; dd if=/dev/zero of=big2 bs=1M count=3 status=none\n\
                    python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")'; ls | wc -l";
        let answer = with(client, profile, "bash", code, json!({"collect": ["**"]}));
        answer.assert_ending("exited");
        let paths: Vec<&str> = answer.body["files"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|f| f["path"].as_str())
            .collect();
        assert!(
            paths.contains(&"plain") && paths.contains(&"hard"),
            "control: {answer:?}"
        );
        for never in ["link", "root", "pipe", "sock", "dir", "new\nline"] {
            assert!(!paths.contains(&never), "{never}: {paths:?}");
        }
        let everything = answer.everything();
        assert!(!everything.contains("root:x:0:0"), "no link was followed");
        let left_out: Vec<&str> = answer.body["files_left_out"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|f| f["path"].as_str())
            .collect();
        for told in ["link", "pipe", "sock"] {
            assert!(left_out.contains(&told), "{told}: {left_out:?}");
        }
    });
}

#[test]
fn every_limit_ends_what_is_over_it() {
    each(|client, profile| {
        let limits = |wall_ms: u64, output: u64| json!({"limits": {"wall_ms": wall_ms, "output_bytes": output}});

        let started = Instant::now();
        let answer = with(
            client,
            profile,
            "bash",
            "echo before; sleep 60 & sleep 60",
            limits(1_500, 1_000),
        );
        answer.assert_ending("timed_out");
        assert_eq!(
            answer.text("stdout"),
            "before\n",
            "what came before is there"
        );
        assert!(
            started.elapsed() < Duration::from_secs(12),
            "{:?}",
            started.elapsed()
        );

        let answer = with(
            client,
            profile,
            "bash",
            "yes | head -c 3000000; echo end >&2",
            limits(20_000, 1_000),
        );
        answer.assert_ending("exited");
        assert_eq!(answer.text("stdout").len(), 1_000);
        assert_eq!(
            answer.body["truncated"],
            json!({"stdout": true, "stderr": false})
        );
        assert_eq!(
            answer.text("stderr"),
            "end\n",
            "a flood does not stop the program"
        );

        let answer = bash(
            client,
            profile,
            "dd if=/dev/zero of=full bs=1M count=500; du -sm . | cut -f1",
        );
        answer.assert_ending("exited");
        let megabytes: u64 = answer.text("stdout").trim().parse().unwrap();
        assert!(megabytes <= 64, "the workspace has a size: {megabytes}");

        let answer = bash(
            client,
            profile,
            "touch /x; touch /usr/x; : > /etc/passwd; [ -e /x ] || [ -e /usr/x ] || echo unchanged",
        );
        assert_eq!(answer.text("stdout"), "unchanged\n", "{answer:?}");
    });
}

#[test]
fn memory_ends_as_memory() {
    each(|client, profile| {
        let answer = python(
            client,
            profile,
            "print('start', flush=True)\nb = bytearray(900 << 20)\nprint('had it')",
        );
        assert!(!answer.text("stdout").contains("had it"), "{answer:?}");
        let ending = answer.text("ending");
        // Python may be told that there is no more, or be ended.
        assert!(
            ["out_of_memory", "exited"].contains(&ending),
            "{profile}: {answer:?}"
        );

        let bomb = "import os\nx=[]\nwhile True:\n x.append(os.urandom(8<<20))";
        let answer = python(client, profile, bomb);
        answer.assert_ending("out_of_memory");
        // The next call is not touched by it.
        assert_eq!(bash(client, profile, "echo well").text("stdout"), "well\n");
    });
}

#[test]
fn bombs_end_with_their_call() {
    each(|client, profile| {
        for bomb in [
            ":(){ :|:& };:; sleep 3",
            "while true; do sleep 100 & done",
            "for i in $(seq 400); do setsid sleep 100 & done; echo made",
            "(trap '' TERM INT HUP; while true; do :; done) & disown; echo gone",
        ] {
            let started = Instant::now();
            let answer = with(
                client,
                profile,
                "bash",
                bomb,
                json!({"limits": {"wall_ms": 4_000}}),
            );
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(
                started.elapsed() < Duration::from_secs(40),
                "{bomb}: {:?}",
                started.elapsed()
            );
            assert_eq!(
                bash(client, profile, "echo well").text("stdout"),
                "well\n",
                "after {bomb}"
            );
        }
        let code = "import os\nn=0\ntry:\n while True: os.dup(0); n+=1\nexcept OSError as e: print(n < 1100, e.errno)";
        assert_eq!(python(client, profile, code).text("stdout"), "True 24\n");
    });
}

#[test]
fn the_usual_tools_work() {
    each(|client, profile| {
        let git = "git init -q --bare a.git && git clone -q a.git b 2>&1 | grep -v empty; cd b && \
                   git config user.email a@example.com && git config user.name A && echo x > f && \
                   git add f && git commit -qm one && git push -q origin HEAD && git log --oneline | wc -l";
        assert_eq!(bash(client, profile, git).text("stdout"), "1\n");
        let gcc = "printf '#include <stdio.h>\\nint main(){puts(\"compiled\");}' > a.c && gcc a.c -o a && ./a";
        assert_eq!(bash(client, profile, gcc).text("stdout"), "compiled\n");
        assert_eq!(
            bash(client, profile, "echo '{\"a\":[1,2]}' | jq .a[1]").text("stdout"),
            "2\n"
        );
        assert_eq!(
            bash(client, profile, "echo needle > x; rg -l needle .").text("stdout"),
            "./x\n"
        );
        let make = "printf 'all:\\n\\t@echo made\\n' > Makefile && make -s";
        assert_eq!(bash(client, profile, make).text("stdout"), "made\n");
    });
}

#[test]
fn a_call_that_is_cancelled_leaves_nothing() {
    if !can_run() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let daemon = daemon(state.path());
    let client = daemon.client();
    let call = thread::spawn(move || bash(&client, PROFILES[0], "sleep 25"));
    thread::sleep(Duration::from_secs(3));
    assert!(!containers_of(state.path()).is_empty(), "control: it runs");
    let verified = daemon.stop_and_verify();
    assert_eq!(verified.code, 0, "{}", verified.err());
    let answer = call.join().unwrap();
    assert!(
        answer.status == 0 || answer.text("ending") == "cancelled",
        "{answer:?}"
    );
    assert!(containers_of(state.path()).is_empty());
}

/// A queue is one backend's: calls of the other go on.
#[test]
fn a_full_queue_of_containers_turns_no_other_call_away() {
    if !can_run() {
        return;
    }
    let state = tempfile::tempdir().unwrap();
    let mut options = appliance_tests::containers::options(state.path());
    for (name, value) in [("MAX_RUNNING", "1"), ("MAX_WAITING", "0")] {
        let name = format!("LAZARET_{name}");
        options.environment.push((name, value.to_owned()));
    }
    let daemon = Daemon::start_with(options);
    let client = daemon.client();
    let call = thread::spawn({
        let client = client.clone();
        move || bash(&client, PROFILES[0], "sleep 6")
    });
    thread::sleep(Duration::from_secs(3));
    let busy = bash(&client, PROFILES[0], "echo 1");
    assert_eq!(busy.status, 503, "control: the queue is full: {busy:?}");
    daemon.assert_works();
    call.join().unwrap().assert_ending("exited");
    daemon.stop();
}

/// A profile that cannot be made here stops the daemon that needs it, with one line.
#[test]
fn a_daemon_that_needs_docker_does_not_start_without() {
    let state = tempfile::tempdir().unwrap();
    let mut options = appliance_tests::containers::options(state.path());
    options.environment.push((
        "LAZARET_DOCKER_SOCKET".into(),
        "/nowhere/docker.sock".into(),
    ));
    let said = Daemon::try_start(options).expect_err("it must not start");
    assert!(
        said.contains("no Docker answers at `/nowhere/docker.sock`"),
        "{said}"
    );
}

/// Without the need, the daemon starts, and only what needs a container is not run.
#[test]
fn without_docker_a_call_that_needs_a_container_is_not_run() {
    let state = tempfile::tempdir().unwrap();
    let mut options = appliance_tests::containers::options(state.path());
    options
        .environment
        .retain(|(name, _)| name != "LAZARET_CONTAINERS");
    options.environment.push((
        "LAZARET_DOCKER_SOCKET".into(),
        "/nowhere/docker.sock".into(),
    ));
    let daemon = Daemon::start_with(options);
    daemon.assert_works();
    let answer = bash(&daemon.client(), PROFILES[0], "echo ran");
    answer.assert_ending("launch_failed");
    assert!(!answer.everything().contains("ran\n"));
    let refused = bash(&daemon.client(), "container-egress", "echo ran");
    assert_ne!(refused.status, 200, "no rule names it: {refused:?}");
}
