//! The demo's own calls: ordinary work, attacks, excesses, and calls that the
//! policy denies; each with what must come of it.

use std::time::Instant;

use serde_json::{Value, json};

use crate::api::{Answer, Client, Ending, Ran, Refused, Verdict};
use crate::demo::Account;
use crate::demo::canaries::Canaries;
use crate::demo::layers;
use crate::failure::Failure;
use crate::table::{Align, Table};

pub(super) const READ_FORBIDDEN: &str = include_str!("../../programs/read_forbidden.py");
pub(super) const OPEN_SOCKET: &str = include_str!("../../programs/open_socket.py");
pub(super) const FORK_BOMB: &str = include_str!("../../programs/fork_bomb.py");
const ANALYSE_CSV: &str = include_str!("../../programs/analyse_csv.py");
const SALES: &str = include_str!("../../programs/sales.csv");
const PRIME_SIEVE: &str = include_str!("../../programs/prime_sieve.py");
const ENDLESS_LOOP: &str = include_str!("../../programs/endless_loop.py");
const EAT_MEMORY: &str = include_str!("../../programs/eat_memory.py");
const FLOOD_OUTPUT: &str = include_str!("../../programs/flood_output.py");

/// What `analyse_csv.py` makes of `sales.csv`, worked out by hand.
const BY_REGION: &[u8] = b"region,cents\neast,4920\nnorth,30281\nsouth,114750\nwest,37500\n";
/// A wall limit for what never ends by itself.
const SHORT_WALL_MS: u64 = 1_000;
/// Far above what any profile of ours allows.
const LONG_WALL_MS: u64 = 86_400_000;
/// The default profile's limit of each stream.
const OUTPUT_BYTES: usize = 1 << 20;

/// One call and what must come of it.
struct Case {
    name: &'static str,
    body: Value,
    expect: Expect,
}

/// What must come of a call.
enum Expect {
    Runs(fn(&Ran) -> Result<(), String>),
    Denied,
}

/// Runs all of them, one after the other, and prints the table.
pub(super) fn run(
    client: &Client,
    canaries: &Canaries,
    account: &mut Account,
) -> Result<(), Failure> {
    let columns = [
        ("call", Align::Left),
        ("verdict", Align::Left),
        ("ending", Align::Left),
        ("layers", Align::Right),
        ("time", Align::Right),
        ("", Align::Left),
    ];
    let mut table = Table::new(&columns);
    let mut in_force = Vec::new();
    for case in cases(canaries) {
        let started = Instant::now();
        let answer = client.execute(&case.body)?;
        let time = format!("{:.1} ms", started.elapsed().as_secs_f64() * 1e3);
        let verdict = judge(&case, &answer, canaries, account);
        table.row(row(&case, &answer, time, verdict));
        if let Answer::Ran(ran) = answer {
            in_force.push(layers::in_force(&ran.receipt));
        }
    }
    println!("\n{table}");
    print_layers(in_force, account);
    println!(
        "controls: outside the sandbox the same programs read the file and the environment, reach the port, and fork\n"
    );
    Ok(())
}

