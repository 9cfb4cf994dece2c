//! What the loop costs: time and allocations of the paths that each token, message or
//! call takes. `cargo run --release -p agent --example bench_agent`
//!
//! Prints one line each, beside the figure that others state for theirs, where one does.
//! A figure holds for the machine that it was taken on.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use agent::cache::{Cache, CacheRule};
use agent::context::{ContextRule, select};
use agent::digest::Digest;
use agent::machine::{Answer, Event, Machine, ModelChoice, Place, Setup, ToolEnding, ToolResult};
use agent::message::{Message, ProposedCall, Tool};
use agent::parse::{CallFormat, Scanner};
use agent::prompt::{Assembly, Prompt};
use agent::resilience::{Breaker, BreakerRule, PermitRule, Permits};
use agent::wire::{Decoder, Dialect};

/// Rounds of one measurement; the median of [`SAMPLES`] is printed.
const ROUNDS: u32 = 20_000;

const SAMPLES: usize = 15;

fn main() {
    println!(
        "{:<44} {:>11} {:>12}  stated elsewhere",
        "path", "ns", "allocations"
    );
    prompt();
    context();
    cache();
    resilience();
    events();
    tokens();
}

/// The median of several samples, and the allocations of one round.
fn measure(name: &str, per: u32, stated: &str, mut work: impl FnMut()) {
    let mut samples: Vec<f64> = (0..SAMPLES).map(|_| sample(&mut work)).collect();
    samples.sort_by(f64::total_cmp);
    let median = samples.get(SAMPLES / 2).copied().unwrap_or_default() / f64::from(per);
    let counted = allocation_counter::measure(&mut work);
    println!(
        "{name:<44} {median:>11.1} {:>12}  {stated}",
        counted.count_total
    );
}

fn sample(work: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..ROUNDS {
        work();
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
}

fn conversation() -> Vec<Arc<Message>> {
    (0..100)
        .map(|number| {
            Arc::new(Message::user(&format!(
                "message number {number}: is it so?"
            )))
        })
        .collect()
}

fn prompt() {
    let make = || {
        Prompt::new(
            "be brief",
            None,
            conversation(),
            &[tool()],
            CallFormat::Native,
        )
    };
    let mut assembly = Assembly::new(make(), 1);
    measure(
        "prompt, unchanged (100 messages)",
        1,
        "41 ns, 0 allocations",
        || {
            black_box(assembly.at(black_box(1), make));
        },
    );
    let messages = conversation();
    let tools: Arc<[Tool]> = Arc::from([tool()]);
    let system: Arc<str> = Arc::from("be brief");
    measure("prompt, assembled again (100 messages)", 1, "", || {
        let (system, tools) = (Arc::clone(&system), Arc::clone(&tools));
        black_box(Prompt::of_parts(
            system,
            None,
            messages.clone(),
            tools,
            CallFormat::Native,
        ));
    });
}

fn context() {
    let messages = conversation();
    let all = ContextRule::default();
    measure(
        "context, all fits, per message",
        100,
        "1.8 ns an item, 0 allocations",
        || {
            black_box(select(black_box(&all), black_box(&messages)));
        },
    );
    let half = ContextRule {
        budget_tokens: 600,
        ..ContextRule::default()
    };
    measure("context, half fits, per message", 100, "", || {
        black_box(select(black_box(&half), black_box(&messages)));
    });
}

fn cache() {
    let mut cache = Cache::new(CacheRule::default());
    let keys: Vec<Digest> = (0..1_000_u32)
        .map(|number| Digest::of_parts("bench", [&number.to_le_bytes()[..]]))
        .collect();
    for key in &keys {
        cache.put(*key, Arc::new(1_u8), 0);
    }
    let mut next = keys.iter().cycle();
    measure("cache, hit among 1,000", 1, "325 ns, 4 allocations", || {
        if let Some(key) = next.next() {
            black_box(cache.get(black_box(key), 1));
        }
    });
}

fn resilience() {
    let mut permits = Permits::new(&PermitRule {
        per_minute: 60_000,
        burst: 10,
    });
    let mut now_ms = 0;
    measure("rate permit", 1, "", || {
        now_ms += 1;
        let _taken = black_box(permits.take(black_box(now_ms), 1)).is_ok();
    });
    let mut breaker = Breaker::new(BreakerRule::default());
    measure("circuit breaker, a call that goes well", 1, "", || {
        black_box(breaker.admit(black_box(1)));
        breaker.succeeded();
    });
}

fn tool() -> Tool {
    Tool {
        name: "run".to_owned(),
        description: "runs".to_owned(),
        parameters: serde_json::json!({"type": "object"}),
        repeatable: false,
        trusted: false,
    }
}

/// A run of one tool call and an answer: five events.
fn events() {
    let setup = Setup {
        run: "bench".to_owned(),
        depth: 0,
        seed: 0,
        models: vec![ModelChoice::new("p", "m")],
        system: "be brief".to_owned(),
        messages: vec![Message::user("go")],
        tools: vec![tool()],
        limits: agent::machine::Limits::default(),
        context: ContextRule::default(),
    };
    let call = ProposedCall {
        id: "1".to_owned(),
        name: "run".to_owned(),
        arguments: "{}".to_owned(),
        fault: None,
    };
    let place = Place {
        iteration: 1,
        index: 0,
    };
    let result = ToolResult {
        ending: ToolEnding::Succeeded,
        content: "1".to_owned(),
        output_sha256: None,
    };
    let asks = Answer {
        calls: vec![call],
        ..Answer::default()
    };
    let says = Answer {
        prose: "It is 1.".to_owned(),
        ..Answer::default()
    };
    measure("machine, per event of a run of five", 5, "", || {
        let mut machine = Machine::new();
        machine.step(Event::Started(Box::new(setup.clone())));
        machine.step(Event::Answered {
            call: 0,
            answer: Box::new(asks.clone()),
        });
        machine.step(Event::ToolStarted {
            place,
            record: "r".to_owned(),
        });
        machine.step(Event::ToolFinished {
            place,
            result: result.clone(),
        });
        machine.step(Event::Answered {
            call: 1,
            answer: Box::new(says.clone()),
        });
        black_box(&machine);
    });
    let event = Event::ToolFinished { place, result };
    measure("event as a line of JSON", 1, "", || {
        black_box(serde_json::to_string(black_box(&event)).unwrap_or_default());
    });
}

fn tokens() {
    let line = b"data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n";
    let mut decoder = Decoder::new(Dialect::OpenaiChat);
    let mut out = Vec::new();
    let mut bytes = 0;
    measure(
        "token of a stream, decoded",
        1,
        "50 us added in guard mode",
        || {
            bytes += line.len();
            if bytes > agent::wire::MAX_ANSWER_BYTES {
                decoder = Decoder::new(Dialect::OpenaiChat);
                bytes = line.len();
            }
            out.clear();
            let _read = decoder.push(black_box(line), &mut out).is_ok();
            black_box(&out);
        },
    );
    let mut scanner = Scanner::new(CallFormat::Hermes, &[tool()], "c");
    measure("token of a text, looked at for calls", 1, "", || {
        scanner.push(black_box(" word"))
    });
}
