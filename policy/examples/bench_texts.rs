//! How long the readers of texts take: `cargo run --release -p policy --example bench_texts`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use policy::texts::{encodings, hosts, paths, secrets, unicode};

const COMMAND: &str =
    "find /srv/app -name '*.py' -mtime -2 | xargs grep -ln 'import requests' | sort > /tmp/out_files.txt";

/// The least time of `rounds` runs: the machine is shared.
fn least(rounds: usize, run: impl Fn()) -> Duration {
    let once = |_| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..rounds).map(once).min().unwrap_or_default()
}

fn show(name: &str, text: &str, rounds: usize, read: impl Fn(&str)) -> Duration {
    let time = least(rounds, || read(black_box(text)));
    let rate = text.len() as f64 / time.as_secs_f64() / 1e6;
    println!("  {name:<10} {time:>12.2?}  {rate:>9.1} MB/s");
    time
}

fn all(title: &str, text: &str, rounds: usize) {
    println!("{title}, {} bytes", text.len());
    let readers: [(&str, fn(&str)); 5] = [
        ("hosts", |text| drop(black_box(hosts::find_hosts(text)))),
        ("paths", |text| drop(black_box(paths::normal(text, Some("/work"))))),
        ("unicode", |text| drop(black_box(unicode::unicode(text)))),
        ("encodings", |text| drop(black_box(encodings::encodings(text)))),
        ("secrets", |text| drop(black_box(secrets::find_secrets(text)))),
    ];
    let total: Duration = readers.iter().map(|(name, read)| show(name, text, rounds, read)).sum();
    println!("  {:<10} {total:>12.2?}", "together");
}

fn main() {
    let start = Instant::now();
    black_box(secrets::find_secrets("x"));
    println!("first search for secrets {:.2?}", start.elapsed());
    let start = Instant::now();
    secrets::warm();
    println!("every rule compiled      {:.2?}", start.elapsed());
    all("command", COMMAND, 2000);
    all("commands", &format!("{COMMAND}\n").repeat(64 * 1024 / COMMAND.len()), 50);
    let keywords = "aws secret token= eyJ sk-ant- password: npm_ okta jira discord ghp_ http://a:b@c ";
    for (title, text) in [
        ("keywords", keywords),
        ("colons", "http:"),
        ("letters", "aB3/"),
        ("percents", "%41"),
        ("Cyrillic", "привет сор "),
        ("hidden", "a\u{200B}"),
        ("steps", "a/../"),
        ("base64", "Y2F0IC9ldGMvcGFzc3dk "),
    ] {
        all(title, &text.repeat(64 * 1024 / text.len()), 20);
    }
}