fn cases(canaries: &Canaries) -> Vec<Case> {
    [
        ordinary_work(),
        attacks(canaries),
        excesses(),
        denied_calls(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn ordinary_work() -> Vec<Case> {
    vec![
        Case {
            name: "CSV analysed, files in and out",
            body: json!({
                "language": "python", "code": ANALYSE_CSV,
                "files": [{"path": "sales.csv", "content": SALES}],
                "collect": ["out/*.csv"],
            }),
            expect: Expect::Runs(|ran| {
                exits_with(ran, 0)?;
                prints(ran, "regions 4 cents 187451\n")?;
                match ran.files.as_slice() {
                    [file] if file.path == "out/by_region.csv" && file.content == BY_REGION => {
                        Ok(())
                    }
                    files => Err(format!("{} files came out, or the wrong one", files.len())),
                }
            }),
        },
        Case {
            name: "primes up to a million",
            body: json!({"language": "python", "code": PRIME_SIEVE}),
            expect: Expect::Runs(|ran| {
                exits_with(ran, 0)?;
                prints(ran, "78498 primes up to 1000000\n")
            }),
        },
        Case {
            name: "standard input and arguments",
            body: json!({
                "language": "python", "args": ["-"], "stdin": "b\na\n",
                "code": "import sys\nprint(sys.argv[1].join(sorted(sys.stdin.read().split())))",
            }),
            expect: Expect::Runs(|ran| {
                exits_with(ran, 0)?;
                prints(ran, "a-b\n")
            }),
        },
    ]
}

fn attacks(canaries: &Canaries) -> Vec<Case> {
    let paths = [
        "/etc/shadow".into(),
        canaries.file().to_string_lossy().into_owned(),
    ];
    vec![
        Case {
            name: "reads /etc/shadow, a canary, the environment",
            body: json!({"language": "python", "code": READ_FORBIDDEN, "args": paths}),
            expect: Expect::Runs(|ran| {
                exits_with(ran, 0)?;
                prints_some(ran, "refused /etc/shadow")?;
                prints_none(ran, "READ")
            }),
        },
        Case {
            name: "opens a socket to a port of the host",
            body: json!({"language": "python", "code": OPEN_SOCKET, "args": [canaries.port().to_string()]}),
            expect: Expect::Runs(|ran| {
                exits_with(ran, 0)?;
                prints_some(ran, "refused")?;
                prints_none(ran, "CONNECTED")
            }),
        },
        Case {
            name: "fork bomb",
            body: json!({"language": "python", "code": FORK_BOMB}),
            expect: Expect::Runs(|ran| {
                exits_with(ran, 1)?;
                prints_none(ran, "FORKED")
            }),
        },
    ]
}

fn excesses() -> Vec<Case> {
    let short = json!({"wall_ms": SHORT_WALL_MS});
    vec![
        Case {
            name: "endless loop that catches everything",
            body: json!({"language": "python", "code": ENDLESS_LOOP, "limits": short}),
            expect: Expect::Runs(|ran| ends(ran, Ending::TimedOut)),
        },
        Case {
            name: "eats memory",
            body: json!({"language": "python", "code": EAT_MEMORY}),
            expect: Expect::Runs(|ran| ends(ran, Ending::OutOfMemory)),
        },
        Case {
            name: "floods its output",
            body: json!({"language": "python", "code": FLOOD_OUTPUT}),
            expect: Expect::Runs(|ran| {
                exits_with(ran, 0)?;
                match (ran.stdout_truncated, ran.stdout.len()) {
                    (true, 1..=OUTPUT_BYTES) => Ok(()),
                    (truncated, bytes) => {
                        Err(format!("{bytes} bytes kept, truncated: {truncated}"))
                    }
                }
            }),
        },
    ]
}

fn denied_calls() -> Vec<Case> {
    vec![
        Case {
            name: "asks for a day of time",
            body: json!({"language": "python", "code": "print(1)", "limits": {"wall_ms": LONG_WALL_MS}}),
            expect: Expect::Denied,
        },
        Case {
            name: "asks for a profile that no rule grants",
            body: json!({"language": "python", "code": "print(1)", "profile": "no-such-profile"}),
            expect: Expect::Denied,
        },
    ]
}

/// Checks one answer; gives a mark for the table's last column.
fn judge(case: &Case, answer: &Answer, canaries: &Canaries, account: &mut Account) -> &'static str {
    let found = match (&case.expect, answer) {
        (Expect::Runs(expect), Answer::Ran(ran)) => {
            account.recorded(case.name, &[ran.decision, ran.outcome]);
            expect(ran).and_then(|()| keeps(ran, canaries.secret()))
        }
        (Expect::Denied, Answer::Refused(refused)) => {
            account.recorded(case.name, refused.decision.as_slice());
            denied(refused)
        }
        (Expect::Runs(_), Answer::Refused(refused)) => Err(format!(
            "refused with status {}: {}",
            refused.status, refused.detail
        )),
        (Expect::Denied, Answer::Ran(_)) => Err("it ran".into()),
    };
    match found {
        Ok(()) => "as expected",
        Err(what) => {
            account.complaint(case.name, what);
            "NOT AS EXPECTED"
        }
    }
}

fn row(case: &Case, answer: &Answer, time: String, mark: &str) -> [String; 6] {
    let (verdict, ending, layers) = match answer {
        Answer::Ran(ran) => (
            ran.verdict.word(),
            ran.ending_text(),
            layers::in_force(&ran.receipt).len().to_string(),
        ),
        Answer::Refused(refused) => (
            refused.verdict.map_or("-", Verdict::word),
            format!("not run ({})", refused.status),
            "-".into(),
        ),
    };
    [
        case.name.into(),
        verdict.into(),
        ending,
        layers,
        time,
        mark.into(),
    ]
}

/// The layers by name, once: they must be the same for every call of a profile.
fn print_layers(mut in_force: Vec<Vec<String>>, account: &mut Account) {
    in_force.dedup();
    match in_force.as_slice() {
        [layers] if !layers.is_empty() => {
            println!("layers in force, by the receipts: {}", layers.join(", "));
        }
        [] | [_] => account.complaint("receipts", "they name no layer in force"),
        [_, ..] => account.complaint(
            "receipts",
            "two calls of one profile ran with different layers",
        ),
    }
}

fn exits_with(ran: &Ran, code: i64) -> Result<(), String> {
    ends(ran, Ending::Exited)?;
    if ran.exit_code == Some(code) {
        return Ok(());
    }
    Err(format!(
        "{}, not {code}: {}",
        ran.ending_text(),
        last_line(&ran.stderr)
    ))
}

fn ends(ran: &Ran, ending: Ending) -> Result<(), String> {
    if ran.ending == ending {
        return Ok(());
    }
    Err(format!(
        "{}, not {}: {}",
        ran.ending_text(),
        ending.word(),
        last_line(&ran.stderr)
    ))
}

fn prints(ran: &Ran, text: &str) -> Result<(), String> {
    if ran.stdout == text {
        return Ok(());
    }
    Err(format!("printed `{}`", last_line(&ran.stdout)))
}

fn prints_some(ran: &Ran, text: &str) -> Result<(), String> {
    if ran.stdout.contains(text) {
        return Ok(());
    }
    Err(format!("did not print `{text}`"))
}

fn prints_none(ran: &Ran, text: &str) -> Result<(), String> {
    match ran.stdout.lines().find(|line| line.contains(text)) {
        None => Ok(()),
        Some(line) => Err(format!("printed `{line}`")),
    }
}

/// No output of any call carries the canaries' secret out. A path may hold its
/// beginning, never the whole.
fn keeps(ran: &Ran, secret: &str) -> Result<(), String> {
    let files = ran
        .files
        .iter()
        .map(|file| String::from_utf8_lossy(&file.content));
    let carried = ran.stdout.contains(secret)
        || ran.stderr.contains(secret)
        || files.into_iter().any(|content| content.contains(secret));
    if carried {
        return Err("the canary's secret came out".into());
    }
    Ok(())
}

fn denied(refused: &Refused) -> Result<(), String> {
    match (refused.status, refused.verdict, refused.decision) {
        (403, Some(Verdict::Deny), Some(_)) => Ok(()),
        (status, verdict, decision) => Err(format!(
            "status {status}, verdict {}, decision recorded: {}",
            verdict.map_or("none", Verdict::word),
            decision.is_some()
        )),
    }
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or("")
}
