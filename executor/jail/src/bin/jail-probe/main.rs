//! Tries forbidden acts by raw system calls, bare and in a worker's place in the jail.
//!
//! `jail-probe list` names the acts, `bare ACT` does one in a child outside the jail (the
//! control), `jailed ACT` does it inside, behind every layer. Each prints one line: `ACT ok`,
//! `ACT refused ERRNO` or `ACT killed SIGNAL`. No act harms the host when it works: each
//! is chosen so that getting through shows and changes nothing that lasts.
//!
//! It never decides whether an outcome is right; tests/acts.rs does. An act that cannot be
//! tried at all is an error on standard error and status 2.

mod acts;
mod bare;
mod daemon;
mod inside;
mod lacking;
mod launch;
mod raw;
mod wire;

use std::process::ExitCode;
use std::str::FromStr as _;

use jail::{Layer, Plan, Role};

use wire::{Request, Runner};

const USAGE: &str = "usage: jail-probe list
       jail-probe bare   ACT...|all
       jail-probe jailed ACT...|all [--plan FILE] [--role ROLE] [--without LAYER]... [--on-helper]
       jail-probe host
       jail-probe cost N
       jail-probe lacking LAYER WORDS...   the words on a host that lacks a layer";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("jail-probe: {message}");
            ExitCode::from(2)
        }
    }
}

fn run(words: &[&str]) -> Result<ExitCode, String> {
    match words {
        ["list"] => list(),
        ["bare", acts @ ..] => {
            for act in chosen(acts)? {
                println!("{} {}", act.name, bare::outcome(act)?);
            }
        }
        ["jailed", rest @ ..] => {
            let (acts, options) = options(rest)?;
            for act in chosen(&acts)? {
                println!("{} {}", act.name, daemon::outcome(act, &options)?);
            }
        }
        ["host"] => {
            for state in jail::host() {
                println!("{} {:?}", state.layer, state.state);
            }
        }
        ["cost", times] => daemon::cost(times.parse().map_err(|_| USAGE)?)?,
        ["lacking", layer, rest @ ..] => {
            lacking::take_away(Layer::from_str(layer).map_err(|e| e.to_string())?)?;
            return run(rest);
        }
        ["inside"] => return inside::serve(),
        [acts::EXECUTED] => return Ok(ExitCode::from(acts::EXECUTED_STATUS)),
        _ => return Err(USAGE.into()),
    }
    Ok(ExitCode::SUCCESS)
}

fn list() {
    for act in acts::all() {
        println!("{}\t{}\t{}", act.name, act.control, act.what);
    }
}

fn chosen(names: &[&str]) -> Result<Vec<acts::Act>, String> {
    let all = acts::all();
    match names {
        [] => Err(USAGE.into()),
        ["all"] => Ok(all),
        names => names
            .iter()
            .map(|name| {
                let found = all.iter().find(|act| act.name == *name).cloned();
                found.ok_or_else(|| format!("no act is called `{name}`; see `jail-probe list`"))
            })
            .collect(),
    }
}

fn options<'a>(mut words: &'a [&'a str]) -> Result<(Vec<&'a str>, Request), String> {
    let mut acts = Vec::new();
    let mut request = Request::new(Plan::strict(Role::Worker));
    loop {
        words = match words {
            [] => return Ok((acts, request)),
            ["--plan", file, rest @ ..] => {
                let text = std::fs::read_to_string(file).map_err(|e| format!("`{file}`: {e}"))?;
                request.plan = serde_json::from_str(&text).map_err(|e| format!("`{file}`: {e}"))?;
                rest
            }
            ["--role", role, rest @ ..] => {
                request.plan.role = Role::from_str(role).map_err(|e| e.to_string())?;
                rest
            }
            ["--without", layer, rest @ ..] => {
                let layer = Layer::from_str(layer).map_err(|e| e.to_string())?;
                request.plan.layers.remove(&layer);
                rest
            }
            ["--on-helper", rest @ ..] => {
                request.on = Runner::Helper;
                rest
            }
            [act, rest @ ..] => {
                acts.push(*act);
                rest
            }
        };
    }
}
